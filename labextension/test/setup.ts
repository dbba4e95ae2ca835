/** What browsers have and jsdom has not; enough for code that only observes. */

class Observer {
  observe(): void {
    // Nothing has a size here.
  }
  disconnect(): void {
    // As above.
  }
}

Object.assign(globalThis, {
  ResizeObserver: Observer,
  matchMedia: () => ({ matches: false, addEventListener: () => undefined })
});
