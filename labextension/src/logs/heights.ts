/** Counts the rows of lines before they are drawn: one each, or more if lines are wrapped. */

import type { Lines } from './lines';

export class Heights {
  /**
   * @param shown - returns how many characters of a line of a given length are drawn.
   */
  constructor(
    private readonly lines: Lines,
    private readonly shown: (length: number) => number
  ) {}

  /** Number of all rows. */
  get total(): number {
    return this.before(this.lines.end);
  }

  /** Characters in a row; null if lines are not wrapped. */
  set columns(columns: number | null) {
    if (columns !== this.wide) {
      this.wide = columns;
      this.forget();
    }
  }

  /** Starts over, because lines were removed or replaced. */
  forget(): void {
    this.known = 0;
    this.first = this.lines.first;
  }

  /** Number of rows before a line. */
  before(line: number): number {
    const index = line - this.lines.first;
    if (this.wide === null) {
      return index;
    }
    this.count(this.wide);
    const ended = Math.min(index, this.known);
    const open = index > ended ? this.rows(line - 1, this.wide) : 0;
    return (ended > 0 ? (this.sums[ended - 1] ?? 0) : 0) + open;
  }

  /** Returns the line that contains a row. */
  lineAt(row: number): number {
    const { first, end } = this.lines;
    const last = Math.max(first, end - 1);
    if (this.wide === null) {
      return Math.max(first, Math.min(last, first + Math.floor(row)));
    }
    this.count(this.wide);
    let [low, high] = [0, this.known];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.sums[middle] ?? 0) <= row) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return Math.min(last, first + low);
  }

  /** Adds the lines that have ended since the last call. */
  private count(columns: number): void {
    const { first, ended } = this.lines;
    if (first !== this.first) {
      this.forget();
    }
    const size = ended - first;
    if (size > this.sums.length) {
      const grown = new Float64Array(Math.max(1024, 2 * size));
      grown.set(this.sums.subarray(0, this.known));
      this.sums = grown;
    }
    let sum = this.known > 0 ? (this.sums[this.known - 1] ?? 0) : 0;
    for (; this.known < size; this.known += 1) {
      sum += this.rows(first + this.known, columns);
      this.sums[this.known] = sum;
    }
  }

  private rows(line: number, columns: number): number {
    const length = this.shown(this.lines.text(line).length);
    return Math.max(1, Math.ceil(length / columns));
  }

  private wide: number | null = null;
  private sums = new Float64Array(0);
  private known = 0;
  private first = 0;
}
