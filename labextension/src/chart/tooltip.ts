/** The values of all lines at the x under the pointer. */

import type { Context } from '../context';
import { fill, h } from '../dom';
import { duration, visible } from '../format';
import { nearest } from './decimate';
import { sample } from './legend';
import type { Entry } from './legend';
import { distinct, number } from './number-format';
import type { Curve, XAxis } from './series-data';

/** Most lines that are listed; the rest is counted. */
const MOST = 16;

export interface Reading {
  readonly metric: string;
  readonly entry: Entry;
  /** Null if the line has no point near. */
  readonly value: number | null;
  /** The x of the value, if it differs from the requested one. */
  readonly x: number | null;
}

/** The x of the point of any curve that is nearest to a position; null if there are no points. */
export function snapped(curves: readonly Curve[], x: number): number | null {
  let nearestX: number | null = null;
  for (const { xs } of curves) {
    const n = nearest(xs, x);
    if (
      n >= 0 &&
      (nearestX === null || Math.abs(xs.at(n) - x) < Math.abs(nearestX - x))
    ) {
      nearestX = xs.at(n);
    }
  }
  return nearestX;
}

/** The value of a curve's point nearest to x; null outside of the curve. */
export function read(
  { xs, ys }: Curve,
  x: number
): Pick<Reading, 'value' | 'x'> {
  const n = nearest(xs, x);
  const nearestX = xs.at(n);
  if (n < 0 || x < xs.at(0) || x > xs.at(xs.length - 1)) {
    return { value: null, x: null };
  }
  return { value: ys.at(n), x: nearestX === x ? null : nearestX };
}

export class Tooltip {
  readonly node = h('div', { class: 'kfnb-chart-tip', hidden: true });

  constructor(private readonly context: Context) {}

  /** Shows values; with `several`, with the names of their metrics. */
  show(axis: XAxis, x: number, readings: readonly Reading[]): void {
    const { trans } = this.context;
    const several = new Set(readings.map(({ metric }) => metric)).size > 1;
    const values = distinct(readings.map(({ value }) => value ?? NaN));
    let metric: string | null = null;
    const rows = readings.slice(0, MOST).flatMap((reading, n) => {
      const head = several && reading.metric !== metric;
      metric = reading.metric;
      return [
        head
          ? h(
              'tr',
              {},
              h('th', { colspan: 2 }, h('bdi', {}, visible(reading.metric)))
            )
          : null,
        h(
          'tr',
          {},
          h(
            'td',
            {},
            sample(reading.entry.look),
            h('bdi', {}, visible(reading.entry.label))
          ),
          h(
            'td',
            { class: 'kfnb-number' },
            reading.value === null ? '–' : (values[n] ?? number(reading.value)),
            reading.x !== null &&
              h('small', {}, ` ${trans('at')} ${xText(axis, reading.x)}`)
          )
        )
      ];
    });
    const more = readings.length - MOST;
    fill(
      this.node,
      h(
        'div',
        { class: 'kfnb-chart-at' },
        `${axisName(axis, this.context)} ${xText(axis, x)}`
      ),
      h('table', {}, h('tbody', {}, ...rows.filter(row => row !== null))),
      more > 0 && h('div', {}, `${trans('and more:')} ${more}`)
    );
    this.node.hidden = false;
  }

  hide(): void {
    this.node.hidden = true;
  }

  /** Places the tooltip beside a position, on the side with room, inside the visible area. */
  moveBeside(x: number, y: number, width: number, height: number): void {
    const own = this.node.offsetWidth;
    const lowest = height - this.node.offsetHeight - 4;
    const left = x + 14 + own > width ? Math.max(0, x - 14 - own) : x + 14;
    this.node.style.left = `${left}px`;
    this.node.style.top = `${Math.max(0, Math.min(y, lowest))}px`;
  }
}

export function axisName(axis: XAxis, { trans }: Context): string {
  switch (axis) {
    case 'step':
      return trans('Step');
    case 'time':
      return trans('Time');
    case 'index':
      return trans('Index');
  }
}

export function xText(axis: XAxis, x: number): string {
  return axis === 'time' ? timeText(x) : number(x, 9);
}

/** Seconds since the run's first value. */
export function timeText(seconds: number): string {
  return seconds < 10 ? `${number(seconds, 4)} s` : duration(seconds);
}
