/**
 * Shows HTML output in a frame without scripts, network or access to the page. Elements and
 * attributes that could fetch something or lead away are removed before.
 */

import type { Theme } from '../context';
import { h } from '../dom';

const POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:";
/** Elements that act, fetch or redirect; a content policy does not prevent all of it, such as DNS. */
const OUT =
  'script, link, meta, base, iframe, frame, frameset, object, embed, portal, noscript, template, animate, set';

/** Height of a frame in pixels at first, because its content cannot be measured. */
const LEAST = 56;
const MOST = 420;

const LOOKS: Readonly<Record<Theme, string>> = {
  light: 'color-scheme: light; color: #1f2328;',
  dark: 'color-scheme: dark; color: #e3e6ea;'
};
const SHEET = (theme: Theme): string =>
  `:root { ${LOOKS[theme]} background: transparent; }
body { font: 13px/1.4 system-ui, sans-serif; margin: 8px; overflow-wrap: anywhere; }
table { border: none; border-collapse: collapse; font-size: 12px; overflow-wrap: normal; }
th, td { border: none; padding: 3px 8px; text-align: right; }
thead { border-bottom: 1px solid #8b949e; }
tbody tr:nth-child(even) { background: rgb(128 136 145 / 12%); }
img, svg { max-width: 100%; }`;

export interface Framed {
  readonly node: HTMLElement;
  /** Whether it had scripts, which are not executed. */
  readonly scripted: boolean;
  /** Whether nothing of it is visible without them. */
  readonly blank: boolean;
}

export function framed(html: string, theme: Theme, title: string): Framed {
  // A document that is only parsed loads and executes nothing.
  const page = new DOMParser().parseFromString(html, 'text/html');
  const scripted = page.querySelector('script') !== null;
  for (const element of page.querySelectorAll(OUT)) {
    element.remove();
  }
  for (const element of page.querySelectorAll('*')) {
    for (const { name, value } of [...element.attributes]) {
      if (LEADS.test(name) && !stays(element, value)) {
        element.removeAttribute(name);
      } else if (name === 'style' || /url\(/i.test(value)) {
        element.setAttribute(name, withoutFetches(value));
      }
    }
    if (element.localName === 'style') {
      element.textContent = withoutFetches(element.textContent ?? '');
    }
  }
  const seen = page.querySelector('img, svg, table, hr, input, canvas, video');
  const blank = !seen && !textIn(page.body);
  const sheet = page.createElement('style');
  sheet.textContent = SHEET(theme);
  const policy = page.createElement('meta');
  policy.setAttribute('http-equiv', 'Content-Security-Policy');
  policy.setAttribute('content', POLICY);
  page.head.prepend(policy, sheet);
  const frame = h('iframe', {
    class: 'kfnb-output-frame',
    sandbox: '',
    title,
    referrerpolicy: 'no-referrer',
    // eslint-disable-next-line no-restricted-properties -- read, and only for the sandbox
    srcdoc: `<!doctype html>${page.documentElement.outerHTML}`
  });
  const node = h('div', { class: 'kfnb-output-html' }, frame);
  node.style.height = `${height(page)}px`;
  return { node, scripted, blank };
}

/** Removes handlers, links, and addresses to fetch, which the policy would refuse with an error. */
const LEADS =
  /^(on.*|(xlink:)?href|src|srcset|poster|background|action|formaction|ping|target|autofocus)$/i;

/** Removes addresses from a style sheet; one with escapes is removed, because they can hide some. */
function withoutFetches(sheet: string): string {
  return sheet.includes('\\')
    ? ''
    : sheet
        .replace(/@import\b[^;}]*;?/gi, '')
        .replace(
          /(?:url|src|image|image-set)\(\s*(?!["']?\s*(?:data:image|#))[^)]*\)?/gi,
          'none'
        );
}

/** Whether an address stays within the output, or is an embedded picture. */
function stays(element: Element, address: string): boolean {
  return (
    address.startsWith('#') ||
    (/^(img|image)$/i.test(element.localName) && /^data:image\//i.test(address))
  );
}

function textIn(body: HTMLElement): string {
  return [...body.childNodes]
    .map(node => (node.nodeName === 'STYLE' ? '' : (node.textContent ?? '')))
    .join('')
    .trim();
}

/** Estimates the height from rows, blocks, lines of text and the sizes of pictures. */
function height(page: Document): number {
  const count = (selector: string): number =>
    page.body.querySelectorAll(selector).length;
  const text = textIn(page.body).length;
  let pixels =
    24 + 27 * count('tr') + 22 * count('p, li, h1, h2, h3, h4, br, dt, dd');
  if (!count('table')) {
    pixels += 19 * Math.ceil(text / 110);
  }
  for (const picture of page.body.querySelectorAll('img, svg')) {
    pixels += Number.parseFloat(picture.getAttribute('height') ?? '') || 200;
  }
  return Math.round(Math.min(MOST, Math.max(LEAST, pixels)));
}
