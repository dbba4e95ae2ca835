/** Reads logged values and formats numbers. */

const WORDS: Readonly<Record<string, number>> = {
  inf: Infinity,
  infinity: Infinity,
  '-inf': -Infinity,
  '-infinity': -Infinity
};

/** Converts a logged value to a number; NaN if it is none. */
export function toNumber(value: unknown): number {
  if (typeof value === 'number') {
    return value;
  }
  if (typeof value !== 'string' || value.trim() === '') {
    return NaN;
  }
  return WORDS[value.trim().toLowerCase().replace(/^\+/, '')] ?? Number(value);
}

/** `0.0123457`, `1234`, `1.5e-7`: at most so many digits, without trailing zeros. */
export function number(value: number, digits = 6): string {
  if (Number.isNaN(value)) {
    return 'nan';
  }
  if (!Number.isFinite(value)) {
    return value > 0 ? 'inf' : '-inf';
  }
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) {
    return String(value);
  }
  if (size >= 1e9 || size < 1e-4) {
    return value.toExponential(digits - 1).replace(/\.?0+e/, 'e');
  }
  if (Math.round(size) >= 10 ** digits) {
    return value.toFixed(0);
  }
  const text = value.toPrecision(digits);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** Formats numbers with just enough digits to tell them apart. */
export function distinct(values: readonly number[]): string[] {
  const different = new Set(values).size;
  for (const digits of [6, 9, 12]) {
    const texts = values.map(value => number(value, digits));
    if (new Set(texts).size === different) {
      return texts;
    }
  }
  return values.map(value => number(value, 17));
}
