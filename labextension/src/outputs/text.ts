/** Text as a terminal would show it, whole at once; of a long one its beginning first. */

import type { Context } from '../context';
import { fill, h } from '../dom';
import { Lines } from '../logs/lines';
import { paint } from '../logs/line-elements';

/** What is drawn before somebody asks for all. */
const MOST_LINES = 400;
const MOST_CHARACTERS = 40_000;

/** Text with its colours and carriage returns. */
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

/** Text as it is. */
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

/** Says that there is more, and shows it. */
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
