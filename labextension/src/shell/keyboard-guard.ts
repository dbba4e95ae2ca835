/**
 * Keeps plain keys in a view from the notebook, where `b` inserts a cell and `0 0` restarts the
 * kernel. Keys with Ctrl or the like, and those that run a cell, still reach the page.
 */

/** The attribute that makes Lumino ignore its shortcuts below an element. */
const MARK = 'data-lm-suppress-shortcuts';

/** Keeps plain keys within an element; returns a function that ends it. */
export function guardKeys(node: HTMLElement): () => void {
  // Notebook 7 listens in the capturing phase, JupyterLab in the bubbling phase.
  const down = (event: KeyboardEvent): void => {
    // Outside of a shadow tree the event's target is its host.
    const { target } = event;
    if (target instanceof Element && event.composedPath().includes(node)) {
      // The next key may come before the timer of this one.
      target.removeAttribute(MARK);
      if (isPlain(event)) {
        target.setAttribute(MARK, 'true');
        setTimeout(() => target.removeAttribute(MARK));
      }
    }
  };
  const up = (event: KeyboardEvent): void => {
    if (isPlain(event)) {
      event.stopPropagation();
    }
  };
  window.addEventListener('keydown', down, true);
  node.addEventListener('keydown', up);
  return () => {
    window.removeEventListener('keydown', down, true);
    node.removeEventListener('keydown', up);
  };
}

function isPlain(event: KeyboardEvent): boolean {
  const held = event.ctrlKey || event.metaKey || event.altKey;
  return !held && !(event.key === 'Enter' && event.shiftKey);
}
