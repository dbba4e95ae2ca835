/** The lines of a log, numbered from its beginning; the oldest of a very long log are removed. */

import { Ansi } from './ansi';
import { Screen, textOf, type Line } from './terminal-line';
import { PLAIN } from './style';

/** Most lines and characters that a page keeps of a log. */
export const MOST_LINES = 2_000_000;
export const MOST_CHARACTERS = 96_000_000;
const SHARE_AFTER_TRIM = 0.75;

const NOTE = { ...PLAIN, italic: true, dim: true };

export class Lines {
  /**
   * @param mostLines - and `mostCharacters`: if there are more, the oldest quarter is removed.
   */
  constructor(
    private readonly mostLines = MOST_LINES,
    private readonly mostCharacters = MOST_CHARACTERS
  ) {}

  /** The number of the first line that is kept. */
  get first(): number {
    return this.gone;
  }

  /** The number after the last line that has ended. */
  get ended(): number {
    return this.gone + this.lines.length;
  }

  /** The number after the last line, including the unfinished one. */
  get end(): number {
    return this.ended + (this.open === null ? 0 : 1);
  }

  at(number: number): Line {
    return number === this.ended
      ? (this.open ?? '')
      : (this.lines[number - this.gone] ?? '');
  }

  text(number: number): string {
    return textOf(this.at(number));
  }

  add(text: string): void {
    this.ansi.feed(text);
    this.open = this.screen.open;
    this.trim();
  }

  /** Adds a line that was not printed; ends the unfinished line. */
  note(text: string): void {
    if (this.open !== null) {
      this.screen.newline();
    }
    this.ansi.reset();
    this.keep({ text, runs: [{ start: 0, style: NOTE }] });
    this.open = null;
  }

  clear(): void {
    this.lines = [];
    this.gone = 0;
    this.forgotten = 0;
    this.characters = 0;
    this.open = null;
    this.screen.clear();
    this.ansi.reset();
  }

  /** Number of removed characters. */
  forgotten = 0;

  private keep(line: Line): void {
    this.lines.push(line);
    this.characters += textOf(line).length + 1;
  }

  private trim(): void {
    const { lines, mostLines, mostCharacters } = this;
    if (lines.length <= mostLines && this.characters <= mostCharacters) {
      return;
    }
    let count = Math.max(
      0,
      lines.length - Math.floor(SHARE_AFTER_TRIM * mostLines)
    );
    let size = 0;
    for (let n = 0; n < lines.length; n += 1) {
      if (
        n >= count &&
        this.characters - size <= SHARE_AFTER_TRIM * mostCharacters
      ) {
        count = n;
        break;
      }
      size += textOf(lines[n] ?? '').length + 1;
    }
    this.lines = lines.slice(count);
    this.gone += count;
    this.characters -= size;
    this.forgotten += size;
  }

  private lines: Line[] = [];
  private gone = 0;
  private characters = 0;
  private open: Line | null = null;
  private readonly screen = new Screen(line => this.keep(line));
  private readonly ansi = new Ansi(this.screen);
}
