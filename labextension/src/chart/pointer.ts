/** Mouse, wheel, touch and keys on a plot. */

export interface Gestures {
  /** The pointer moved to some pixels from the left; null if it left the plot. */
  hover(x: number | null): void;
  /** The user marks a range; null if marking ended. */
  mark(piece: readonly [from: number, to: number] | null): void;
  /** The user marked a range to zoom to. */
  choose(from: number, to: number): void;
  /** The user moved the visible range by a fraction of its width. */
  pan(share: number): void;
  /** The user zoomed out (a factor above one) or in, around `x` or the middle. */
  zoom(factor: number, x: number | null): void;
  reset(): void;
}

/** A press that moves less than this is a click. */
const CLICK = 4;
const STEP = 1.5;
const WHEEL = 0.0025;

export function listen(plot: HTMLElement, gestures: Gestures): void {
  const at = (event: MouseEvent): number =>
    event.clientX - plot.getBoundingClientRect().left;
  plot.addEventListener('pointerdown', event => {
    if (event.button === 0) {
      press(plot, event, gestures, at);
    }
  });
  plot.addEventListener('pointermove', event => gestures.hover(at(event)));
  plot.addEventListener('pointerleave', () => gestures.hover(null));
  plot.addEventListener('dblclick', () => gestures.reset());
  plot.addEventListener(
    'wheel',
    event => {
      // Without Ctrl or Cmd the wheel scrolls the notebook.
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const turned = Math.max(-200, Math.min(200, event.deltaY));
        gestures.zoom(Math.exp(turned * WHEEL), at(event));
      }
    },
    { passive: false }
  );
  plot.addEventListener('keydown', event => {
    const act =
      event.ctrlKey || event.metaKey || event.altKey ? null : key(event.key);
    if (act) {
      event.preventDefault();
      event.stopPropagation();
      act(gestures);
    }
  });
}

function key(name: string): ((gestures: Gestures) => void) | null {
  switch (name) {
    case 'ArrowLeft':
      return gestures => gestures.pan(-0.1);
    case 'ArrowRight':
      return gestures => gestures.pan(0.1);
    case '+':
    case '=':
      return gestures => gestures.zoom(1 / STEP, null);
    case '-':
      return gestures => gestures.zoom(STEP, null);
    case '0':
      return gestures => gestures.reset();
    default:
      return null;
  }
}

/** Follows the pointer until it is released, and marks a range; with Shift, moves the visible one. */
function press(
  plot: HTMLElement,
  event: PointerEvent,
  gestures: Gestures,
  at: (event: MouseEvent) => number
): void {
  const moves = event.shiftKey;
  const begun = at(event);
  let last = begun;
  let dragged = false;
  const onMove = (move: PointerEvent): void => {
    const now = at(move);
    if (!dragged && Math.abs(now - begun) < CLICK) {
      return;
    }
    if (!dragged) {
      dragged = true;
      // The pointer may be released outside of the plot.
      plot.setPointerCapture(event.pointerId);
    }
    if (moves) {
      gestures.pan((last - now) / Math.max(1, plot.clientWidth));
    } else {
      gestures.mark([begun, now]);
    }
    last = now;
  };
  const onEnd = (end: PointerEvent): void => {
    plot.removeEventListener('pointermove', onMove);
    plot.removeEventListener('pointerup', onEnd);
    plot.removeEventListener('pointercancel', onEnd);
    gestures.mark(null);
    if (dragged && !moves && end.type === 'pointerup') {
      gestures.choose(Math.min(begun, last), Math.max(begun, last));
    }
  };
  plot.addEventListener('pointermove', onMove);
  plot.addEventListener('pointerup', onEnd);
  plot.addEventListener('pointercancel', onEnd);
}
