/** Executed notebooks: opened where the page has a viewer for them, downloaded elsewhere. */

import type { Context } from '../context';
import { h } from '../dom';
import { visible } from '../format';

/** Creates a button that opens a notebook; plain text if the page cannot open it. */
export function openNotebook(
  path: string,
  text: string,
  { open }: Context
): HTMLElement {
  if (!open) {
    return h('span', { class: 'kfnb-quiet', title: visible(path) }, text);
  }
  const button = h(
    'button',
    { type: 'button', class: 'kfnb-link', title: visible(path) },
    text
  );
  button.addEventListener('click', () => open(path));
  return button;
}

/** Downloads a notebook as a file. */
export function saveNotebook(name: string, text: string): void {
  const file = new Blob([text], { type: 'application/x-ipynb+json' });
  const url = URL.createObjectURL(file);
  const link = h('a', { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  // The browser may not have read it yet.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
