/** Links to files of the Jupyter server, if the page belongs to one. */

import { h } from '../dom';
import { visible } from '../format';

/** Creates a link to a notebook of the server; plain text if the page cannot open it. */
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

/** The address below which this front end (JupyterLab or Notebook 7) opens notebooks. */
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
