/** The position in the log's file, so that no chunk is shown twice or lost without notice. */

import type { LogMessage } from '../protocol';

export type Step =
  /** The chunk is shown already, or one before it has been requested. */
  | { readonly act: 'ignore' }
  /** A chunk is missing and has to be requested. */
  | { readonly act: 'ask'; readonly from: number }
  /** The text of a log that begins, `missing` bytes after the file's beginning. */
  | { readonly act: 'begin'; readonly text: string; readonly missing: number }
  /** Text that continues, `missing` bytes after the shown text. */
  | { readonly act: 'add'; readonly text: string; readonly missing: number };

export class LogPosition {
  /** The attempt whose log it is; null before the first answer. */
  attempt: number | null = null;
  /** Number of bytes received. */
  have = 0;

  take(message: LogMessage): Step {
    const { from, to, text } = message;
    if (message.attempt !== this.attempt) {
      if (from > 0 && !message.reset) {
        return this.ask(message, 0);
      }
      return this.begin(message);
    }
    if (message.total < this.have) {
      return this.begin(message); // the file was replaced
    }
    if (from === this.have) {
      return this.add(message, text, 0);
    }
    if (to <= this.have) {
      return { act: 'ignore' };
    }
    if (from < this.have) {
      const rest = after(text, this.have - from, to - from);
      return rest === null
        ? this.ask(message, this.have)
        : this.add(message, rest, 0);
    }
    // The kernel left a part out on purpose, or a message was lost.
    return message.reset
      ? this.add(message, text, from - this.have)
      : this.ask(message, this.have);
  }

  clear(): void {
    this.attempt = null;
    this.have = 0;
    this.asked = null;
  }

  private begin({ attempt, from, to, text }: LogMessage): Step {
    this.attempt = attempt;
    this.have = to;
    this.asked = null;
    return { act: 'begin', text, missing: from };
  }

  private add({ to }: LogMessage, text: string, missing: number): Step {
    this.have = to;
    this.asked = null;
    return { act: 'add', text, missing };
  }

  private ask({ attempt }: LogMessage, from: number): Step {
    // Further chunks may arrive before the requested one; one request is enough.
    const asked = `${attempt} ${from}`;
    if (asked === this.asked) {
      return { act: 'ignore' };
    }
    this.asked = asked;
    return { act: 'ask', from };
  }

  private asked: string | null = null;
}

/** Returns the text after some bytes; null if invalid bytes make the position unknown. */
function after(text: string, bytes: number, size: number): string | null {
  let [seen, cut] = [0, -1];
  let at = 0;
  for (const character of text) {
    if (seen === bytes) {
      cut = at;
    }
    const code = character.codePointAt(0) ?? 0;
    seen += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    at += character.length;
  }
  return seen === size && cut >= 0 ? text.slice(cut) : null;
}
