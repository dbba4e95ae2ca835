/** How a cell, or a line of it, is written for a person: by execution count, line and text. */

import type { Context } from './context';
import { h } from './dom';
import { visible } from './format';
import type { Location } from './protocol';

type Translate = Context['trans'];

/** `[12] line 3`; the text of the line where the notebook has neither count nor line. */
export function shortLocation(location: Location, trans: Translate): string {
  return counted(location, trans) || visible(location.text) || trans('a cell');
}

/** ``[12] line 3: `fit(X)` ``. */
export function fullLocation(location: Location, trans: Translate): string {
  const text = location.text && `\`${visible(location.text)}\``;
  return (
    [counted(location, trans), text].filter(Boolean).join(': ') ||
    trans('a cell')
  );
}

/** The cells of a step: ``[3]: `fit(X)` ``, `[3], [4], [7]`, ``3 cells, `fit(X)` ``. */
export function cellsOf(cells: readonly Location[], trans: Translate): string {
  const [first] = cells;
  if (!first) {
    return trans('no cells');
  }
  if (cells.length === 1) {
    return fullLocation(first, trans);
  }
  if (cells.every(cell => cell.execution_count !== null)) {
    const counts = cells.map(cell => `[${cell.execution_count}]`);
    const more = counts.length - MOST_COUNTS;
    return [...counts.slice(0, MOST_COUNTS), more > 0 ? `+${more}` : '']
      .filter(Boolean)
      .join(', ');
  }
  const text = first.text && fullLocation(first, trans);
  return [`${cells.length} ${trans('cells')}`, text].filter(Boolean).join(', ');
}

const MOST_COUNTS = 6;

/** The same as an element: a link where the page around shows the notebook, and the text as code. */
export function locationElement(
  location: Location,
  { trans, goTo }: Context
): HTMLElement {
  const label = counted(location, trans);
  const line = visible(location.text);
  const code = line && h('code', {}, line);
  if (!goTo) {
    const text = label && code ? `${label} ` : label;
    return h(
      'span',
      { class: 'kfnb-location' },
      text || (!code && trans('a cell')),
      code
    );
  }
  const link = h(
    'button',
    {
      type: 'button',
      class: 'kfnb-link',
      title: trans('Scroll to the cell in the notebook')
    },
    label || code || trans('a cell')
  );
  link.addEventListener('click', () => goTo(location));
  return h('span', { class: 'kfnb-location' }, link, label && code);
}

function counted(
  { execution_count: count, line }: Location,
  trans: Translate
): string {
  return [
    count === null ? '' : `[${count}]`,
    line === null ? '' : `${trans('line')} ${line}`
  ]
    .filter(Boolean)
    .join(' ');
}
