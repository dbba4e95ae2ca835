/** The notebook of JupyterLab or Notebook 7 in whose output a view is shown. */

import type { Json, Location } from '../protocol';
import type { NotebookSettings } from '../settings';
import { record } from '../settings/fields';
import type { Model } from './anywidget';

const NOTEBOOK = '.jp-Notebook';
const CELL = '.jp-Cell';
const SCROLLER = '.jp-WindowedPanel-outer';
/** Most windows to scroll on the way to a cell that is not rendered yet. */
const MOST_SCROLLS = 500;

export class NotebookAround {
  constructor(private readonly host: HTMLElement) {}

  /** Scrolls to a cell of the notebook; null if the view is in none. */
  get goTo(): ((location: Location) => void) | null {
    const { element } = this;
    return element && (location => scrollTo(element, location, MOST_SCROLLS));
  }

  private get element(): HTMLElement | null {
    let node: Element | null = this.host;
    while (node) {
      const notebook: HTMLElement | null = node.closest(NOTEBOOK);
      if (notebook) {
        return notebook;
      }
      // A view has a shadow tree of its own, and `closest` does not leave it.
      const root = node.getRootNode();
      node = root instanceof ShadowRoot ? root.host : null;
    }
    return null;
  }
}

/** Scrolls to a cell, window by window because Jupyter renders only the cells near the window. */
function scrollTo(
  notebook: HTMLElement,
  location: Location,
  scrolls: number
): void {
  const cells = [...notebook.querySelectorAll<HTMLElement>(CELL)];
  const target = cellAt(cells, location);
  if (target) {
    target.scrollIntoView({ block: 'center' });
    return;
  }
  const [first, last] = [cells[0], cells.at(-1)];
  const scroller = notebook.querySelector(SCROLLER);
  if (!first || !last || !scroller || scrolls === 0) {
    return;
  }
  const down = location.cell > indexOf(last, cells.length - 1);
  if (!down && location.cell >= indexOf(first, 0)) {
    return; // the cell was removed
  }
  const before = scroller.scrollTop;
  scroller.scrollTop += (down ? 1 : -1) * scroller.clientHeight;
  if (scroller.scrollTop !== before) {
    requestAnimationFrame(() => scrollTo(notebook, location, scrolls - 1));
  }
}

/** Finds a cell by its index and text; by text alone if cells were inserted or moved. */
function cellAt(
  cells: readonly HTMLElement[],
  { cell, text }: Location
): HTMLElement | null {
  const having = cells.filter(one => textOf(one).includes(text));
  return (
    having.find(one => indexOf(one, cells.indexOf(one)) === cell) ??
    (text && having.length === 1 ? (having[0] ?? null) : null)
  );
}

function indexOf(cell: HTMLElement, position: number): number {
  const index = cell.dataset.windowedListIndex;
  return index === undefined ? position : Number(index);
}

/** The source of a cell; an editor that was not rendered yet leaves it as plain text. */
function textOf(cell: HTMLElement): string {
  return cell.querySelector('.jp-InputArea')?.textContent ?? '';
}

/** Opens a notebook of the server in a page of its own; null if this page belongs to no server. */
export function viewer(): ((notebook: string) => void) | null {
  const base = baseUrl();
  if (base === null) {
    return null;
  }
  return notebook => {
    const encoded = notebook.split('/').map(encodeURIComponent).join('/');
    window.open(`${base}${encoded}`, '_blank', 'noopener');
  };
}

/** The address below which this front end (JupyterLab or Notebook 7) opens notebooks. */
function baseUrl(): string | null {
  const config = document.getElementById('jupyter-config-data')?.textContent;
  if (!config) {
    return null;
  }
  try {
    const { baseUrl: base, notebookPage } = JSON.parse(config) as Record<
      string,
      unknown
    >;
    const root = typeof base === 'string' && base.startsWith('/') ? base : '/';
    return `${root}${notebookPage === undefined ? 'lab/tree' : 'notebooks'}/`;
  } catch {
    return null;
  }
}

/** The entry about the pipeline in the open notebook; null where the page does not have its model. */
export function settingsOf(model: Model): NotebookSettings | null {
  const notebook = model.widget_manager?.context?.model;
  if (typeof notebook?.setMetadata !== 'function') {
    return null; // only JupyterLab 4 and Notebook 7 have it
  }
  return {
    read: () => record(notebook.getMetadata('kfnb') as Json | undefined),
    replace: settings => notebook.setMetadata('kfnb', settings)
  };
}
