/** Quick fixes of problems: edits that the remedy of a diagnostic asks for. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { CellEdit } from '../panel/outline';
import { fixes, type Fix } from '../panel/quick-fix';
import type { Diagnostic } from '../protocol';
import type { Open } from './session';

export interface TitledFix extends Fix {
  readonly title: string;
}

/** Returns what a person can do about a problem by one click; null if nothing is known. */
export function fixFor(
  problem: Diagnostic,
  { book }: Open,
  trans: TranslationBundle
): TitledFix | null {
  const fix = fixes(problem, book.cells);
  return fix && { ...fix, title: trans.__('Use "%1"', fix.replacement) };
}

/** Returns the edits of all problems that have a fix; a cell is edited once. */
export function allFixes(open: Open): CellEdit[] {
  const edits = new Map<string, CellEdit>();
  for (const problem of open.book.diagnostics) {
    for (const edit of fixes(problem, open.book.cells)?.edits ?? []) {
      if (!edits.has(edit.id)) {
        edits.set(edit.id, edit);
      }
    }
  }
  return [...edits.values()];
}
