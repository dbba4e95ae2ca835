/** A notebook of JupyterLab as the panel uses it: its cells, its selection, and undoable edits. */

import type { Cell, ICellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { CellEdit, CellText } from '../panel/outline';
import type { Host, SentCell } from '../panel/book';

/** The part of the shared notebook that is not in its interface. */
interface Undoing {
  readonly undoManager?: { stopCapturing(): void };
}

export class NotebookHost implements Host {
  constructor(readonly panel: NotebookPanel) {}

  get path(): string {
    return this.panel.context.path;
  }

  cells(): SentCell[] {
    return models(this.panel).map(model => ({
      id: model.id,
      cell_type: model.type,
      source: model.sharedModel.getSource(),
      metadata: model.metadata,
      ...(model.type === 'code' ? { outputs: [], execution_count: null } : {})
    }));
  }

  metadata(): { readonly [key: string]: unknown } {
    return this.panel.model?.metadata ?? {};
  }

  /** The selected cells, or the active one, in the notebook's order. */
  selected(): string[] {
    const { content } = this.panel;
    return content.widgets
      .filter(cell => content.isSelectedOrActive(cell))
      .map(cell => cell.model.id);
  }

  get active(): string | null {
    return this.panel.content.activeCell?.model.id ?? null;
  }

  /** Makes edits of any number of cells, which one undo takes back together. */
  apply(edits: readonly CellEdit[]): void {
    const shared = this.panel.model?.sharedModel;
    if (!shared || !edits.length) {
      return;
    }
    const byId = new Map(models(this.panel).map(model => [model.id, model]));
    const { undoManager } = shared as unknown as Undoing;
    undoManager?.stopCapturing();
    shared.transact(() => {
      for (const edit of edits) {
        const model = byId.get(edit.id);
        if (model) {
          change(model, edit);
        }
      }
    });
    undoManager?.stopCapturing();
  }

  /** Selects cells, scrolls to the first one, and puts the cursor into a line (from 1) of it. */
  async goTo(
    ids: readonly string[],
    line: number | null = null
  ): Promise<void> {
    const { content } = this.panel;
    const numbers = content.widgets.flatMap((cell, number) =>
      ids.includes(cell.model.id) ? [number] : []
    );
    const [first] = numbers;
    const last = numbers.at(-1);
    if (first === undefined || last === undefined) {
      return;
    }
    content.deselectAll();
    content.activeCellIndex = first;
    if (last > first && last - first + 1 === numbers.length) {
      content.extendContiguousSelectionTo(last);
      content.activeCellIndex = last;
    }
    const cell = content.widgets[first];
    if (cell) {
      await content.scrollToCell(cell);
      if (line !== null) {
        cell.editor?.setCursorPosition({ line: line - 1, column: 0 });
      }
    }
  }

  cell(id: string): Cell | null {
    return (
      this.panel.content.widgets.find(cell => cell.model.id === id) ?? null
    );
  }
}

function models(panel: NotebookPanel): ICellModel[] {
  return Array.from(panel.model?.cells ?? []);
}

function change(model: ICellModel, edit: CellEdit): void {
  const shared = model.sharedModel;
  if (edit.source !== undefined) {
    shared.setSource(edit.source);
  }
  if (edit.tags !== undefined) {
    if (edit.tags.length) {
      shared.setMetadata('tags', [...edit.tags]);
    } else {
      shared.deleteMetadata('tags');
    }
  }
  if (edit.own === null) {
    shared.deleteMetadata('kfnb');
  } else if (edit.own !== undefined) {
    shared.setMetadata('kfnb', edit.own as never);
  }
}

/** Returns the texts of certain cells. */
export function texts(
  cells: readonly CellText[],
  ids: readonly string[]
): CellText[] {
  return cells.filter(cell => ids.includes(cell.id));
}
