/** Searches a log in small steps, so that a million lines do not block the page. */

import type { Lines } from './lines';

/** Milliseconds of a search step, and lines between two checks of the clock. */
const SLICE = 12;
const STRIDE = 512;

export interface Hit {
  readonly line: number;
  /** Number of the match in its line. */
  readonly nth: number;
}

export class Search {
  /** Called when more was found or the search is complete. */
  onProgress: () => void = () => undefined;

  constructor(private readonly lines: Lines) {}

  get query(): string {
    return this.wanted;
  }

  /** Whether all lines have been searched. */
  get done(): boolean {
    return this.pattern === null || this.seen >= this.lines.ended;
  }

  /** Number of matches so far. */
  get count(): number {
    return this.total + this.openSpans().length;
  }

  /** Sets the text to find; `go` starts the search. */
  set(query: string, matchCase: boolean): void {
    this.wanted = query;
    const literal = query.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
    this.pattern = query ? new RegExp(literal, matchCase ? 'g' : 'gi') : null;
    this.restart();
  }

  /** Starts over because the lines were replaced. */
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

  /** Searches the remaining lines. */
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

  /** Returns the positions of the matches in a line. */
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

  /** Returns a match by its number, from 0. */
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

  /** Returns the number of a match; null if its line was removed or replaced. */
  indexOf({ line, nth }: Hit): number | null {
    if (line === this.lines.ended) {
      return nth < this.openSpans().length ? this.total + nth : null;
    }
    const at = firstBeyond(this.matchingLines, line) - 1;
    return this.matchingLines[at] === line
      ? (this.before[at] ?? 0) - this.lost + nth
      : null;
  }

  /** Returns the number of the first match at or after a line, or else of the first one. */
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

  /** Searches the unfinished line again each time, because it changes. */
  private openSpans(): [number, number][] {
    const { ended, end } = this.lines;
    return this.done && end > ended ? this.spans(ended) : [];
  }

  /** Drops the matches in removed lines: of a long log, only the newest lines are kept. */
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
  /** The number of the first line that has not been searched yet. */
  private seen = 0;
  /** The numbers of the lines with matches, sorted. */
  private matchingLines: number[] = [];
  /**
   * For each of these lines, the number of matches in the lines above it, removed lines included.
   * Counting them from the log's beginning means that removing lines changes no entry.
   */
  private before: number[] = [];
  /** The number of matches in the lines that are there. */
  private total = 0;
  /** The number of matches in lines that were removed: what `before` counts too much. */
  private lost = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
}

/** Returns the position of the first larger number in a sorted list. */
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
