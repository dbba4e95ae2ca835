/** Findings about the notebook and warnings of the run: each with its location and a remedy. */

import type { Context } from '../context';
import { fill, h } from '../dom';
import { visible } from '../format';
import { locationElement } from '../location';
import type { Diagnostic, Graph, RunWarning } from '../protocol';
import { glyph } from '../status';

/** The findings in a list that is open if one of them is an error; null if there are none. */
export function findings(graph: Graph, context: Context): HTMLElement | null {
  const { trans } = context;
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
    h('ul', {}, ...diagnostics.map(one => finding(one, context)))
  );
}

function finding(one: Diagnostic, context: Context): HTMLElement {
  return h(
    'li',
    {
      'data-status': one.severity === 'error' ? 'failed' : 'cancelled',
      'data-code': one.code
    },
    h('span', {}, `${visible(one.message)} `),
    h('span', { class: 'kfnb-quiet' }, `${visible(one.remedy)} `),
    one.location && locationElement(one.location, context)
  );
}

/** The warnings of a run in a closed list; null if there are none. */
export function warnings(
  listed: readonly RunWarning[],
  context: Context
): HTMLElement | null {
  const { trans } = context;
  if (listed.length === 0) {
    return null;
  }
  const count = `${listed.length} ${listed.length === 1 ? trans('warning') : trans('warnings')}`;
  return h(
    'details',
    { class: 'kfnb-findings', 'data-status': 'cancelled' },
    h('summary', {}, `${count} ${trans('of the run')}`),
    h(
      'ul',
      {},
      ...listed.map(one => finding({ ...NO_LOCATION, ...one }, context))
    )
  );
}

const NO_LOCATION = {
  code: '',
  severity: 'warning',
  remedy: '',
  step: null,
  location: null
} as const;

/** A line with the latest message. */
export class Notice {
  readonly node = h('div', {
    class: 'kfnb-notice',
    role: 'status',
    hidden: true
  });

  constructor(name = '') {
    this.node.classList.toggle(name || 'kfnb-notice', true);
  }

  /** Removes the message if it only informs. */
  clearInfo(): void {
    if (this.level === 'info') {
      this.show(null);
    }
  }

  show(
    text: string | null,
    level: 'info' | 'warning' | 'error' = 'info'
  ): void {
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
