/** The look and the name of each status: a shape, a word and a stroke, and not only a colour. */

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

/** Returns the name of a status. */
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
      // A newer kernel may send a status that this page does not know.
      return String(status);
  }
}

/** Returns the name of the status with progress, location of the failure or duration. */
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

/** Returns the seconds that a step took; null for a cached one, which took them in another run. */
export function taken(state: StepState): number | null {
  return state.status === 'cached' ? null : state.duration;
}

/** Returns how many of its cells a step has executed: all of them if it succeeded. */
export function cellsDone(state: StepState): number {
  const total = state.cells_total ?? 0;
  // The message about the last cell may come after the one about the step's end, or not at all.
  return state.status === 'succeeded'
    ? total
    : Math.min(total, state.cells_done);
}

/** Returns the progress of a step from 0 to 1; null if it is unknown. */
export function fraction(state: StepState): number | null {
  const total = state.cells_total;
  return total ? cellsDone(state) / total : null;
}

/** The centre and the size of a shape; at size 1 it fits into 16 × 16 pixels. */
export interface Spot {
  readonly x: number;
  readonly y: number;
  readonly size: number;
}

const FULL_SIZE: Spot = { x: 8, y: 8, size: 1 };

/**
 * Creates the shape of a status. Its coordinates are those of the whole drawing, because a thousand
 * transforms would be slower than the shapes themselves.
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

/** Scales and moves path data, which is relative except for its first point. */
function scaled(d: string, { x, y, size }: Spot): string {
  let first = 2;
  return d.replace(/-?(?:\d+\.?\d*|\.\d+)/g, number => {
    const from = first === 2 ? x : first === 1 ? y : 0;
    first -= 1;
    return String(Math.round((Number(number) * size + from) * 100) / 100);
  });
}

/** Path data of a sector that begins at the top. */
function sector(done: number): string {
  if (done <= 0) {
    return 'M0 0';
  }
  const angle = Math.min(done, 0.999) * 2 * Math.PI;
  const [x, y] = [4 * Math.sin(angle), -4 * Math.cos(angle)];
  // Curves instead of an arc, because `scaled` would change the flags of an arc.
  return `M0 0l0 -4${arc(angle)}l${(-x).toFixed(2)} ${(-y).toFixed(2)}z`;
}

/** Path data along a circle of radius 4, clockwise from the top, with a curve for each eighth. */
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

/** Creates the shape of a status as an icon for a line of text. */
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
