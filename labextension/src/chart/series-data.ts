/** One series as columns of numbers, sorted by x, with statistics of its values. */

import { runLabel, stepLabel } from '../format';
import type { Point, Series } from '../protocol';
import { toNumber } from './number-format';

export type XAxis = 'step' | 'time' | 'index';

/** A column of numbers that grows. */
export class Column {
  data = new Float64Array(64);
  length = 0;

  push(value: number): void {
    if (this.length === this.data.length) {
      const larger = new Float64Array(2 * this.length);
      larger.set(this.data);
      this.data = larger;
    }
    this.data[this.length] = value;
    this.length += 1;
  }

  at(n: number): number {
    return n < this.length ? (this.data[n] ?? NaN) : NaN;
  }

  clear(): void {
    this.length = 0;
  }
}

/** Points sorted by x; values may be NaN or infinite. */
export interface Curve {
  readonly xs: Column;
  readonly ys: Column;
}

export class SeriesData {
  readonly run: string;
  readonly runLabel: string;
  readonly step: string;
  readonly name: string;
  readonly key: string;
  hidden = false;
  min = NaN;
  max = NaN;
  /** Number of finite values, and of positive ones. */
  finite = 0;
  positive = 0;
  /** Number of points that have a step. */
  numbered = 0;

  constructor(series: Series) {
    this.run = series.run;
    this.runLabel = runLabel(series.run, series.title);
    this.step = stepLabel(series.step, series.index);
    this.name = series.name;
    this.key = keyOf(series);
  }

  get count(): number {
    return this.values.length;
  }

  get last(): number {
    return this.values.at(this.count - 1);
  }

  /** Seconds since the epoch of the earliest point, which need not be the first. */
  get begins(): number {
    return this.earliest;
  }

  append(points: readonly Point[]): void {
    for (const [time, step, logged] of points) {
      const value = toNumber(logged);
      const number = toNumber(step);
      this.times.push(time);
      this.steps.push(number);
      this.values.push(value);
      this.earliest = Math.min(this.earliest, time);
      this.numbered += Number.isFinite(number) ? 1 : 0;
      if (Number.isFinite(value)) {
        this.finite += 1;
        this.positive += value > 0 ? 1 : 0;
        this.min = value >= this.min ? this.min : value;
        this.max = value <= this.max ? this.max : value;
      }
    }
  }

  /** The axis to use: points without steps are shown by their order. */
  axis(asked: XAxis): XAxis {
    return asked === 'step' && this.numbered === 0 ? 'index' : asked;
  }

  /**
   * Returns the points sorted for an axis. Points are only added to the result of the last call,
   * because a long series grows several times a second.
   *
   * @param origin - the time at which the axis of time begins.
   */
  curve(asked: XAxis, origin: number): Curve {
    const axis = this.axis(asked);
    const made = this.made;
    if (made.axis !== axis || (axis === 'time' && made.origin !== origin)) {
      Object.assign(made, { axis, origin, read: 0, sorted: true });
      made.xs.clear();
      made.ys.clear();
    }
    const { xs, ys } = made;
    for (; made.read < this.count; made.read += 1) {
      const x = this.x(made.read, axis, origin);
      if (Number.isFinite(x)) {
        made.sorted &&= xs.length === 0 || x >= xs.at(xs.length - 1);
        xs.push(x);
        ys.push(this.values.at(made.read));
      }
    }
    if (!made.sorted) {
      sort(made);
      made.sorted = true;
    }
    return made;
  }

  private x(n: number, axis: XAxis, origin: number): number {
    switch (axis) {
      case 'step':
        return this.steps.at(n);
      case 'time':
        return this.times.at(n) - origin;
      case 'index':
        return n;
    }
  }

  private readonly times = new Column();
  private readonly steps = new Column();
  private readonly values = new Column();
  private earliest = Infinity;
  private readonly made = {
    xs: new Column(),
    ys: new Column(),
    axis: 'index' as XAxis,
    origin: 0,
    read: 0,
    sorted: true
  };
}

export function keyOf({ run, step, index, name }: Series): string {
  return JSON.stringify([run, step, index, name]);
}

/** Sorts by x; points of the same x stay in the order in which they were logged. */
function sort({ xs, ys }: Curve): void {
  const order = Array.from({ length: xs.length }, (_, n) => n);
  order.sort((a, b) => xs.at(a) - xs.at(b));
  const [x, y] = [order.map(n => xs.at(n)), order.map(n => ys.at(n))];
  xs.data.set(x);
  ys.data.set(y);
}
