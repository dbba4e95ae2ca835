/** Maps values to pixels and chooses the numbers at an axis. */

export type Range = readonly [low: number, high: number];

/** Returns a function that maps one range to another linearly. */
export function linear(from: Range, to: Range): (value: number) => number {
  const factor = (to[1] - to[0]) / (from[1] - from[0]);
  return value => to[0] + (value - from[0]) * factor;
}

/** The same for a logarithmic axis: equal factors become equal distances. */
export function logarithmic(from: Range, to: Range): (value: number) => number {
  const scale = linear([Math.log10(from[0]), Math.log10(from[1])], to);
  return value => scale(Math.log10(value));
}

/** Returns a range around values with a margin, also if all values are equal. */
export function roomy([low, high]: Range, log: boolean): Range {
  if (!(low <= high)) {
    return log ? [0.1, 1] : [0, 1];
  }
  if (log) {
    const air = low === high ? 2 : (high / low) ** 0.05;
    // Both ends have to stay in the range of floating-point numbers.
    return [
      Math.max(low / air, Number.MIN_VALUE),
      Math.min(high * air, Number.MAX_VALUE)
    ];
  }
  const air = low === high ? Math.abs(low) * 0.1 || 1 : (high - low) * 0.05;
  return Number.isFinite(air) ? [low - air, high + air] : [low, high];
}

/** Extends a range so that its ends are ticks: the top of the plot then has a number. */
export function throughTicks(range: Range, count: number): Range {
  let reached = range;
  // A longer range may have fewer ticks, so that it has to be extended once more.
  for (let again = 0; again < 3; again += 1) {
    const by = step((reached[1] - reached[0]) / Math.max(1, count));
    const [low, high] = [
      Math.floor(reached[0] / by + 1e-9) * by,
      Math.ceil(reached[1] / by - 1e-9) * by
    ];
    if (!(by > 0) || !Number.isFinite(high - low) || low >= high) {
      return reached;
    }
    reached = [low, high];
  }
  return reached;
}

/** Returns round numbers in a range: multiples of 1, 2 or 5 times a power of ten. */
export function ticks([low, high]: Range, count: number): number[] {
  return multiples([low, high], step((high - low) / Math.max(1, count)));
}

const CLOCK = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600,
  43_200, 86_400
];

/** Returns round times in a range, in seconds, minutes or hours. */
export function timeTicks([low, high]: Range, count: number): number[] {
  const wanted = (high - low) / Math.max(1, count);
  const day = 86_400;
  return multiples(
    [low, high],
    wanted < 1
      ? step(wanted)
      : (CLOCK.find(one => one >= wanted) ?? step(wanted / day) * day)
  );
}

/** Returns the powers of ten in a range, and numbers between them if those are too few. */
export function logTicks([low, high]: Range, count: number): number[] {
  const [first, last] = [
    Math.ceil(Math.log10(low) - 1e-9),
    Math.floor(Math.log10(high) + 1e-9)
  ];
  const every = Math.max(1, Math.ceil((last - first + 1) / Math.max(1, count)));
  const powers: number[] = [];
  for (let power = first; power <= last; power += every) {
    powers.push(Number(`1e${power}`));
  }
  if (powers.length > 2) {
    return powers;
  }
  const between: number[] = [];
  for (let power = first - 1; power <= last; power += 1) {
    for (const digit of [1, 2, 5]) {
      const tick = Number(`${digit}e${power}`);
      if (tick >= low && tick <= high) {
        between.push(tick);
      }
    }
  }
  return between.length > 1 ? between : ticks([low, high], count);
}

function step(wanted: number): number {
  if (!(wanted > 0) || !Number.isFinite(wanted)) {
    return 0;
  }
  const power = Math.floor(Math.log10(wanted) + 1e-9);
  const unit = Number(`1e${power}`);
  const factor = [1, 2, 5, 10].find(one => one * unit >= wanted * (1 - 1e-9));
  return (factor ?? 10) * unit;
}

function multiples([low, high]: Range, by: number): number[] {
  const values: number[] = [];
  if (by > 0) {
    const [first, last] = [
      Math.ceil(low / by - 1e-9),
      Math.floor(high / by + 1e-9)
    ];
    for (let n = first; n <= last && values.length < 100; n += 1) {
      // Rounds to twelve digits, because 3 * 0.1 is not exactly 0.3.
      values.push(Number((n * by).toPrecision(12)));
    }
  }
  return values;
}
