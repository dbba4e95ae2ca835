/** Links into the Jupyter around, where there is one. */

import { h } from '../dom';
import { visible } from '../format';

/** A link to a notebook of the server, or its path where nothing can open it. */
export function openNotebook(path: string, text: string): HTMLElement {
  const base = baseUrl();
  if (base === null) {
    return h('span', { class: 'kfnb-quiet', title: visible(path) }, text);
  }
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return h(
    'a',
    {
      class: 'kfnb-link',
      href: `${base}${encoded}`,
      target: '_blank',
      rel: 'noopener'
    },
    text
  );
}

/** Gives the reader a notebook as a file, as Jupyter's own "Download" does. */
export function saveNotebook(name: string, text: string): void {
  const file = new Blob([text], { type: 'application/x-ipynb+json' });
  const url = URL.createObjectURL(file);
  const link = h('a', { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  // The browser may still be about to read it.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Where this front end opens notebooks: JupyterLab's or Notebook 7's address, with a slash. */
function baseUrl(): string | null {
  const config = document.getElementById('jupyter-config-data')?.textContent;
  if (!config) {
    return null;
  }
  try {
    const { baseUrl: base, notebookPage } = JSON.parse(config) as Record<
      string,
      unknown
    >;
    const root = typeof base === 'string' && base.startsWith('/') ? base : '/';
    return `${root}${notebookPage === undefined ? 'lab/tree' : 'notebooks'}/`;
  } catch {
    return null;
  }
}
