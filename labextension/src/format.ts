/** Formats numbers, times and names. */

import type { Json } from './protocol';

/** Writes characters that are invisible, or that reverse the text around them, as escapes. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu, character => {
    const code = character.codePointAt(0) ?? 0;
    if (code === JOINER) {
      return character;
    }
    const named = NAMED[character];
    return (
      named ?? (code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`)
    );
  });
}

/** `fit` for a step, `fit[3]` for one of its instances. */
export function stepLabel(step: string, index: string): string {
  return index === '' ? step : `${step}[${index}]`;
}

/** The name that a person gave the run, or its id. */
export function runLabel(id: string, title: string): string {
  // Several runs may have the same name; the ends of their ids differ.
  return title === ''
    ? visible(id)
    : `${visible(title)} · ${visible(id.slice(-4))}`;
}

/** Zero-width joiner, which combines emoji. */
const JOINER = 0x200d;
const NAMED: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t'
};

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}

/** `0.42 s`, `7.3 s`, `48 s`, `3 min 05 s`, `2 h 07 min`, `3 d 4 h`. */
export function duration(seconds: number): string {
  if (seconds < 9.95) {
    return `${seconds.toFixed(seconds < 0.995 ? 2 : 1)} s`;
  }
  const whole = Math.round(seconds);
  if (whole < 60) {
    return `${whole} s`;
  }
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  }
  const minutes = Math.floor(whole / 60);
  if (minutes < 24 * 60) {
    return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  }
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** `10m`, `1h30m`, `1m30s` for 90 seconds: the form that the options of a step have. */
export function span(seconds: number): string {
  let rest = seconds;
  const parts = UNITS.map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count > 0 ? `${count}${unit}` : '';
  });
  const tail = Number(rest.toFixed(3));
  const whole = parts.join('');
  return tail > 0 || whole === '' ? `${whole}${tail}s` : whole;
}

const UNITS = [
  ['d', 86400],
  ['h', 3600],
  ['m', 60]
] as const;

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** `512 B`, `1.4 MB`. */
export function bytes(size: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = size;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toPrecision(2)} ${units[unit] ?? ''}`;
}

/** Time of day in the reader's locale, with the date unless it is today. */
export function clock(seconds: number): string {
  const moment = new Date(seconds * 1000);
  const today = moment.toDateString() === new Date().toDateString();
  return today ? moment.toLocaleTimeString() : moment.toLocaleString();
}

/** Any JSON value on one line. */
export function plain(value: Json): string {
  return visible(typeof value === 'string' ? value : JSON.stringify(value));
}
