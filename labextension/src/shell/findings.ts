/** What is wrong with the notebook, or with the run: sentences, each with its place and remedy. */

import type { Context } from '../context';
import { fill, h } from '../dom';
import { visible } from '../format';
import type { Diagnostic, Graph, RunWarning } from '../protocol';
import { glyph } from '../status';

/** Folded away, however many; nothing where there are none. */
export function findings(graph: Graph, { trans }: Context): HTMLElement | null {
  const { diagnostics } = graph;
  if (diagnostics.length === 0) {
    return null;
  }
  const errors = diagnostics.filter(
    ({ severity }) => severity === 'error'
  ).length;
  const warnings = diagnostics.length - errors;
  const counts = [
    errors && `${errors} ${errors === 1 ? trans('error') : trans('errors')}`,
    warnings &&
      `${warnings} ${warnings === 1 ? trans('warning') : trans('warnings')}`
  ].filter(Boolean);
  return h(
    'details',
    {
      class: 'kfnb-findings',
      open: errors > 0,
      'data-status': errors ? 'failed' : 'cancelled'
    },
    h('summary', {}, `${counts.join(', ')} ${trans('in the notebook')}`),
    h('ul', {}, ...diagnostics.map(one => finding(one, trans)))
  );
}

function finding(one: Diagnostic, trans: Context['trans']): HTMLElement {
  const line = one.line === null ? '' : `, ${trans('line')} ${one.line}`;
  const location =
    one.cell === null ? '' : `${trans('cell')} ${one.cell}${line}`;
  return h(
    'li',
    {
      'data-status': one.severity === 'error' ? 'failed' : 'cancelled',
      'data-code': one.code
    },
    h('span', {}, `${visible(one.message)} `),
    h(
      'span',
      { class: 'kfnb-quiet' },
      [visible(one.remedy), location].filter(Boolean).join(' ')
    )
  );
}

/** What the run warned of; nothing where it did not. */
export function warnings(
  listed: readonly RunWarning[],
  { trans }: Context
): HTMLElement | null {
  if (listed.length === 0) {
    return null;
  }
  const count = `${listed.length} ${listed.length === 1 ? trans('warning') : trans('warnings')}`;
  return h(
    'details',
    { class: 'kfnb-findings', 'data-status': 'cancelled' },
    h('summary', {}, `${count} ${trans('of the run')}`),
    h('ul', {}, ...listed.map(one => finding({ ...NOWHERE, ...one }, trans)))
  );
}

const NOWHERE = {
  code: '',
  severity: 'warning',
  remedy: '',
  step: null,
  cell: null,
  line: null
} as const;

/** A line that says what happened, until something else is to be said. */
export class Notice {
  readonly node = h('div', {
    class: 'kfnb-notice',
    role: 'status',
    hidden: true
  });

  constructor(name = '') {
    this.node.classList.toggle(name || 'kfnb-notice', true);
  }

  /** Takes back what was only said in passing. */
  settle(): void {
    if (this.level === 'info') {
      this.say(null);
    }
  }

  say(text: string | null, level: 'info' | 'warning' | 'error' = 'info'): void {
    if (text === this.text) {
      return;
    }
    this.text = text;
    this.level = level;
    this.node.hidden = text === null;
    this.node.dataset.status = {
      info: 'running',
      warning: 'cancelled',
      error: 'failed'
    }[level];
    fill(
      this.node,
      text !== null &&
        level !== 'info' &&
        glyph(level === 'error' ? 'failed' : 'cancelled'),
      text !== null && h('span', {}, visible(text))
    );
  }

  private text: string | null = null;
  private level: 'info' | 'warning' | 'error' = 'info';
}
