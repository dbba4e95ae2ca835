/** The log of a step, live. */

import type { Component, Context } from '../context';
import { fill, h } from '../dom';
import { bytes } from '../format';
import type { LogMessage } from '../protocol';
import { Toolbar } from './toolbar';
import { LogPosition } from './log-position';
import { Lines } from './lines';
import { paint } from './line-elements';
import { Search, type Hit } from './search';
import { cutAt, LongLine } from './long-line';
import { Window } from './window';

/** Characters of a line that are drawn; a longer line is cut. */
const LONGEST = 4_000;
/** Characters of a cut line that are drawn before a match. */
const BEFORE = 200;
const NOTICE_TIME = 4_000;

export class LogView implements Component {
  readonly node: HTMLElement;

  /**
   * @param lead - what the toolbar begins with: the choice of the step, for example.
   */
  constructor(
    host: HTMLElement,
    private readonly context: Context,
    lead: HTMLElement | null = null
  ) {
    const { trans } = context;
    this.window = new Window(
      this.lines,
      (row, line) => this.draw(row, line),
      length => Math.min(length, LONGEST),
      trans('Log of the step')
    );
    this.bar = new Toolbar(
      context,
      {
        search: (query, matchCase) => this.find(query, matchCase),
        step: by => this.step(by),
        follow: on => (this.window.following = on),
        wrap: on => (this.window.wrap = on),
        copy: () => this.copy(this.text())
      },
      lead
    );
    this.window.onFollow = on => this.bar.following(on);
    this.search.onProgress = () => this.count();
    this.whole = new LongLine(context, text => this.copy(text));
    this.whole.onClose = () => {
      delete this.node.dataset.whole;
      this.window.render();
      this.window.node.focus({ preventScroll: true });
    };
    this.node = h(
      'div',
      { class: 'kfnb-log' },
      this.bar.node,
      this.notice,
      this.before,
      this.empty,
      this.window.node,
      this.whole.node
    );
    host.append(this.node);
    this.updateNotes();
  }

  /** Whether the reader stays at the end of the log. */
  get following(): boolean {
    return this.window.following;
  }

  /** Follows an attempt of a step; null for always the newest one. The step '' means all steps. */
  open(step: string, attempt: number | null): void {
    const again = step === this.stepId && attempt === this.wanted;
    if (!again) {
      this.leave();
      this.clear();
      this.feed.clear();
      this.attempts = null;
      this.stepId = step;
      this.wanted = attempt;
      this.node.dataset.step = step;
    }
    // There may be a newer attempt by now, whose log begins at 0.
    const from = again && attempt !== null ? this.feed.have : 0;
    this.context.post({
      kind: 'follow-log',
      step,
      index: '',
      attempt,
      from
    });
    this.updateNotes();
  }

  append(message: LogMessage): void {
    const { stepId, wanted, lines } = this;
    if (
      message.step !== stepId ||
      (wanted !== null && message.attempt !== wanted)
    ) {
      return; // the answer to a request for what was open before
    }
    this.attempts = message.attempts.length;
    const news = this.feed.take(message);
    if (news.act === 'ask') {
      const { from } = news;
      this.context.post({
        kind: 'follow-log',
        step: stepId,
        index: '',
        attempt: wanted,
        from
      });
    } else if (news.act === 'begin') {
      this.clear();
      this.missing = news.missing;
      lines.add(news.text);
    } else if (news.act === 'add') {
      if (news.missing > 0) {
        lines.note(this.gap(news.missing));
      }
      lines.add(news.text);
    }
    this.updateNotes();
    if (news.act === 'begin' || news.act === 'add') {
      this.search.go();
      this.window.render();
      this.count();
    }
  }

  dispose(): void {
    this.leave();
    this.search.dispose();
    this.window.dispose();
    clearTimeout(this.timer);
    this.node.remove();
  }

  private leave(): void {
    if (this.stepId !== null) {
      this.context.post({
        kind: 'unfollow-log',
        step: this.stepId,
        index: ''
      });
    }
  }

  private clear(): void {
    this.lines.clear();
    this.missing = 0;
    this.current = null;
    this.whole.close();
    this.search.restart();
    this.window.following = true;
    this.window.repaint();
    this.count();
  }

  /** Updates the texts beside the lines. */
  private updateNotes(): void {
    const { trans } = this.context;
    const { lines, attempts } = this;
    const some = lines.end > lines.first;
    this.empty.hidden = some;
    this.window.node.hidden = !some;
    this.empty.textContent =
      attempts === null
        ? trans('Waiting for the kernel to read the log.')
        : attempts === 0
          ? trans('This step has not started, so it has no log.')
          : trans('No output yet.');
    const left = this.missing + lines.forgotten;
    this.before.hidden = left === 0;
    this.before.textContent =
      left === 0
        ? ''
        : `${trans('This is the end of a long log.')} ${bytes(left)} ${trans(
            'before it are not shown; the command “kfnb logs” prints everything.'
          )}`;
    this.bar.showAttempt(
      attempts !== null && attempts > 1 && this.feed.attempt !== null
        ? `${trans('Attempt')} ${this.feed.attempt} ${trans('of')} ${attempts}`
        : ''
    );
  }

  private gap(missing: number): string {
    const { trans } = this.context;
    return `[${bytes(missing)} ${trans('were printed too fast to be sent; the command “kfnb logs” prints them')}]`;
  }

  // Lines

  private draw(row: HTMLElement, number: number): void {
    const line = this.lines.at(number);
    const text = this.lines.text(number);
    const spans = this.search.spans(number);
    const here = this.current?.line === number ? this.current.nth : -1;
    const current = spans[here]?.[0] ?? null;
    if (text.length <= LONGEST) {
      fill(row, ...paint(line, { spans, current }));
      if (text === '') {
        row.append(h('br')); // otherwise a copied selection would lack the empty line
      }
      return;
    }
    const far = current !== null && current > LONGEST - BEFORE;
    const from = far ? cutAt(text, current - BEFORE) : 0;
    const to = cutAt(text, from + LONGEST);
    fill(
      row,
      from > 0 && this.more(number, from, 'characters before this'),
      ...paint(line, { spans, current }, from, to),
      to < text.length &&
        this.more(number, text.length - to, 'more characters in this line')
    );
  }

  private more(number: number, count: number, words: string): HTMLElement {
    const { trans } = this.context;
    const all = h(
      'button',
      { type: 'button', class: 'kfnb-log-all' },
      trans('Show the whole line')
    );
    all.addEventListener('click', () => {
      this.node.dataset.whole = 'true';
      this.whole.show(this.lines.at(number), number);
    });
    return h(
      'span',
      { class: 'kfnb-log-cut' },
      ` … ${count.toLocaleString()} ${trans(words)} `,
      all,
      ' '
    );
  }

  // Searching

  private find(query: string, matchCase: boolean): void {
    this.current = null;
    this.search.set(query, matchCase);
    this.seeking = true;
    this.window.repaint();
    this.count();
  }

  private step(by: 1 | -1): void {
    const { count } = this.search;
    const next =
      this.index === null
        ? this.search.from(this.window.top)
        : (this.index + by + count) % count;
    if (count > 0 && next !== null) {
      this.goTo(next);
    }
    this.count();
  }

  private goTo(index: number): void {
    this.seeking = false;
    this.index = index;
    this.current = this.search.hit(index);
    if (this.current) {
      this.whole.close();
      this.window.show(this.current.line);
      this.window.repaint();
      const row = this.window.rowOf(this.current.line);
      const mark = row?.querySelector('[aria-current]');
      if (mark) {
        this.window.reveal(mark);
      }
    }
  }

  /** Updates the number of matches, and goes to the first one. */
  private count(): void {
    const { search } = this;
    const { trans } = this.context;
    if (!search.query) {
      this.index = null;
      this.bar.showCount('', false);
      return;
    }
    search.go(); // old lines may have been removed
    this.index = this.current && search.indexOf(this.current);
    if (this.seeking) {
      const index = search.from(this.window.top);
      // Lines further down may not have been searched yet.
      if (index !== null && (index > 0 || search.done)) {
        this.goTo(index);
      }
      // A match in later output must not move a reader who follows the log.
      this.seeking &&= !search.done;
    }
    const { count } = search;
    const total = count.toLocaleString('en-US');
    const more = search.done ? '' : '…';
    if (count === 0) {
      this.bar.showCount(search.done ? trans('not found') : '…', false);
    } else if (this.index === null) {
      this.bar.showCount(`${total}${more}`, true);
    } else {
      const at = (this.index + 1).toLocaleString('en-US');
      this.bar.showCount(`${at} ${trans('of')} ${total}${more}`, true);
    }
  }

  // Copying

  private text(): string {
    const { lines } = this;
    const texts: string[] = [];
    for (let n = lines.first; n < lines.end; n += 1) {
      texts.push(lines.text(n));
    }
    return texts.join('\n') + (lines.end === lines.ended ? '\n' : '');
  }

  private copy(text: string): void {
    const { trans } = this.context;
    // Pages without HTTPS have no clipboard, or may not write to it.
    const board = navigator.clipboard as Clipboard | undefined;
    const failed = trans(
      'The browser does not allow this page to copy. Select the text and press Ctrl+C.'
    );
    if (!board) {
      this.showNotice(failed);
      return;
    }
    board.writeText(text).then(
      () => this.showNotice(`${bytes(text.length)} ${trans('copied')}`),
      () => this.showNotice(failed)
    );
  }

  private showNotice(text: string): void {
    this.notice.textContent = text;
    this.notice.hidden = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.notice.hidden = true), NOTICE_TIME);
  }

  private readonly lines = new Lines();
  private readonly feed = new LogPosition();
  private readonly search = new Search(this.lines);
  private readonly window: Window;
  private readonly bar: Toolbar;
  private readonly notice = h('p', {
    class: 'kfnb-log-note',
    role: 'status',
    hidden: true
  });
  private readonly before = h('p', { class: 'kfnb-log-note', hidden: true });
  private readonly empty = h('p', { class: 'kfnb-log-empty' });
  private readonly whole: LongLine;
  private stepId: string | null = null;
  private wanted: number | null = null;
  /** Number of attempts; null before the first answer. */
  private attempts: number | null = null;
  private missing = 0;
  private current: Hit | null = null;
  private index: number | null = null;
  /** Whether a search has not found a match yet. */
  private seeking = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
}
