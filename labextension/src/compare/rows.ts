/** The rows of a comparison: one for each property, with a cell for each run. */

import { distinct, toNumber } from '../chart/number-format';
import type { Context } from '../context';
import { clock, duration, plain } from '../format';
import type { ComparedRun, Json, StepStatus } from '../protocol';
import { word } from '../status';

export interface Cell {
  readonly text: string;
  /** Whether to align the cells as numbers. */
  readonly number: boolean;
  /** The status whose glyph is shown before the text. */
  readonly status: string | null;
  /** Whether the value differs from the first run's. */
  readonly differs: boolean;
}

export interface Row {
  readonly name: string;
  readonly cells: readonly Cell[];
  readonly differs: boolean;
  /** Whether the row identifies the run, and is shown even if only differences are. */
  readonly always?: boolean;
}

export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
}

interface Value {
  readonly text: string;
  readonly number?: boolean;
  readonly status?: string;
}

type Same<T> = (a: T, b: T) => boolean;

export function sections(
  runs: readonly ComparedRun[],
  context: Context
): Section[] {
  const { trans } = context;
  const all: Section[] = [
    { title: trans('Run'), rows: facts(runs, context) },
    {
      title: trans('Parameters'),
      rows: values(runs.map(run => run.parameters))
    },
    {
      title: trans('Metrics (last value)'),
      rows: values(runs.map(run => run.metrics))
    },
    { title: trans('Steps'), rows: steps(runs, context) }
  ];
  // What differs comes first; the sort is stable, so otherwise the order stays.
  return all
    .filter(({ rows }) => rows.length > 0)
    .map(({ title, rows }) => ({
      title,
      rows: [...rows].sort((a, b) => Number(b.differs) - Number(a.differs))
    }));
}

function facts(runs: readonly ComparedRun[], context: Context): Row[] {
  const { trans } = context;
  return [
    row(
      trans('Status'),
      runs.map(run => run.status),
      status => ({ text: word(status, context), status })
    ),
    // The start always differs, so it is not marked.
    {
      ...row(
        trans('Started'),
        runs.map(run => run.created),
        created => ({ text: clock(created) }),
        () => true
      ),
      always: true
    },
    row(
      trans('Duration'),
      runs.map(run => run.duration),
      seconds => time(seconds),
      similar
    )
  ];
}

function values(runs: readonly { readonly [name: string]: Json }[]): Row[] {
  return names(runs).map(name => {
    const compared = runs.map(run =>
      Object.hasOwn(run, name) ? run[name] : undefined
    );
    const numbers = compared.map(value =>
      isNumber(value) ? toNumber(value) : NaN
    );
    const texts = distinct(numbers);
    const shown = compared.map((value, n): Value | null =>
      value === undefined
        ? null
        : isNumber(value)
          ? { text: texts[n] ?? plain(value), number: true }
          : { text: plain(value) }
    );
    return row(
      name,
      compared.map((value, n) => ({ value, shown: shown[n] ?? null })),
      ({ shown: one }) => one,
      (a, b) => same(a.value, b.value)
    );
  });
}

function steps(runs: readonly ComparedRun[], context: Context): Row[] {
  return names(runs.map(run => run.steps)).map(name =>
    row(
      name,
      runs.map(run =>
        Object.hasOwn(run.steps, name) ? run.steps[name] : undefined
      ),
      step => step && stepValue(step.status, step.duration, context),
      (a, b) =>
        outcome(a?.status) === outcome(b?.status) &&
        // The duration of a cached step is that of another run.
        (a?.status === 'cached' ||
          b?.status === 'cached' ||
          similar(a?.duration ?? null, b?.duration ?? null))
    )
  );
}

/** A step that took its result from the cache has succeeded too. */
function outcome(status: StepStatus | undefined): StepStatus | undefined {
  return status === 'cached' ? 'succeeded' : status;
}

function stepValue(
  status: StepStatus,
  seconds: number | null,
  context: Context
): Value {
  const took =
    seconds !== null && status !== 'cached' ? ` · ${duration(seconds)}` : '';
  return { text: `${word(status, context)}${took}`, status };
}

function row<T>(
  name: string,
  values: readonly T[],
  read: (value: T) => Value | null | undefined,
  alike: Same<T> = Object.is
): Row {
  const first = values[0] as T;
  const cells = values.map((value): Cell => {
    const shown = read(value);
    return {
      text: shown?.text ?? '–',
      number: shown?.number ?? false,
      status: shown?.status ?? null,
      differs: !alike(first, value)
    };
  });
  return { name, cells, differs: cells.some(({ differs }) => differs) };
}

function time(seconds: number | null): Value | null {
  return seconds === null ? null : { text: duration(seconds), number: true };
}

/** Whether durations differ enough to be marked: by a second and by a quarter. */
function similar(a: number | null, b: number | null): boolean {
  if (a === null || b === null) {
    return a === b;
  }
  const [less, more] = [Math.min(a, b), Math.max(a, b)];
  return more - less < 1 || more < 1.25 * less;
}

function names(runs: readonly object[]): string[] {
  return [...new Set(runs.flatMap(run => Object.keys(run)))];
}

/** Whether a value is a number, or text for one without a JSON form ("nan"). */
function isNumber(value: Json | undefined): value is number | string {
  return (
    typeof value === 'number' ||
    (typeof value === 'string' && /^([+-]?inf|nan)$/.test(value))
  );
}

/** Whether two values are equal, in whatever order their keys are. */
function same(a: Json | undefined, b: Json | undefined): boolean {
  return a === b || ordered(a) === ordered(b);
}

function ordered(value: Json | undefined): string | undefined {
  return JSON.stringify(value, (_, inner: Json) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))
      : inner
  );
}
