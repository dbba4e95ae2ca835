/** Of 100,000 points, those that can be told apart on a screen: nothing seen is left out. */

import type { Range } from './scale';
import type { Column, Curve } from './series-data';

/** What is drawn of a curve. NaN among the ys: the line is broken there. */
export interface Stroke {
  readonly xs: number[];
  readonly ys: number[];
  /** Where values are that cannot be drawn; at most one for each column of pixels. */
  readonly odd: number[];
  /** Points within the range, before any was left out. */
  readonly count: number;
}

/** The first position whose number is not below x, in a column that rises. */
export function firstFrom(column: Column, x: number): number {
  let [low, high] = [0, column.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (column.at(middle) < x) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/** The position whose number is the nearest to x; -1 in an empty column. */
export function nearest(column: Column, x: number): number {
  const after = firstFrom(column, x);
  const before = after - 1;
  if (after === column.length) {
    return before;
  }
  return before >= 0 && x - column.at(before) <= column.at(after) - x
    ? before
    : after;
}

/**
 * Thins a curve out: the first, lowest, highest and last point of each column of pixels.
 *
 * @param columns - how many pixels wide the range is.
 * @param log - values of zero or below cannot be drawn either.
 */
export function decimate(
  { xs, ys }: Curve,
  [low, high]: Range,
  columns: number,
  log: boolean
): Stroke {
  const [inside, outside] = [firstFrom(xs, low), firstAfter(xs, high)];
  // One more at either side: lines go on beyond the edge.
  const [from, to] = [
    Math.max(0, inside - 1),
    Math.min(xs.length, outside + 1)
  ];
  const stroke: Stroke = { xs: [], ys: [], odd: [], count: outside - inside };
  const wide = Math.max(1, Math.floor(columns));
  const perColumn = to - from > 4 * wide;
  const factor = wide / (high - low);
  let n = from;
  while (n < to) {
    let end = n + 1;
    if (perColumn) {
      const column = Math.floor((xs.at(n) - low) * factor);
      while (end < to && Math.floor((xs.at(end) - low) * factor) === column) {
        end += 1;
      }
    }
    thin(xs, ys, n, end, log, stroke);
    n = end;
  }
  return stroke;
}

/** Adds what is seen of the points from `n` up to `end`, which share a column of pixels. */
function thin(
  xs: Column,
  ys: Column,
  n: number,
  end: number,
  log: boolean,
  stroke: Stroke
): void {
  let [first, last, lowest, highest, odd] = [-1, -1, -1, -1, -1];
  for (; n < end; n += 1) {
    const y = ys.at(n);
    if (!Number.isFinite(y) || (log && y <= 0)) {
      odd = n;
      continue;
    }
    if (first < 0) {
      first = lowest = highest = n;
    } else if (y < ys.at(lowest)) {
      lowest = n;
    } else if (y > ys.at(highest)) {
      highest = n;
    }
    last = n;
  }
  if (odd >= 0) {
    stroke.odd.push(xs.at(odd));
  }
  if (first < 0) {
    stroke.xs.push(xs.at(odd));
    stroke.ys.push(NaN);
    return;
  }
  const [one, other] = lowest < highest ? [lowest, highest] : [highest, lowest];
  let before = -1;
  for (const point of [first, one, other, last]) {
    if (point !== before) {
      stroke.xs.push(xs.at(point));
      stroke.ys.push(ys.at(point));
    }
    before = point;
  }
}

/** The lowest and highest y that is seen; of the neighbours, where nothing lies within. */
export function visibleRange({ xs, ys }: Stroke, [low, high]: Range): Range {
  let [within, all]: [Range, Range] = [NOTHING, NOTHING];
  ys.forEach((y, n) => {
    const x = xs[n] ?? NaN;
    if (!Number.isNaN(y)) {
      all = [Math.min(all[0], y), Math.max(all[1], y)];
      if (x >= low && x <= high) {
        within = [Math.min(within[0], y), Math.max(within[1], y)];
      }
    }
  });
  return within[0] <= within[1] ? within : all;
}

/** Whether there is a point within a range, or a line that goes through it. */
export function isSeen({ xs, ys }: Stroke, [low, high]: Range): boolean {
  return ys.some((y, n) => {
    const x = xs[n] ?? NaN;
    const next = Number.isNaN(ys[n + 1] ?? NaN) ? x : (xs[n + 1] ?? x);
    return !Number.isNaN(y) && x <= high && next >= low;
  });
}

/** The range that holds no number; every other one holds it. */
export const NOTHING: Range = [Infinity, -Infinity];

export function union(a: Range, b: Range): Range {
  return [Math.min(a[0], b[0]), Math.max(a[1], b[1])];
}

function firstAfter(column: Column, x: number): number {
  let index = firstFrom(column, x);
  while (index < column.length && column.at(index) === x) {
    index += 1;
  }
  return index;
}
