/**
 * Keys typed in a view are not the notebook's: there `b` makes a cell and `0 0` restarts the kernel.
 * What is held with Ctrl or the like, or runs a cell, still reaches the page.
 */

/** What Lumino looks for between the focus and the page; its shortcuts match the focus itself. */
const MARK = 'data-lm-suppress-shortcuts';

/** Keeps plain keys within an element; gives what ends it. */
export function guardKeys(node: HTMLElement): () => void {
  // Notebook 7 listens while events come down to us, JupyterLab when they go up again.
  const down = (event: KeyboardEvent): void => {
    // Out here a view's own tree is one element: what contains the view.
    const { target } = event;
    if (target instanceof Element && event.composedPath().includes(node)) {
      // A key that comes at once is handled before the timer of the one before it.
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
