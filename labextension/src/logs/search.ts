/** Finding text in a log, a little at a time, so that the page stays alive in a million lines. */

import type { Lines } from './lines';

/** Milliseconds of searching, and lines between two looks at the clock. */
const SLICE = 12;
const STRIDE = 512;

export interface Hit {
  readonly line: number;
  /** Which one in its line. */
  readonly nth: number;
}

export class Search {
  /** More was found, or all lines were looked at. */
  onProgress: () => void = () => undefined;

  constructor(private readonly lines: Lines) {}

  get query(): string {
    return this.wanted;
  }

  /** Whether all lines were looked at. */
  get done(): boolean {
    return this.pattern === null || this.seen >= this.lines.ended;
  }

  /** How often it was found, so far. */
  get count(): number {
    return this.total + this.openSpans().length;
  }

  /** Looks for something else; nothing is found until `go`. */
  set(query: string, matchCase: boolean): void {
    this.wanted = query;
    const literal = query.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
    this.pattern = query ? new RegExp(literal, matchCase ? 'g' : 'gi') : null;
    this.restart();
  }

  /** The lines are others now. */
  restart(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.seen = this.lines.first;
    this.matchingLines = [];
    this.before = [];
    this.total = 0;
    this.lost = 0;
    this.go();
  }

  /** Goes on with the lines that were not looked at. */
  go(): void {
    if (this.timer !== undefined) {
      return;
    }
    this.forget();
    const until = performance.now() + SLICE;
    while (!this.done && performance.now() < until) {
      const end = Math.min(this.lines.ended, this.seen + STRIDE);
      for (; this.seen < end; this.seen += 1) {
        this.look(this.seen);
      }
    }
    if (!this.done) {
      this.timer = setTimeout(() => {
        this.timer = undefined;
        this.go();
        this.onProgress();
      });
    }
  }

  /** Where it stands in a line. */
  spans(line: number): [start: number, end: number][] {
    const { pattern } = this;
    if (!pattern) {
      return [];
    }
    return [...this.lines.text(line).matchAll(pattern)].map(match => [
      match.index,
      match.index + match[0].length
    ]);
  }

  /** One of those that were found, counted from 0. */
  hit(index: number): Hit | null {
    if (index < 0 || index >= this.count) {
      return null;
    }
    if (index >= this.total) {
      return { line: this.lines.ended, nth: index - this.total };
    }
    const at = firstBeyond(this.before, index + this.lost) - 1;
    return {
      line: this.matchingLines[at] ?? 0,
      nth: index + this.lost - (this.before[at] ?? 0)
    };
  }

  /** Which one of all it is now; null if its line was let go, or is another. */
  indexOf({ line, nth }: Hit): number | null {
    if (line === this.lines.ended) {
      return nth < this.openSpans().length ? this.total + nth : null;
    }
    const at = firstBeyond(this.matchingLines, line) - 1;
    return this.matchingLines[at] === line
      ? (this.before[at] ?? 0) - this.lost + nth
      : null;
  }

  /** The first one at or after a line, counted from 0; the very first if there is none. */
  from(line: number): number | null {
    if (this.count === 0) {
      return null;
    }
    const at = firstBeyond(this.matchingLines, line - 1);
    const before = this.before[at];
    const index = before === undefined ? this.total : before - this.lost;
    return index < this.count ? index : 0;
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private look(line: number): void {
    const { pattern } = this;
    const text = this.lines.text(line);
    if (!pattern || text.search(pattern) < 0) {
      return;
    }
    const count = this.spans(line).length;
    this.matchingLines.push(line);
    this.before.push(this.total + this.lost);
    this.total += count;
  }

  /** The line that has not ended is looked at each time: it may be another already. */
  private openSpans(): [number, number][] {
    const { ended, end } = this.lines;
    return this.done && end > ended ? this.spans(ended) : [];
  }

  /** What was found in lines that were let go since. */
  private forget(): void {
    const { first } = this.lines;
    this.seen = Math.max(this.seen, first);
    if ((this.matchingLines[0] ?? first) >= first) {
      return;
    }
    const count = firstBeyond(this.matchingLines, first - 1);
    const lost = this.before[count] ?? this.total + this.lost;
    this.total -= lost - this.lost;
    this.lost = lost;
    this.matchingLines = this.matchingLines.slice(count);
    this.before = this.before.slice(count);
  }

  private wanted = '';
  private pattern: RegExp | null = null;
  private seen = 0;
  /** The lines that have it, and how many were found before each (those let go included). */
  private matchingLines: number[] = [];
  private before: number[] = [];
  private total = 0;
  private lost = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
}

/** Where in a sorted list the first number beyond another one is. */
function firstBeyond(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) <= value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
