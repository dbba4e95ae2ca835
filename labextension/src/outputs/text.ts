/** Shows text as a terminal does; of a long text first only the beginning. */

import type { Context } from '../context';
import { fill, h } from '../dom';
import { Lines } from '../logs/lines';
import { paint } from '../logs/line-elements';

/** Characters and lines that are drawn before the user asks for all. */
const MOST_LINES = 400;
const MOST_CHARACTERS = 40_000;

/** Renders text with colours and carriage returns. */
export function terminal(
  text: string,
  name: string,
  context: Context
): HTMLElement {
  const lines = new Lines();
  lines.add(text);
  const pre = h('pre', { class: `kfnb-output-text ${name}` });
  const put = (end: number, most: number): number => {
    const nodes: Node[] = [];
    let left = most;
    let n = 0;
    for (; n < end && left > 0; n += 1) {
      const length = lines.text(n).length;
      nodes.push(...paint(lines.at(n), undefined, 0, Math.min(length, left)));
      nodes.push(document.createTextNode('\n'));
      left -= length;
    }
    fill(pre, ...nodes);
    return left < 0 ? n - 1 : n;
  };
  const shown = put(Math.min(lines.end, MOST_LINES), MOST_CHARACTERS);
  if (shown === lines.end) {
    return pre;
  }
  return h(
    'div',
    {},
    pre,
    cut(`${shown} ${context.trans('of')} ${lines.end}`, context, () =>
      put(lines.end, Infinity)
    )
  );
}

/** Renders text unchanged. */
export function source(
  text: string,
  name: string,
  context: Context
): HTMLElement {
  const pre = h('pre', { class: `kfnb-output-text ${name}` });
  pre.textContent = text.slice(0, MOST_CHARACTERS);
  if (text.length <= MOST_CHARACTERS) {
    return pre;
  }
  return h(
    'div',
    {},
    pre,
    cut(null, context, () => (pre.textContent = text))
  );
}

/** A button that shows the rest of a text. */
function cut(
  shown: string | null,
  { trans }: Context,
  show: () => void
): HTMLElement {
  const button = h(
    'button',
    { type: 'button', class: 'kfnb-button' },
    trans('Show all')
  );
  const note =
    shown === null
      ? trans('Only the beginning is shown.')
      : `${trans('Only the beginning is shown: lines')} ${shown}.`;
  const node = h('p', { class: 'kfnb-output-note' }, note, ' ', button);
  button.addEventListener('click', () => {
    show();
    node.remove();
  });
  return node;
}
