/** Replacements for what jsdom lacks. */

class Observer {
  observe(): void {
    // Elements have no size in jsdom.
  }
  disconnect(): void {
    // It observes nothing.
  }
}

Object.assign(globalThis, {
  // Lumino extends it when it is loaded.
  DragEvent: MouseEvent,
  ResizeObserver: Observer,
  matchMedia: () => ({ matches: false, addEventListener: () => undefined })
});

// jsdom shows no motion.
Element.prototype.animate = () => ({}) as Animation;
