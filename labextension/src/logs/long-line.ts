/** Shows a very long line in pieces that browsers can lay out. */

import type { Context } from '../context';
import { fill, h } from '../dom';
import { paint } from './line-elements';
import { textOf, type Line } from './terminal-line';

/** Characters of a piece; browsers do not lay out invisible pieces. */
const PIECE = 2_000;

export class LongLine {
  readonly node = h('div', { class: 'kfnb-log-long', hidden: true });
  onClose: () => void = () => undefined;

  constructor(
    private readonly context: Context,
    private readonly copy: (text: string) => void
  ) {
    this.node.addEventListener('keydown', event => {
      if (event.key === 'Escape') {
        event.preventDefault();
        this.close();
      }
    });
  }

  /** Shows a line in place of the log. */
  show(line: Line, number: number): void {
    const { trans } = this.context;
    const text = textOf(line);
    const size = text.length.toLocaleString('en-US');
    const title = `${trans('Line')} ${(number + 1).toLocaleString('en-US')}: ${size} ${trans('characters')}`;
    const content = pieces(line, title);
    fill(
      this.node,
      h(
        'div',
        { class: 'kfnb-log-head' },
        h('span', {}, title),
        button(trans('Copy the line'), () => this.copy(text)),
        button(trans('Back to the log'), () => this.close())
      ),
      content
    );
    this.node.hidden = false;
    content.focus({ preventScroll: true });
  }

  close(): void {
    if (!this.node.hidden) {
      this.node.hidden = true;
      fill(this.node);
      this.onClose();
    }
  }
}

function button(name: string, act: () => void): HTMLElement {
  const made = h('button', { type: 'button', class: 'kfnb-button' }, name);
  made.addEventListener('click', act);
  return made;
}

/** Creates the pieces of a line. */
function pieces(line: Line, label: string): HTMLElement {
  const text = textOf(line);
  const node = h('div', {
    class: 'kfnb-log-whole',
    role: 'group',
    'aria-label': label,
    tabindex: 0
  });
  for (let at = 0; at < text.length;) {
    const end = cutAt(text, at + PIECE);
    const piece = h('div', { class: 'kfnb-log-piece' });
    piece.append(...paint(line, undefined, at, end));
    node.append(piece);
    at = end;
  }
  return node;
}

/** Returns a position at which a text can be cut without splitting a character. */
export function cutAt(text: string, at: number): number {
  if (at <= 0 || at >= text.length) {
    return Math.max(0, Math.min(at, text.length));
  }
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff ? at + 1 : at;
}
