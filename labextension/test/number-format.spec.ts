import { distinct, number, toNumber } from '../src/chart/number-format';
import {
  linear,
  logarithmic,
  logTicks,
  roomy,
  ticks,
  timeTicks
} from '../src/chart/scale';
import { Window } from '../src/chart/window';

describe('numbers', () => {
  it.each([
    [1, 1],
    ['nan', NaN],
    ['inf', Infinity],
    ['-inf', -Infinity],
    ['+Infinity', Infinity],
    ['2.5', 2.5],
    ['', NaN],
    ['<b>', NaN],
    [null, NaN],
    [undefined, NaN]
  ])('reads %j as %d', (logged, value) => {
    expect(toNumber(logged)).toBe(value);
  });

  it.each([
    [0, '0'],
    [0.1 + 0.2, '0.3'],
    [12345678, '12345678'],
    [1234.5, '1234.5'],
    [100.0000001, '100'],
    [1.5e-7, '1.5e-7'],
    [0.00012345678, '0.000123457'],
    [2e12, '2e+12'],
    [1234567.8, '1234568'],
    [999999.99, '1000000'],
    [100.5, '100.5'],
    [NaN, 'nan'],
    [-Infinity, '-inf']
  ])('writes %d as %s', (value, text) => {
    expect(number(value)).toBe(text);
  });

  it('have just enough digits to differ', () => {
    expect(distinct([0.123456789, 0.123456788, 0.5])).toEqual([
      '0.123456789',
      '0.123456788',
      '0.5'
    ]);
    expect(distinct([0.25, 0.25, NaN])).toEqual(['0.25', '0.25', 'nan']);
    expect(new Set(distinct([1, 1 + Number.EPSILON])).size).toBe(2);
  });
});

describe('scales', () => {
  it('map the ends to the ends, also upside down', () => {
    const y = linear([0, 10], [100, 0]);
    expect([y(0), y(5), y(10)]).toEqual([100, 50, 0]);
    const log = logarithmic([1, 100], [0, 10]);
    expect(log(10)).toBeCloseTo(5);
  });

  it('have round numbers without rounding errors', () => {
    expect(ticks([0, 1], 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(ticks([0.05, 0.35], 3)).toEqual([0.1, 0.2, 0.3]);
    expect(ticks([-3, 81], 4)).toEqual([0, 50]);
    expect(ticks([1, 1], 4)).toEqual([]);
    expect(ticks([0, Infinity], 4)).toEqual([]);
  });

  it('have round times in minutes and hours', () => {
    expect(timeTicks([0, 200], 4)).toEqual([0, 60, 120, 180]);
    expect(timeTicks([0, 7200], 2)).toEqual([0, 3600, 7200]);
    expect(timeTicks([0, 0.4], 2)).toEqual([0, 0.2, 0.4]);
    expect(timeTicks([0, 864_000], 2)).toEqual([0, 432_000, 864_000]);
  });

  it('have powers of ten on a logarithmic scale, and numbers between few of them', () => {
    expect(logTicks([0.001, 1000], 10)).toEqual([
      0.001, 0.01, 0.1, 1, 10, 100, 1000
    ]);
    expect(logTicks([1e-12, 1e12], 4).length).toBeLessThanOrEqual(5);
    expect(logTicks([0.04, 0.6], 4)).toEqual([0.05, 0.1, 0.2, 0.5]);
    expect(logTicks([0.91, 0.97], 3)).toEqual([0.92, 0.94, 0.96]);
  });

  it.each([
    [3, 3],
    [0, 0],
    [0, 1e-300],
    [-Number.MAX_VALUE, Number.MAX_VALUE],
    [Infinity, -Infinity]
  ])('make room around %d to %d', (low, high) => {
    const [from, to] = roomy([low, high], false);
    expect(from).toBeLessThan(to);
    expect(Number.isFinite(from) && Number.isFinite(to)).toBe(true);
  });

  it.each([
    [3, 3],
    [5e-324, 1],
    [1, Number.MAX_VALUE],
    [Infinity, -Infinity]
  ])('make room around %d to %d on a logarithmic scale', (low, high) => {
    const [from, to] = roomy([low, high], true);
    expect(from).toBeGreaterThan(0);
    expect(from).toBeLessThan(to);
    expect(Number.isFinite(to)).toBe(true);
  });
});

describe('the visible range of an axis', () => {
  const over = (low: number, high: number): Window => {
    const made = new Window();
    made.setFull([low, high]);
    return made;
  };

  it('is everything at first, and grows', () => {
    const window = over(0, 10);
    window.setFull([0, 20]);
    expect([window.range, window.zoomed]).toEqual([[0, 20], false]);
  });

  it('stays when points are added after a zoom', () => {
    const window = over(0, 10);
    window.show([2, 4]);
    window.setFull([0, 1000]);
    expect(window.range).toEqual([2, 4]);
  });

  it('never leaves the data', () => {
    const window = over(0, 10);
    window.show([-5, 3]);
    expect(window.range).toEqual([0, 8]);
    window.show([2, 4]);
    window.pan(100);
    expect(window.range).toEqual([8, 10]);
    window.pan(-100);
    expect(window.range).toEqual([0, 2]);
    window.zoom(50);
    expect(window.zoomed).toBe(false);
  });

  it('zooms around the pointer', () => {
    const window = over(0, 100);
    window.zoom(0.5, 20);
    expect(window.range).toEqual([10, 60]);
  });

  it('is limited by the precision of numbers', () => {
    const window = over(0, 100);
    for (let n = 0; n < 200; n += 1) {
      window.zoom(0.5);
    }
    const [low, high] = window.range;
    expect(high - low).toBeGreaterThan(1e-6);
  });

  it('has a width even if there is only one x, or none', () => {
    expect(over(7, 7).range).toEqual([6.5, 7.5]);
    expect(over(Infinity, -Infinity).range).toEqual([0, 1]);
  });
});
