/** How a status looks and is called. Never by colour alone: a shape, a word and a stroke too. */

import type { Context } from './context';
import { s } from './dom';
import { clock, duration } from './format';
import { shortLocation } from './location';
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
    const location = state.error?.location;
    parts.push(location ? shortLocation(location, trans) : '');
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

/** The seconds that a step took. What one from the cache took, it took in another run. */
export function taken(state: StepState): number | null {
  return state.status === 'cached' ? null : state.duration;
}

/** How much of a step is done, from 0 to 1; null where nobody knows. */
export function fraction(state: StepState): number | null {
  const total = state.cells_total;
  return total ? Math.min(1, state.cells_done / total) : null;
}

/** Where a shape's middle is, and how large it is (1: in a box of 16 × 16). */
export interface Spot {
  readonly x: number;
  readonly y: number;
  readonly size: number;
}

const FULL_SIZE: Spot = { x: 8, y: 8, size: 1 };

/**
 * The status's shape, coloured by the tone of its status. Its coordinates are those of the whole
 * drawing: a transform for each of a thousand shapes would cost the browser more than they do.
 */
export function shape(
  status: string,
  done: number | null = null,
  spot = FULL_SIZE
): SVGElement[] {
  const { x, y, size } = spot;
  const circle = (name: string, r: number, more = {}): SVGElement =>
    s('circle', { class: name, cx: x, cy: y, r: r * size, ...more });
  const path = (name: string, d: string): SVGElement =>
    s('path', { class: name, d: scaled(d, spot) });
  switch (status) {
    case 'running':
      return [
        circle('kfnb-ring', 6.25),
        path('kfnb-full', sector(done ?? 0.25))
      ];
    case 'succeeded':
      return [
        circle('kfnb-disc', 7),
        path('kfnb-cut', 'M-3.1 .3l2.2 2.2 4.1 -4.7')
      ];
    case 'cached':
      return [
        circle('kfnb-ring', 6.25),
        path('kfnb-mark', 'M-3 .2l2.1 2.1 3.9 -4.4')
      ];
    case 'failed':
      return [
        circle('kfnb-disc', 7),
        path('kfnb-cut', 'M-2.5 -2.5l5 5m0 -5l-5 5')
      ];
    case 'skipped':
      return [circle('kfnb-ring', 6.25), path('kfnb-mark', 'M-2.8 0h5.6')];
    case 'cancelled':
      return [
        circle('kfnb-ring', 6.25),
        path('kfnb-full', 'M-2.5 -2.5h5v5h-5z')
      ];
    default:
      return [
        circle('kfnb-ring', 6.25, {
          'stroke-dasharray': `${2.4 * size} ${2.5 * size}`
        })
      ];
  }
}

/** Path data around nought, enlarged and moved: relative but for its first point. */
function scaled(d: string, { x, y, size }: Spot): string {
  let first = 2;
  return d.replace(/-?(?:\d+\.?\d*|\.\d+)/g, number => {
    const from = first === 2 ? x : first === 1 ? y : 0;
    first -= 1;
    return String(Math.round((Number(number) * size + from) * 100) / 100);
  });
}

/** A piece of the clock's face, from twelve. */
function sector(done: number): string {
  if (done <= 0) {
    return 'M0 0';
  }
  const angle = Math.min(done, 0.999) * 2 * Math.PI;
  const [x, y] = [4 * Math.sin(angle), -4 * Math.cos(angle)];
  // A curve for each eighth: an arc's flags would not survive being scaled.
  return `M0 0l0 -4${arc(angle)}l${(-x).toFixed(2)} ${(-y).toFixed(2)}z`;
}

/** Relative curves along a circle of radius 4, clockwise from its top. */
function arc(angle: number): string {
  const parts = Math.ceil(angle / (Math.PI / 4));
  const step = angle / parts;
  const pull = (4 / 3) * Math.tan(step / 4) * 4;
  let curves = '';
  for (let n = 0; n < parts; n += 1) {
    const [from, to] = [n * step, (n + 1) * step];
    const [x0, y0] = [4 * Math.sin(from), -4 * Math.cos(from)];
    const [x1, y1] = [4 * Math.sin(to) - x0, -4 * Math.cos(to) - y0];
    const points = [
      pull * Math.cos(from),
      pull * Math.sin(from),
      x1 - pull * Math.cos(to),
      y1 - pull * Math.sin(to),
      x1,
      y1
    ];
    curves += `c${points.map(value => value.toFixed(2)).join(' ')}`;
  }
  return curves;
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
