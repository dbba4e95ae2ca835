import { arrange } from '../src/chart/chart-layout';
import { decimate, isSeen, nearest, visibleRange } from '../src/chart/decimate';
import { look } from '../src/chart/line-style';
import { read, snapped, timeText } from '../src/chart/tooltip';
import { SeriesData } from '../src/chart/series-data';
import type { Point } from '../src/protocol';

function track(
  points: readonly Point[],
  { run = 'r', title = '', step = 's', index = '', name = 'loss' } = {}
): SeriesData {
  const made = new SeriesData({ run, title, step, index, name, points });
  made.append(points);
  return made;
}

const numbered = (...values: (number | string | null)[]): SeriesData =>
  track(values.map((value, n): Point => [1000 + n, n, value]));

const xs = (made: SeriesData, axis: 'step' | 'time' | 'index'): number[] => {
  const column = made.curve(axis, 1000).xs;
  return [...column.data.slice(0, column.length)];
};

describe('a series', () => {
  it('of an instance is named by its index and is a series of its own', () => {
    const [step, instance] = [track([]), track([], { index: '3' })];
    expect([step.step, instance.step]).toEqual(['s', 's[3]']);
    expect(instance.key).not.toBe(step.key);
  });

  it('has an x for each axis', () => {
    const made = track([
      [1000, 10, 1],
      [1002, 20, 2]
    ]);
    expect(xs(made, 'step')).toEqual([10, 20]);
    expect(xs(made, 'time')).toEqual([0, 2]);
    expect(xs(made, 'index')).toEqual([0, 1]);
  });

  it('is shown by its order if its points have no steps', () => {
    const made = track([
      [1000, null, 1],
      [1002, null, 2]
    ]);
    expect([made.axis('step'), xs(made, 'step')]).toEqual(['index', [0, 1]]);
    made.append([[1003, 7, 3]]);
    expect([made.axis('step'), xs(made, 'step')]).toEqual(['step', [7]]);
  });

  it('is sorted by x, and keeps the order of equal ones', () => {
    const made = track([
      [1000, 2, 1],
      [1001, 0, 2],
      [1002, 2, 3]
    ]);
    const { xs: x, ys } = made.curve('step', 0);
    expect([0, 1, 2].map(n => [x.at(n), ys.at(n)])).toEqual([
      [0, 2],
      [2, 1],
      [2, 3]
    ]);
    made.append([[1003, 1, 4]]);
    expect(xs(made, 'step')).toEqual([0, 1, 2, 2]);
  });

  it('grows without sorting all points again', () => {
    const made = numbered(...Array.from({ length: 500 }, (_, n) => n));
    const { xs: before } = made.curve('step', 0);
    made.append([[2000, 500, 1]]);
    expect(made.curve('step', 0).xs).toBe(before);
    expect([before.length, before.at(500)]).toEqual([501, 500]);
  });

  it('has its lowest, highest and last value', () => {
    const made = numbered(3, 'nan', -1, null, 'inf', 2);
    expect([made.min, made.max, made.last]).toEqual([-1, 3, 2]);
    expect([made.count, made.finite, made.positive]).toEqual([6, 3, 2]);
  });
});

describe('the drawn points of a series', () => {
  const drawn = (
    made: SeriesData,
    range: [number, number],
    columns = 100,
    log = false
  ) => decimate(made.curve('step', 0), range, columns, log);

  it('are all points if there is room', () => {
    const { xs: x, ys, count } = drawn(numbered(5, 6, 7), [0, 2]);
    expect([x, ys, count]).toEqual([[0, 1, 2], [5, 6, 7], 3]);
  });

  it('have a gap and a mark where a value is not a number', () => {
    const { ys, odd } = drawn(numbered(5, 'nan', 7, 'inf', null), [0, 4]);
    expect(ys).toEqual([5, NaN, 7, NaN, NaN]);
    expect(odd).toEqual([1, 3, 4]);
  });

  it('have a gap and a mark where there is no logarithm', () => {
    const made = numbered(5, 0, -7, 8);
    expect(drawn(made, [0, 3]).odd).toEqual([]);
    const { ys, odd } = drawn(made, [0, 3], 100, true);
    expect([ys, odd]).toEqual([
      [5, NaN, NaN, 8],
      [1, 2]
    ]);
  });

  it('include one point beyond each edge', () => {
    const made = numbered(0, 10, 20, 30, 40, 50);
    expect(drawn(made, [1.5, 3.5]).xs).toEqual([1, 2, 3, 4]);
    expect(drawn(made, [1.2, 1.4]).xs).toEqual([1, 2]);
    expect(drawn(made, [9, 12]).xs).toEqual([5]);
  });

  it('include the first, lowest, highest and last of each column of 100,000 points', () => {
    const made = numbered(
      ...Array.from({ length: 100_000 }, (_, n) =>
        n === 54_321 ? 99 : n === 12_345 ? -99 : Math.sin(n)
      )
    );
    const stroke = drawn(made, [0, 99_999], 500);
    expect(stroke.count).toBe(100_000);
    expect(stroke.xs.length).toBeLessThanOrEqual(4 * 501);
    expect(stroke.xs.length).toBeGreaterThan(3 * 500);
    expect(stroke.xs[stroke.ys.indexOf(99)]).toBe(54_321);
    expect(stroke.xs[stroke.ys.indexOf(-99)]).toBe(12_345);
    expect([stroke.xs[0], stroke.xs.at(-1)]).toEqual([0, 99_999]);
    expect([...stroke.xs].sort((a, b) => a - b)).toEqual(stroke.xs);
    expect(visibleRange(stroke, [0, 99_999])).toEqual([-99, 99]);
  });

  it('have a mark for one value of 100,000 that is not a number', () => {
    const values = Array.from({ length: 100_000 }, (_, n) =>
      n === 777 ? 'nan' : 1
    );
    expect(drawn(numbered(...values), [0, 99_999], 500).odd).toEqual([777]);
  });

  it('take time only for the visible range', () => {
    const made = numbered(...Array.from({ length: 100_000 }, (_, n) => n));
    const curve = made.curve('step', 0);
    const at = jest.spyOn(curve.ys, 'at');
    decimate(curve, [50_000, 50_010], 500, false);
    expect(at.mock.calls.length).toBeLessThan(100);
  });

  it('have the range of the visible values', () => {
    const made = numbered(100, 1, 2, 100);
    expect(visibleRange(drawn(made, [1, 2]), [1, 2])).toEqual([1, 2]);
    expect(visibleRange(drawn(made, [0.2, 0.4]), [0.2, 0.4])).toEqual([1, 100]);
  });

  it('are visible where a point is or a line crosses', () => {
    const seen = (made: SeriesData, range: [number, number]): boolean =>
      isSeen(drawn(made, range), range);
    expect(seen(numbered(1, 2), [0.2, 0.4])).toBe(true);
    expect(seen(numbered(1, 'nan'), [0.2, 0.4])).toBe(false);
    expect(seen(numbered(1), [0.2, 0.4])).toBe(false);
    expect(seen(numbered(1), [0, 0.4])).toBe(true);
  });
});

describe('the value of a series at an x', () => {
  const made = track([
    [0, 0, 1],
    [0, 10, 2],
    [0, 20, 'nan']
  ]);
  const curve = made.curve('step', 0);

  it('is the value of the nearest point', () => {
    expect([-5, 4, 5, 6, 99].map(x => nearest(curve.xs, x))).toEqual([
      0, 0, 0, 1, 2
    ]);
    expect(nearest(numbered().curve('step', 0).xs, 1)).toBe(-1);
    expect(read(curve, 10)).toEqual({ value: 2, x: null });
    expect(read(curve, 12)).toEqual({ value: 2, x: 10 });
    expect(read(curve, 20)).toEqual({ value: NaN, x: null });
  });

  it('is missing beyond its ends', () => {
    expect(read(curve, 21)).toEqual({ value: null, x: null });
    expect(read(curve, -1)).toEqual({ value: null, x: null });
  });

  it('is read at the x of a point of some series', () => {
    const other = track([[0, 14, 1]]).curve('step', 0);
    expect(snapped([curve, other], 13)).toBe(14);
    expect(snapped([], 13)).toBeNull();
  });

  it('has its time in words', () => {
    expect([0.25, 42, 125].map(timeText)).toEqual([
      '0.25 s',
      '42 s',
      '2 min 05 s'
    ]);
  });
});

describe('series in plots', () => {
  const of = (run: string, step: string, name: string): SeriesData =>
    track([[0, 0, 1]], { run, step, name });

  it('have the names that people gave the runs', () => {
    const named = ['slow', 'slow', ''].map((title, n) =>
      track([[0, 0, 1]], { run: `2026-loss-00a${n}`, title })
    );
    const { groups, runs } = arrange(named);
    const labels = ['slow · 00a0', 'slow · 00a1', '2026-loss-00a2'];
    expect(groups[0]?.entries.map(({ label }) => label)).toEqual(labels);
    expect(runs.map(([entry]) => entry?.label)).toEqual(labels);
  });

  it('are grouped by metric', () => {
    const { groups } = arrange([
      of('a', 'train', 'loss'),
      of('a', 'train', 'accuracy'),
      of('b', 'train', 'loss')
    ]);
    expect(groups.map(({ name, entries }) => [name, entries.length])).toEqual([
      ['loss', 2],
      ['accuracy', 1]
    ]);
  });

  it('have one colour and dash for each run', () => {
    const { groups, runs } = arrange([
      of('a', 'train', 'loss'),
      of('b', 'train', 'loss'),
      of('b', 'train', 'accuracy')
    ]);
    const [a, b] = groups[0]!.entries;
    expect(a!.look.color).not.toBe(b!.look.color);
    expect(a!.look.dash).not.toEqual(b!.look.dash);
    expect(a!.look.shape).not.toBe(b!.look.shape);
    expect(groups[1]!.entries[0]!.look).toEqual(b!.look);
    expect(runs.map(group => [group[0]!.label, group.length])).toEqual([
      ['a', 1],
      ['b', 2]
    ]);
  });

  it('have the same looks in whatever order runs arrive', () => {
    const looks = (...order: string[]): unknown =>
      arrange(order.map(run => of(run, 'train', 'loss'))).groups.map(group =>
        group.entries.map(({ label, look: one }) => [label, one])
      );
    expect(looks('b', 'a')).toEqual(looks('a', 'b'));
  });

  it('have separate looks if several steps log the same metric', () => {
    const { entries } = arrange([
      of('a', 'fit', 'loss'),
      of('a', 'tune', 'loss'),
      of('b', 'fit', 'loss'),
      of('b', 'tune', 'loss')
    ]).groups[0]!;
    expect(new Set(entries.map(entry => JSON.stringify(entry.look))).size).toBe(
      4
    );
    expect(entries.map(({ label }) => label)).toEqual([
      'a · fit',
      'a · tune',
      'b · fit',
      'b · tune'
    ]);
  });

  it('zoom together if a step logs both', () => {
    const { groups } = arrange([
      of('a', 'train', 'loss'),
      of('a', 'check', 'folds'),
      of('a', 'train', 'accuracy'),
      of('a', 'tune', 'accuracy'),
      of('a', 'tune', 'depth')
    ]);
    const windows = new Map(groups.map(({ name, window }) => [name, window]));
    expect(windows.get('accuracy')).toBe(windows.get('loss'));
    expect(windows.get('depth')).toBe(windows.get('loss'));
    expect(windows.get('folds')).not.toBe(windows.get('loss'));
  });

  it('have forty different looks', () => {
    const looks = Array.from({ length: 40 }, (_, n) => JSON.stringify(look(n)));
    expect(new Set(looks).size).toBe(40);
  });
});
