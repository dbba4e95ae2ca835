/** The unfinished line, in which text can overwrite text as on a terminal. */

import type { Paper } from './ansi';
import { PLAIN, type Style } from './style';

/** A style that holds from a position up to the next one. */
export interface Run {
  readonly start: number;
  readonly style: Style;
}

export interface Styled {
  readonly text: string;
  readonly runs: readonly Run[];
}

/** Shared by all plain lines, of which there may be millions. */
export type Line = string | Styled;

export function textOf(line: Line): string {
  return typeof line === 'string' ? line : line.text;
}

const NO_RUNS: readonly Run[] = [];

export function runsOf(line: Line): readonly Run[] {
  return typeof line === 'string' ? NO_RUNS : line.runs;
}

export class Screen implements Paper {
  /**
   * @param ended - called with each line when it ends.
   */
  constructor(private readonly ended: (line: Line) => void) {}

  /** The unfinished line; null if it is empty. */
  get open(): Line | null {
    const line = this.line();
    return textOf(line) === '' ? null : line;
  }

  put(text: string, style: Style): void {
    if (this.cells) {
      this.cells.put(text, style);
    } else if (this.returned && this.text !== '') {
      this.edited().put(text, style);
    } else {
      const last = this.runs.at(-1)?.style ?? PLAIN;
      if (style !== last) {
        this.runs.push({ start: this.text.length, style });
      }
      this.text += text;
    }
    this.returned = false;
  }

  newline(): void {
    this.ended(this.line());
    this.clear();
  }

  carriageReturn(): void {
    // The cells are needed only if more text follows in this line, which is rare.
    this.returned = true;
    this.cells?.back(Infinity);
  }

  backspace(): void {
    if (this.cells ?? this.text) {
      this.edited().back(1);
    }
    this.returned = false;
  }

  erase(which: number): void {
    if (this.cells ?? this.text) {
      this.edited().erase(which);
    }
    this.returned = false;
  }

  clear(): void {
    this.text = '';
    this.runs = [];
    this.cells = null;
    this.returned = false;
  }

  private line(): Line {
    if (this.cells) {
      return this.cells.line();
    }
    return this.runs.length
      ? { text: this.text, runs: [...this.runs] }
      : this.text;
  }

  private edited(): Cells {
    if (!this.cells) {
      this.cells = new Cells(this.text, this.runs);
      if (this.returned) {
        this.cells.back(Infinity);
      }
      this.text = '';
      this.runs = [];
    }
    return this.cells;
  }

  private text = '';
  private runs: Run[] = [];
  private cells: Cells | null = null;
  private returned = false;
}

/**
 * A line with a cell for each character, so that overwriting a few of them is as fast in a line of
 * a megabyte as in a short one.
 */
class Cells {
  constructor(text: string, runs: readonly Run[]) {
    for (let n = 0; n <= runs.length; n += 1) {
      const [start, end] = [runs[n - 1]?.start ?? 0, runs[n]?.start];
      this.put(text.slice(start, end), runs[n - 1]?.style ?? PLAIN);
    }
  }

  put(text: string, style: Style): void {
    for (const character of text) {
      this.characters[this.at] = character;
      this.styles[this.at] = style;
      this.at += 1;
    }
  }

  back(count: number): void {
    this.at = Math.max(0, this.at - count);
  }

  erase(which: number): void {
    if (which === 2) {
      this.blank(this.characters.length);
    } else if (which === 1) {
      this.blank(this.at + 1);
    } else {
      this.characters.length = this.at;
      this.styles.length = this.at;
    }
  }

  line(): Line {
    const runs: Run[] = [];
    let [last, length] = [PLAIN, 0];
    const end = this.end();
    for (let n = 0; n < end; n += 1) {
      const style = this.styles[n] ?? PLAIN;
      if (style !== last) {
        runs.push({ start: length, style });
        last = style;
      }
      length += this.characters[n]?.length ?? 0;
    }
    const text = this.characters.slice(0, end).join('');
    return runs.length ? { text, runs } : text;
  }

  private blank(end: number): void {
    const to = Math.min(end, this.characters.length);
    this.characters.fill(' ', 0, to);
    this.styles.fill(PLAIN, 0, to);
  }

  /** Removes blanks at the end, with which progress bars erase. */
  private end(): number {
    let end = this.characters.length;
    while (
      end > 0 &&
      this.characters[end - 1] === ' ' &&
      this.styles[end - 1] === PLAIN
    ) {
      end -= 1;
    }
    return end;
  }

  private readonly characters: string[] = [];
  private readonly styles: Style[] = [];
  private at = 0;
}
