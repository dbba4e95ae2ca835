/** Marks names in the code of cells, without changing the editors. */

import type { NotebookHost } from '../notebook';

const NAME = 'kfnb-flow';

/** Marks names in the cells that are in the page; no names mark nothing. */
export function highlight(
  host: NotebookHost,
  cells: readonly string[],
  names: readonly string[]
): void {
  // Older browsers mark nothing; the reason is text anyway.
  if (typeof Highlight === 'undefined') {
    return;
  }
  const ranges = names.length
    ? cells.flatMap(id => {
        const node = host.cell(id)?.node.querySelector('.cm-content');
        return node ? rangesOf(node, names) : [];
      })
    : [];
  if (ranges.length) {
    CSS.highlights.set(NAME, new Highlight(...ranges));
  } else {
    CSS.highlights.delete(NAME);
  }
}

function rangesOf(node: Node, names: readonly string[]): Range[] {
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  const pattern = new RegExp(
    `(?<![\\w.])(?:${names.map(escaped).join('|')})(?!\\w)`,
    'g'
  );
  const ranges: Range[] = [];
  while (walker.nextNode()) {
    const text = walker.currentNode;
    for (const match of (text.textContent ?? '').matchAll(pattern)) {
      const range = document.createRange();
      range.setStart(text, match.index);
      range.setEnd(text, match.index + match[0].length);
      ranges.push(range);
    }
  }
  return ranges;
}

function escaped(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
