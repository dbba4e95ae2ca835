/** Renders an output of a cell in the best of its MIME types that is safe to show. */

import type { Context } from '../context';
import { h } from '../dom';
import type { Json } from '../protocol';
import { framed } from './frame';
import { source, terminal } from './text';

export type Output = Readonly<Record<string, Json>>;

/** MIME types by preference: pictures before HTML, because HTML often needs scripts. */
const FORMS: readonly string[] = [
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/svg+xml',
  'text/html',
  'application/json',
  'text/markdown',
  'text/latex',
  'text/plain'
];
const BASE64 = /^[A-Za-z0-9+/\s]+={0,2}\s*$/;

/** Renders an output; `data-mime` of the element is the MIME type that is shown. */
export function output(data: Output, context: Context): HTMLElement {
  const kind = data.output_type;
  if (kind === 'stream') {
    const name = data.name === 'stderr' ? 'stderr' : 'stdout';
    return shown(
      `application/vnd.jupyter.${name}`,
      terminal(text(data.text), `kfnb-${name}`, context)
    );
  }
  if (kind === 'error') {
    return shown('application/vnd.jupyter.error', trouble(data, context));
  }
  const forms = isObject(data.data) ? data.data : {};
  const metadata = isObject(data.metadata) ? data.metadata : {};
  for (const mime of FORMS) {
    const form = forms[mime];
    const made =
      form !== undefined && formed(mime, form, metadata[mime], context);
    if (made) {
      return shown(mime, made);
    }
  }
  return shown('', nothing(forms, context));
}

function shown(mime: string, content: HTMLElement): HTMLElement {
  return h('div', { class: 'kfnb-output', 'data-mime': mime }, content);
}

function trouble(data: Output, context: Context): HTMLElement {
  const lines = Array.isArray(data.traceback) ? data.traceback.map(text) : [];
  const message = [data.ename, data.evalue]
    .map(text)
    .filter(Boolean)
    .join(': ');
  const traceback = lines.join('\n');
  return terminal(
    traceback || message,
    'kfnb-stderr kfnb-output-error',
    context
  );
}

/** Renders one MIME type; null if its content is invalid. */
function formed(
  mime: string,
  form: Json,
  metadata: Json | undefined,
  context: Context
): HTMLElement | null {
  const { trans } = context;
  if (mime === 'image/svg+xml') {
    // As an image it cannot execute anything.
    const svg = encodeURIComponent(text(form).replace(LONE, '\ufffd'));
    return picture(`data:image/svg+xml;charset=utf-8,${svg}`, {}, context);
  }
  if (mime.startsWith('image/')) {
    const data = text(form);
    return BASE64.test(data)
      ? picture(
          `data:${mime};base64,${data.replace(/\s/g, '')}`,
          metadata,
          context
        )
      : null;
  }
  switch (mime) {
    case 'text/html': {
      const { node, scripted, blank } = framed(
        text(form),
        context.theme.value,
        trans('HTML output of the cell')
      );
      if (blank && scripted) {
        return null; // its plain text, if there is one, is more useful
      }
      return scripted
        ? h(
            'div',
            {},
            node,
            note(
              trans(
                'Scripts do not run here; open the executed notebook to see everything.'
              )
            )
          )
        : node;
    }
    case 'application/json':
      return source(JSON.stringify(form, null, 2), 'kfnb-stdout', context);
    case 'text/plain':
      return terminal(text(form), 'kfnb-stdout', context);
    default:
      return source(text(form), 'kfnb-stdout', context);
  }
}

/** Halves of surrogate pairs, which cannot be encoded in an address. */
const LONE =
  /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function picture(
  address: string,
  metadata: Json | undefined,
  { trans }: Context
): HTMLElement {
  const sizes = isObject(metadata ?? null) ? (metadata as Output) : {};
  const size = (name: string): number | null => {
    const value = sizes[name];
    return typeof value === 'number' && value > 0 ? value : null;
  };
  const image = h('img', {
    class: 'kfnb-output-image',
    src: address,
    alt: trans('Image output of the cell'),
    width: size('width'),
    height: size('height')
  });
  const node = h('div', {}, image);
  image.addEventListener('error', () => {
    node.replaceChildren(note(trans('This image cannot be read.')));
  });
  return node;
}

function nothing(forms: Output, { trans }: Context): HTMLElement {
  const names = Object.keys(forms).join(', ');
  return note(
    `${trans('This output can only be shown in the executed notebook')}${names ? `: ${names}` : ''}.`
  );
}

function note(message: string): HTMLElement {
  return h('p', { class: 'kfnb-output-note' }, message);
}

/** Joins text, which in notebooks may be a list of lines. */
function text(value: Json | undefined): string {
  if (Array.isArray(value)) {
    return value.map(text).join('');
  }
  return value === undefined || value === null
    ? ''
    : typeof value === 'object'
      ? JSON.stringify(value)
      : String(value);
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
