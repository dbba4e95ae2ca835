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

const GAP = 14;

/** A rectangle within the chart, in pixels. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface Reading {
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

  /** Shows the values of the lines of one plot. */
  show(axis: XAxis, x: number, readings: readonly Reading[]): void {
    const { trans } = this.context;
    const values = distinct(readings.map(({ value }) => value ?? NaN));
    const rows = readings
      .slice(0, MOST)
      .map((reading, n) =>
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
      );
    const more = readings.length - MOST;
    fill(
      this.node,
      h(
        'div',
        { class: 'kfnb-chart-at' },
        `${axisName(axis, this.context)} ${xText(axis, x)}`
      ),
      h('table', {}, h('tbody', {}, ...rows)),
      more > 0 && h('div', {}, `${trans('and more:')} ${more}`)
    );
    this.node.hidden = false;
  }

  hide(): void {
    this.node.hidden = true;
  }

  /** Places the tooltip beside an x, on the side with room, within its own plot. */
  moveBeside(x: number, plot: Area): void {
    const { offsetWidth: width, offsetHeight: height } = this.node;
    const right = x + GAP;
    const left = right + width > plot.right ? x - GAP - width : right;
    const lowest = plot.bottom - height - GAP / 2;
    // The plot may be narrower or lower than the tooltip: its beginning is then what is seen.
    this.node.style.left = `${Math.max(plot.left, left)}px`;
    this.node.style.top = `${Math.max(0, Math.min(plot.top + 8, lowest))}px`;
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
