/** Edits that correct a misspelt name, as the remedy of a diagnostic suggests. */

import type { Diagnostic } from '../protocol';
import type { CellEdit, CellText } from './outline';

export interface Fix {
  readonly replacement: string;
  readonly edits: readonly CellEdit[];
}

/** Returns the fix of a problem whose remedy is `Did you mean "NAME"?`; null for any other. */
export function fixes(
  problem: Diagnostic,
  cells: readonly CellText[]
): Fix | null {
  const replacement = /Did you mean "([^"]+)"\?/.exec(problem.remedy)?.[1];
  const { location, message } = problem;
  const cell = cells.find(one => one.id === location?.id);
  if (!replacement || !cell || !location) {
    return null;
  }
  const lines = cell.source.split('\n');
  const number = location.line;
  const wrong = [...message.matchAll(/"([^"]+)"/g)]
    .map(match => match[1] ?? '')
    .filter(name => name !== problem.step && name !== replacement);
  for (const name of wrong) {
    const pattern = new RegExp(
      `(?<![\\w.])${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?!\\w)`
    );
    const at =
      number !== null && pattern.test(lines[number - 1] ?? '')
        ? number - 1
        : lines.findIndex(line => pattern.test(line));
    if (at >= 0) {
      const changed = [...lines];
      changed[at] = (lines[at] ?? '').replace(pattern, replacement);
      return {
        replacement,
        edits: [{ id: cell.id, source: changed.join('\n') }]
      };
    }
    const tags = cell.tags.map(tag =>
      tag.endsWith(`:${name}`)
        ? tag.slice(0, tag.length - name.length) + replacement
        : tag
    );
    if (tags.join() !== cell.tags.join()) {
      return { replacement, edits: [{ id: cell.id, tags }] };
    }
  }
  return null;
}
