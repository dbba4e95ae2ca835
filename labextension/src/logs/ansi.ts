/**
 * Reads text with escape sequences in pieces, which may end anywhere, also within a sequence.
 *
 * Colours and the erasing of a line (for progress bars) are applied; all other sequences, such as
 * moves of the cursor, window titles, hyperlinks and pictures, are dropped.
 */

import { PLAIN, selected, type Style } from './style';

/** The line that the text is written to. */
export interface Paper {
  put(text: string, style: Style): void;
  newline(): void;
  carriageReturn(): void;
  backspace(): void;
  /** Erases a part of the line: 0 after the cursor, 1 before it, 2 all. */
  erase(which: number): void;
}

/** The position within a sequence at the end of a piece. */
type Within = 'text' | 'escape' | 'between' | 'control' | 'string';

const ESCAPE = 0x1b;
/** Longest sequence; a longer one is ordinary text. */
const LONGEST = 256;

export class Ansi {
  constructor(private readonly paper: Paper) {}

  feed(text: string): void {
    let at = 0;
    while (at < text.length) {
      at = this.within === 'text' ? this.text(text, at) : this.more(text, at);
    }
  }

  /** Resets the state, also within a sequence. */
  reset(): void {
    this.within = 'text';
    this.style = PLAIN;
    this.parameters = '';
  }

  private text(text: string, from: number): number {
    // The characters 0x80 to 0x9f are dropped but begin no sequence: in text decoded wrongly
    // they stand for quotes, and everything after them would be lost.
    // eslint-disable-next-line no-control-regex -- it is what is looked for
    const control = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;
    control.lastIndex = from;
    for (;;) {
      const match = control.exec(text);
      const end = match ? match.index : text.length;
      if (end > from) {
        this.paper.put(text.slice(from, end), this.style);
      }
      if (!match) {
        return end;
      }
      from = end + 1;
      switch (text.charCodeAt(end)) {
        case 0x08:
          this.paper.backspace();
          break;
        case 0x0a:
          this.paper.newline();
          break;
        case 0x0d:
          this.paper.carriageReturn();
          break;
        case ESCAPE:
          this.within = 'escape';
          return from;
        default:
          break;
      }
    }
  }

  /** Continues a sequence and returns the new position. */
  private more(text: string, at: number): number {
    if (this.within === 'string') {
      return this.string(text, at);
    }
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e) {
      // The sequence was not completed, so this character is read as usual.
      this.within = 'text';
      return at;
    }
    if (this.within === 'control') {
      if (code >= 0x40) {
        this.within = 'text';
        this.act(code);
      } else if (this.parameters.length > LONGEST) {
        this.within = 'text';
      } else {
        this.parameters += text.charAt(at);
      }
    } else if (this.within === 'escape' && code === 0x5b) {
      this.within = 'control';
      this.parameters = '';
    } else if (this.within === 'escape' && STRINGS.has(code)) {
      this.within = 'string';
    } else {
      this.within = code < 0x30 ? 'between' : 'text';
    }
    return at + 1;
  }

  /** Skips a title or link to its end, or to the end of the line if it has none. */
  private string(text: string, from: number): number {
    // eslint-disable-next-line no-control-regex -- as above
    const end = /[\u0007\u000a\u0018\u001a\u001b]/g;
    end.lastIndex = from;
    const match = end.exec(text);
    if (!match) {
      return text.length;
    }
    this.within = 'text';
    return match[0] === '\u0007' ? match.index + 1 : match.index;
  }

  private act(final: number): void {
    const { parameters } = this;
    // With a private prefix it is a different sequence.
    if (!/^[\d;:]*$/.test(parameters)) {
      return;
    }
    if (final === 0x6d) {
      this.style = selected(this.style, parameters);
    } else if (final === 0x4b) {
      this.paper.erase(Number(parameters) || 0);
    }
  }

  private within: Within = 'text';
  private parameters = '';
  private style: Style = PLAIN;
}

/** The characters that begin a string after an escape: `]`, `P`, `X`, `^`, `_`. */
const STRINGS: ReadonlySet<number> = new Set([0x5d, 0x50, 0x58, 0x5e, 0x5f]);
