/** Reduces a curve to the points that can be distinguished on the screen. */

import type { Range } from './scale';
import type { Column, Curve } from './series-data';

/** The points to draw; the line has a gap where y is NaN. */
export interface Stroke {
  readonly xs: number[];
  readonly ys: number[];
  /** The x of values that cannot be drawn; at most one for each column of pixels. */
  readonly odd: number[];
  /** Number of points in the range, before the reduction. */
  readonly count: number;
}

/** The first position whose number is at least x, in a sorted column. */
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

/** The position of the number nearest to x; -1 if the column is empty. */
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
 * Keeps the first, lowest, highest and last point of each column of pixels.
 *
 * @param columns - how many pixels wide the range is.
 * @param log - whether the axis is logarithmic, so that values up to zero cannot be drawn.
 */
export function decimate(
  { xs, ys }: Curve,
  [low, high]: Range,
  columns: number,
  log: boolean
): Stroke {
  const [inside, outside] = [firstFrom(xs, low), firstAfter(xs, high)];
  // One more point on either side, because lines continue beyond the edge.
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

/** Adds the points to draw of those from `n` up to `end`, which share a column of pixels. */
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

/** The lowest and highest y in the range; those of the neighbours if no point is in it. */
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

/** Whether a range contains a point, or a line crosses it. */
export function isSeen({ xs, ys }: Stroke, [low, high]: Range): boolean {
  return ys.some((y, n) => {
    const x = xs[n] ?? NaN;
    const next = Number.isNaN(ys[n + 1] ?? NaN) ? x : (xs[n + 1] ?? x);
    return !Number.isNaN(y) && x <= high && next >= low;
  });
}

/** The empty range, which every other range contains. */
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
