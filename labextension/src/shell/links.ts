/** Links into the Jupyter around, where there is one. */

import { h } from '../dom';
import { visible } from '../format';

/** A link to a notebook of the server, or its path where nothing can open it. */
export function openNotebook(path: string, text: string): HTMLElement {
  const base = baseUrl();
  if (base === null) {
    return h('span', { class: 'kfnb-quiet', title: visible(path) }, text);
  }
  const place = path.split('/').map(encodeURIComponent).join('/');
  return h(
    'a',
    {
      class: 'kfnb-link',
      href: `${base}${place}`,
      target: '_blank',
      rel: 'noopener'
    },
    text
  );
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
