/** The step that a command is about, and the name that is proposed for a new one. */

import type { Book } from '../panel/book';
import type { CellText } from '../panel/outline';
import type { Open } from './session';

/** The step that is given, or that of the active cell. */
export function stepOf({ host, book }: Open, given: unknown): string | null {
  return typeof given === 'string'
    ? given
    : stepOfCells(book, host.active === null ? [] : [host.active]);
}

/** The step that the first of some cells belongs to. */
export function stepOfCells(book: Book, ids: readonly string[]): string | null {
  const { steps } = book.proposal ?? book.outline;
  return steps.find(step => step.cells.includes(ids[0] ?? ''))?.name ?? null;
}

/** The step after another one; null for the last. */
export function nextStep({ book }: Open, step: string | null): string | null {
  const { steps } = book.outline;
  return steps[steps.findIndex(one => one.name === step) + 1]?.name ?? null;
}

/** The step of the nearest cell above. */
export function above(
  { book }: Open,
  cell: CellText | undefined
): string | null {
  const order = book.cells.map(one => one.id);
  for (let at = order.indexOf(cell?.id ?? '') - 1; at >= 0; at -= 1) {
    const id = order[at] ?? '';
    const step = book.outline.steps.find(one => one.cells.includes(id));
    if (step) {
      return step.name;
    }
  }
  return null;
}

/** The heading just above the first of some cells, as the name of a step. */
export function nameFor(book: Book, cells: readonly CellText[]): string {
  const all = book.cells;
  const at = all.findIndex(cell => cell.id === cells[0]?.id);
  const before = all[at - 1];
  const line =
    before?.type === 'markdown'
      ? /^#{1,6}\s+(.+?)\s*#*$/m.exec(before.source)?.[1]
      : undefined;
  return (line ?? '').replace(/^[\d.]+\s+/, '').toLowerCase();
}
