/** A very long line by itself: all of it, in pieces that browsers can lay out. */

import { h } from '../dom';
import { paint } from './paint';
import { textOf, type Line } from './screen';

/** Characters of a piece; those that are not seen are not laid out. */
const PIECE = 2_000;

/** The pieces of a line, one below the other. */
export function whole(line: Line, label: string): HTMLElement {
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

/** A place to cut a text at, which is not within a character. */
export function cutAt(text: string, at: number): number {
  if (at <= 0 || at >= text.length) {
    return Math.max(0, Math.min(at, text.length));
  }
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff ? at + 1 : at;
}
