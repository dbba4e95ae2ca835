/** How a status looks and is called. Never by colour alone: a shape, a word and a stroke too. */

import type { Context } from './context';
import { s } from './dom';
import { clock, duration } from './format';
import type { RunStatus, StepState, StepStatus } from './protocol';

export const STATUSES: readonly StepStatus[] = [
  'running',
  'failed',
  'succeeded',
  'cached',
  'skipped',
  'cancelled',
  'pending'
];

/** The status as a word. */
export function word(
  status: StepStatus | RunStatus,
  { trans }: Context
): string {
  switch (status) {
    case 'pending':
      return trans('Pending');
    case 'running':
      return trans('Running');
    case 'succeeded':
      return trans('Succeeded');
    case 'cached':
      return trans('Cached');
    case 'failed':
      return trans('Failed');
    case 'skipped':
      return trans('Skipped');
    case 'cancelled':
      return trans('Cancelled');
    default:
      // A newer kernel may know more than this page.
      return String(status);
  }
}

/** The word, and what one wants to know beside it: progress, place of failure, duration. */
export function phrase(state: StepState, context: Context): string {
  const parts = [word(state.status, context)];
  const { trans } = context;
  if (state.status === 'running') {
    const total = state.cells_total;
    parts.push(
      total === null ? '' : `${state.cells_done}/${total} ${trans('cells')}`
    );
  } else if (state.status === 'failed') {
    const cell = state.error?.cell ?? null;
    parts.push(cell === null ? '' : `${trans('cell')} ${cell}`);
  } else if (state.status === 'pending') {
    parts.push(
      state.retry_at === null
        ? ''
        : `${trans('retry at')} ${clock(state.retry_at)}`
    );
  } else if (state.duration !== null && state.status === 'succeeded') {
    parts.push(duration(state.duration));
  }
  return parts.filter(Boolean).join(' · ');
}

/** How much of a step is done, from 0 to 1; null where nobody knows. */
export function fraction(state: StepState): number | null {
  const total = state.cells_total;
  return total ? Math.min(1, state.cells_done / total) : null;
}

/** The status's shape in a box of 16 × 16, coloured by `currentColor` and the ground's colour. */
export function shape(
  status: string,
  done: number | null = null
): SVGElement[] {
  const ring = { class: 'kfnb-ring', cx: 8, cy: 8, r: 6.25 };
  const mark = (d: string): SVGElement => s('path', { class: 'kfnb-mark', d });
  switch (status) {
    case 'running':
      return [
        s('circle', ring),
        s('path', { class: 'kfnb-full', d: sector(done ?? 0.25) })
      ];
    case 'succeeded':
      return [
        s('circle', { ...ring, class: 'kfnb-disc', r: 7 }),
        cut('M4.9 8.3l2.2 2.2 4.1-4.7')
      ];
    case 'cached':
      return [s('circle', ring), mark('M5 8.2l2.1 2.1 3.9-4.4')];
    case 'failed':
      return [
        s('circle', { ...ring, class: 'kfnb-disc', r: 7 }),
        cut('M5.5 5.5l5 5m0-5l-5 5')
      ];
    case 'skipped':
      return [s('circle', ring), mark('M5.2 8h5.6')];
    case 'cancelled':
      return [
        s('circle', ring),
        s('rect', { class: 'kfnb-full', x: 5.5, y: 5.5, width: 5, height: 5 })
      ];
    default:
      return [s('circle', { ...ring, 'stroke-dasharray': '2.4 2.5' })];
  }
}

function cut(d: string): SVGElement {
  return s('path', { class: 'kfnb-cut', d });
}

/** A piece of the clock's face, from twelve. */
function sector(done: number): string {
  if (done <= 0) {
    return '';
  }
  if (done >= 1) {
    return 'M8 4a4 4 0 1 1 0 8a4 4 0 1 1 0-8z';
  }
  const angle = done * 2 * Math.PI;
  const x = 8 + 4 * Math.sin(angle);
  const y = 8 - 4 * Math.cos(angle);
  return `M8 8V4A4 4 0 ${done > 0.5 ? 1 : 0} 1 ${x.toFixed(2)} ${y.toFixed(2)}z`;
}

/** The shape as a picture of its own, for lines of text. */
export function glyph(
  status: string,
  done: number | null = null
): SVGSVGElement {
  return s(
    'svg',
    {
      class: 'kfnb-glyph',
      viewBox: '0 0 16 16',
      'data-status': status,
      'aria-hidden': 'true'
    },
    ...shape(status, done)
  );
}
