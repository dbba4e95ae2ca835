/** The code of two runs side by side, where it differs. */

import type { Context } from '../context';
import { h } from '../dom';
import { visible } from '../format';
import type { CodeDifference, CodeLine } from '../protocol';

/** Makes the tables, one for each step; null if the code is equal. */
export function codeDifferences(
  differences: readonly CodeDifference[],
  runs: readonly string[],
  context: Context
): HTMLElement | null {
  const { trans } = context;
  if (differences.length === 0) {
    return null;
  }
  return h(
    'section',
    { 'aria-label': trans('Code that differs') },
    h('h4', {}, trans('Code that differs')),
    ...differences.map(({ step, lines }) => {
      const name = step === '' ? trans('Code outside of steps') : visible(step);
      return h(
        'table',
        { class: 'kfnb-code-table', 'aria-label': name, 'data-step': step },
        h('caption', {}, h('bdi', {}, name)),
        h(
          'thead',
          {},
          h('tr', {}, ...runs.map(run => h('th', { scope: 'col' }, run)))
        ),
        h('tbody', {}, ...lines.map(line => row(line, context)))
      );
    })
  );
}

function row({ left, right, kind }: CodeLine, context: Context): HTMLElement {
  if (kind === 'gap') {
    return h('tr', { class: 'kfnb-code-gap' }, h('td', { colspan: 2 }, '…'));
  }
  const changed = kind === 'changed';
  return h(
    'tr',
    { 'data-changed': String(changed) },
    cell(left, changed && '−', context),
    cell(right, changed && '+', context)
  );
}

/** A side of a line; a sign says what its colour says. */
function cell(
  text: string | null,
  sign: string | false,
  { trans }: Context
): HTMLElement {
  if (text === null) {
    return h('td', { class: 'kfnb-code-none', 'aria-label': trans('no line') });
  }
  const written = text.split('\t').map(visible).join('    ');
  return h(
    'td',
    {},
    h('span', { class: 'kfnb-code-sign', 'aria-hidden': 'true' }, sign || ' '),
    h('code', {}, written)
  );
}
