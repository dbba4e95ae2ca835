/** Creates the elements of a line, with its colours and the matches of a search. */

import { h } from '../dom';
import { dress } from './colors';
import { runsOf, textOf, type Line } from './terminal-line';
import { PLAIN, type Style } from './style';

/** Matches to mark, as pairs of start and end; `current` is the start of the selected one. */
export interface Marks {
  readonly spans: readonly (readonly [start: number, end: number])[];
  readonly current: number | null;
}

const NONE: Marks = { spans: [], current: null };

/** Creates the nodes of a part of a line. */
export function paint(
  line: Line,
  { spans, current }: Marks = NONE,
  from = 0,
  to = textOf(line).length
): Node[] {
  const text = textOf(line);
  const nodes: Node[] = [];
  const put = (start: number, end: number): void => {
    for (const [at, until, style] of pieces(line, start, end)) {
      nodes.push(written(text.slice(at, until), style));
    }
  };
  let at = from;
  for (const [start, end] of spans) {
    const [begin, until] = [Math.max(start, at), Math.min(end, to)];
    if (begin >= until) {
      continue;
    }
    put(at, begin);
    const mark = h('mark', {
      class: 'kfnb-log-hit',
      'aria-current': start === current && 'true'
    });
    for (const [piece, stop, style] of pieces(line, begin, until)) {
      mark.append(written(text.slice(piece, stop), weight(style)));
    }
    nodes.push(mark);
    at = until;
  }
  put(at, to);
  return nodes;
}

/** Omits the colours of the text, which would be unreadable on those of a mark. */
function weight(style: Style): Style {
  return { ...style, color: null, background: null, inverse: false };
}

function written(text: string, style: Style): Node {
  if (style === PLAIN) {
    return document.createTextNode(text);
  }
  const span = h('span', {}, text);
  dress(span, style);
  return span;
}

/** Splits a part into pieces of one style. */
function* pieces(
  line: Line,
  start: number,
  end: number
): Generator<readonly [start: number, end: number, style: Style]> {
  const runs = runsOf(line);
  let next = firstAfter(runs, start);
  let at = start;
  while (at < end) {
    const until = Math.min(end, runs[next]?.start ?? end);
    if (until > at) {
      yield [at, until, runs[next - 1]?.style ?? PLAIN];
    }
    at = until;
    next += 1;
  }
}

/** Finds the first style that begins later, by bisection because long lines have many. */
function firstAfter(
  runs: readonly { readonly start: number }[],
  at: number
): number {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((runs[middle]?.start ?? 0) <= at) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
