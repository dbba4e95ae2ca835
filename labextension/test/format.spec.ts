import { bytes, duration, span, stepLabel, visible } from '../src/format';

describe('visible', () => {
  it.each([
    ['träge 🎲', 'träge 🎲'],
    ['\u001b[31m', '\\x1b[31m'],
    ['a\nb', 'a\\nb'],
    ['\u202egnp.exe', '\\u202egnp.exe'],
    ['\u200bzero', '\\u200bzero'],
    ['👩‍🔬', '👩‍🔬'],
    ['\ud800', '\\ud800']
  ])('escapes invisible characters: %j', (text, expected) => {
    expect(visible(text)).toBe(expected);
  });
});

describe('duration', () => {
  it.each([
    [0.4242, '0.42 s'],
    [7.26, '7.3 s'],
    [9.97, '10 s'],
    [59.7, '1 min 00 s'],
    [185, '3 min 05 s'],
    [7620, '2 h 07 min'],
    [100 * 3600, '4 d 4 h']
  ])('%d seconds', (seconds, expected) => {
    expect(duration(seconds)).toBe(expected);
  });
});

describe('span', () => {
  it.each([
    [600, '10m'],
    [5400, '1h30m'],
    [90, '1m30s'],
    [86_400, '1d'],
    [0.5, '0.5s']
  ])('%d seconds', (seconds, expected) => {
    expect(span(seconds)).toBe(expected);
  });
});

describe('bytes', () => {
  it.each([
    [512, '512 B'],
    [80_000, '80 kB'],
    [1_430_000, '1.4 MB'],
    [999_600, '1.0 MB'],
    [3e15, '3000 TB']
  ])('%d', (size, expected) => {
    expect(bytes(size)).toBe(expected);
  });
});

describe('stepLabel', () => {
  it('names an instance by its step and index', () => {
    expect(stepLabel('fit', '')).toBe('fit');
    expect(stepLabel('fit', '3.1')).toBe('fit[3.1]');
  });
});
