/** What is dragged onto a row: cells of the notebook, or another row. */

import type { Cell } from '@jupyterlab/cells';
import type { MimeData } from '@lumino/coreutils';

const CELLS = 'application/vnd.jupyter.cells';
const ROW = 'application/x-kfnb-step';

/** A drag event of Lumino, as far as it is needed here. */
interface LuminoDrag extends Event {
  dropAction: string;
  readonly mimeData: MimeData;
}

/** Lets rows of a list take the cells of a notebook, which JupyterLab drags in its own way. */
export function takeCells(
  list: HTMLElement,
  rowAt: (event: Event) => string | null,
  onOver: (row: string | null) => void,
  onDrop: (row: string, cells: readonly string[]) => void
): () => void {
  const handle = (event: Event): void => {
    const { mimeData } = event as LuminoDrag;
    const row = rowAt(event);
    if (event.type === 'lm-dragleave' || !mimeData.hasData(CELLS)) {
      onOver(null);
      return;
    }
    if (row === null) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    (event as LuminoDrag).dropAction = 'move';
    if (event.type === 'lm-drop') {
      const cells = mimeData.getData('internal:cells') as Cell[] | undefined;
      onOver(null);
      onDrop(row, cells?.map(cell => cell.model.id) ?? []);
    } else {
      onOver(row);
    }
  };
  const types = ['lm-dragenter', 'lm-dragover', 'lm-dragleave', 'lm-drop'];
  types.forEach(type => list.addEventListener(type, handle));
  return () => types.forEach(type => list.removeEventListener(type, handle));
}

/** Makes a drag carry a row. */
export function carry(transfer: DataTransfer, row: string): void {
  transfer.setData(ROW, row);
  transfer.effectAllowed = 'move';
}

/** Whether a drag carries a row; its name is known only when it is dropped. */
export function carriesRow(transfer: DataTransfer): boolean {
  return transfer.types.includes(ROW);
}

export function carriedRow(transfer: DataTransfer): string {
  return transfer.getData(ROW);
}
