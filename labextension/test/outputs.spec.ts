import { OutputsView } from '../src/outputs';
import type { CellOutputs, Json } from '../src/protocol';
import { HOSTILE, location, page, type Page } from './samples';

type Data = { [key: string]: Json };

interface Shown extends Page {
  readonly view: OutputsView;
  readonly send: (
    outputs: readonly Data[],
    more?: Partial<CellOutputs>
  ) => void;
}

const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

function shown(): Shown {
  const made = page();
  const view = new OutputsView(document.body, made.context);
  view.open('n0', null);
  const send = (
    outputs: readonly Data[],
    more: Partial<CellOutputs> = {}
  ): void =>
    view.show({
      kind: 'outputs',
      step: 'n0',
      index: '',
      attempt: 1,
      cells: [{ location: location(3), source: 'x = 1\nx', outputs, ...more }]
    });
  return { ...made, view, send };
}

const stream = (text: Json, name = 'stdout'): Data => ({
  output_type: 'stream',
  name,
  text
});
const display = (data: Data, metadata: Data = {}): Data => ({
  output_type: 'display_data',
  data,
  metadata
});
const find = (selector: string): HTMLElement =>
  document.querySelector<HTMLElement>(selector)!;
const details = (): HTMLDetailsElement => document.querySelector('details')!;
const mimes = (): (string | undefined)[] =>
  [...document.querySelectorAll<HTMLElement>('.kfnb-output')].map(
    element => element.dataset.mime
  );
const framed = (): Document =>
  new DOMParser().parseFromString(
    find('iframe').getAttribute('srcdoc') ?? '',
    'text/html'
  );

afterEach(() => document.body.replaceChildren());

describe('the outputs of a step', () => {
  it('are requested, and stay until the answer to the next request', () => {
    const { view, send, posted } = shown();
    expect(find('.kfnb-outputs-empty').textContent).toContain('Waiting');
    send([stream('one')]);
    view.open('n0', null);
    expect(find('.kfnb-output').textContent).toBe('one\n');
    expect(find('.kfnb-outputs-empty').hidden).toBe(true);
    view.open('n1', 2);
    expect(find('.kfnb-output')).toBeNull();
    expect(posted).toEqual([
      { kind: 'outputs', step: 'n0', index: '', attempt: null },
      { kind: 'outputs', step: 'n0', index: '', attempt: null },
      { kind: 'outputs', step: 'n1', index: '', attempt: 2 }
    ]);
  });

  it('of another step or attempt are not shown', () => {
    const { view, send } = shown();
    view.open('n1', null);
    send([stream('one')]);
    view.open('n0', 2);
    send([stream('one')]);
    expect(find('.kfnb-output')).toBeNull();
    view.dispose();
    expect(find('.kfnb-outputs')).toBeNull();
  });

  it('explain why there are none', () => {
    const { view } = shown();
    const none = {
      kind: 'outputs',
      step: 'n0',
      index: '',
      cells: []
    } as const;
    const empty = find('.kfnb-outputs-empty');
    view.show({ ...none, attempt: 0 });
    expect(empty.textContent).toContain('has not started');
    view.show({ ...none, attempt: 1 });
    expect(empty.textContent).toContain('No output yet');
    expect(empty.hidden).toBe(false);
  });

  it('that did not change keep their size and scrolling', () => {
    const { send, view } = shown();
    const html = display({ 'text/html': '<b>x</b>' });
    send([html, stream('a')]);
    const opened = details();
    const [frame, before] = [find('iframe'), find('.kfnb-stdout')];
    opened.open = true;
    view.node.scrollTop = 40;
    // The same outputs in a new message.
    send([structured(html), stream('ab')]);
    expect(find('iframe')).toBe(frame);
    expect(details()).toBe(opened);
    expect(opened.open).toBe(true);
    expect(view.node.scrollTop).toBe(40);
    expect(find('.kfnb-stdout')).not.toBe(before);
    expect(find('.kfnb-stdout').textContent).toBe('ab\n');
    send([html]);
    expect(mimes()).toEqual(['text/html']);
  });

  it('keep their scrolling when they are moved in the page', () => {
    const { send, view } = shown();
    jest.spyOn(view.node, 'clientHeight', 'get').mockReturnValue(200);
    send([stream('one')]);
    view.node.scrollTop = 40;
    view.node.dispatchEvent(new Event('scroll'));
    view.node.scrollTop = 0; // what browsers do, without a word
    const event = Object.assign(new Event('animationstart'), {
      animationName: 'kfnb-shown'
    });
    view.node.dispatchEvent(event);
    expect(view.node.scrollTop).toBe(40);
  });

  it('are listed by cell, in order, with their source', () => {
    const { view } = shown();
    const cell = (number: number): CellOutputs => ({
      location: location(number),
      source: `\n# cell ${number}\ny`,
      outputs: [stream('x')]
    });
    const shownCells = (...cells: CellOutputs[]): (string | undefined)[] => {
      view.show({ kind: 'outputs', step: 'n0', index: '', attempt: 1, cells });
      return [
        ...document.querySelectorAll<HTMLElement>('.kfnb-output-cell')
      ].map(element => element.dataset.cell);
    };
    expect(shownCells(cell(3), cell(7))).toEqual(['3', '7']);
    expect(shownCells(cell(3), cell(5), cell(7))).toEqual(['3', '5', '7']);
    expect(shownCells(cell(5))).toEqual(['5']);
    expect(find('summary').textContent).toBe('[15]# cell 5');
    expect(find('.kfnb-output-cell').getAttribute('aria-label')).toBe(
      'Cell [15]: `x5 = 5`'
    );
    expect(details().open).toBe(false);
    expect(find('.kfnb-output-code').textContent).toBe('\n# cell 5\ny');
  });
});

function structured(data: Data): Data {
  return JSON.parse(JSON.stringify(data)) as Data;
}

describe('forms of outputs', () => {
  it('are text with colours and progress bars', () => {
    const { send } = shown();
    send([
      stream(['10%\r', '100%\n\u001b[31mred\u001b[0m']),
      stream('warned', 'stderr')
    ]);
    expect(mimes()).toEqual([
      'application/vnd.jupyter.stdout',
      'application/vnd.jupyter.stderr'
    ]);
    expect(find('.kfnb-stdout').textContent).toBe('100%\nred\n');
    expect(find('.kfnb-stdout .kfnb-is-colored').textContent).toBe('red');
  });

  it('are errors with their traceback or their message', () => {
    const { send } = shown();
    const error = { output_type: 'error', ename: 'KeyError', evalue: "'x'" };
    send([
      { ...error, traceback: ['\u001b[31mline\u001b[0m 1', 'line 2'] },
      { ...error, traceback: [] }
    ]);
    const texts = [...document.querySelectorAll('.kfnb-output-error')].map(
      element => element.textContent
    );
    expect(texts).toEqual(['line 1\nline 2\n', "KeyError: 'x'\n"]);
    expect(mimes()[0]).toBe('application/vnd.jupyter.error');
  });

  it.each(['png', 'jpeg', 'gif', 'webp'])('are pictures: %s', kind => {
    const { send } = shown();
    const mime = `image/${kind}`;
    send([
      display(
        {
          [mime]: `${PNG.slice(0, 40)}\n${PNG.slice(40)}\n`,
          'text/plain': 'x'
        },
        { [mime]: { width: 320 } }
      )
    ]);
    const image = find('img');
    expect(image.getAttribute('src')).toBe(`data:${mime};base64,${PNG}`);
    expect(image.getAttribute('width')).toBe('320');
    expect(mimes()).toEqual([mime]);
  });

  it('are SVG drawings, shown as inert images', () => {
    const { send } = shown();
    const svg =
      '<svg onload="globalThis.owned=1"><script>1</script>\ud800</svg>';
    send([display({ 'image/svg+xml': [svg], 'text/plain': 'x' })]);
    const source = find('img').getAttribute('src')!;
    expect(source).toMatch(/^data:image\/svg\+xml;charset=utf-8,%3Csvg/);
    expect(find('svg, script')).toBeNull();
  });

  it('that are invalid pictures fall back to their text', () => {
    const { send } = shown();
    send([display({ 'image/png': '"><script>', 'text/plain': 'instead' })]);
    expect(mimes()).toEqual(['text/plain']);
    send([display({ 'image/png': PNG })]);
    find('img').dispatchEvent(new Event('error'));
    expect(find('.kfnb-output').textContent).toContain('cannot be read');
  });

  it('are data as text', () => {
    const { send } = shown();
    send([display({ 'application/json': { a: [1, 2] }, 'text/plain': 'x' })]);
    expect(find('.kfnb-output').textContent).toBe(
      JSON.stringify({ a: [1, 2] }, null, 2)
    );
  });

  it.each(['text/markdown', 'text/latex'])('are unchanged text: %s', mime => {
    const { send } = shown();
    send([display({ [mime]: '# $x$ <b>', 'text/plain': 'x' })]);
    expect(mimes()).toEqual([mime]);
    expect(find('.kfnb-output').textContent).toBe('# $x$ <b>');
  });

  it('of an unknown type show their text or type', () => {
    const { send } = shown();
    send([
      display({
        'application/vnd.jupyter.widget-view+json': { model_id: '1' },
        'text/plain': 'IntSlider()'
      }),
      display({ 'application/x-other': 'y' })
    ]);
    const [one, two] = document.querySelectorAll('.kfnb-output');
    expect(one!.textContent).toBe('IntSlider()\n');
    expect(two!.textContent).toContain('application/x-other');
  });

  it('of great length show their beginning, and the rest on demand', () => {
    const { send } = shown();
    send([stream(`${'line\n'.repeat(5000)}end`)]);
    const pre = find('pre.kfnb-stdout');
    expect(pre.textContent!.length).toBeLessThan(5000);
    const note = find('.kfnb-output-note');
    expect(note.textContent).toContain('lines 400 of 5001');
    note.querySelector('button')!.click();
    expect(pre.textContent).toBe(`${'line\n'.repeat(5000)}end\n`);
    expect(find('.kfnb-output-note')).toBeNull();
    send([stream('x'.repeat(100_000))]);
    expect(find('pre.kfnb-stdout').textContent!.length).toBeLessThan(50_000);
    expect(find('.kfnb-output-note').textContent).toContain('beginning');
  });
});

describe('HTML', () => {
  it('is in a frame without scripts, network or links', () => {
    const { send } = shown();
    send([
      display({
        'text/html': `<meta http-equiv=refresh content="0;url=https://example.com">
          <link rel=preconnect href=https://example.com><base href=https://example.com>
          <a href=https://example.com ping=https://example.com onclick=x()>a</a>
          <form action=https://example.com><button formaction=https://example.com>b</button></form>
          <svg><a xlink:href=https://example.com>c</a><use href="#g"/>
          <a><set attributeName=href to=https://example.com></set></a></svg>
          <img src=https://example.com srcset=https://example.com>
          <img src=data:image/png;base64,AAAA><a href=data:image/png,x>d</a>
          <style>@import 'https://example.com'; b { background: url(https://example.com); color: red }</style>
          <style>@\\69mport 'https://example.com';</style><i style="background:url('https://example.com')">i</i>
          <svg><rect fill="url(#near)" stroke="url(https://example.com)"/></svg>
          <iframe src=https://example.com></iframe><script>x</script><b>kept</b>`,
        'text/plain': 'x'
      })
    ]);
    const frame = find('iframe');
    expect(frame.getAttribute('sandbox')).toBe('');
    expect(frame.hasAttribute('src')).toBe(false);
    const inside = framed();
    expect(inside.head.firstElementChild?.getAttribute('content')).toMatch(
      /^default-src 'none'; img-src data:; style-src 'unsafe-inline'/
    );
    expect(inside.documentElement.outerHTML).not.toContain('example.com');
    expect(inside.querySelector('script, iframe, link, base')).toBeNull();
    expect(inside.querySelectorAll('meta').length).toBe(1);
    expect(inside.querySelectorAll('[href]').length).toBe(1);
    expect(inside.querySelector('use')?.getAttribute('href')).toBe('#g');
    expect(inside.querySelectorAll('img[src]').length).toBe(1);
    expect(inside.querySelector('b')?.textContent).toBe('kept');
    expect(find('.kfnb-output-note').textContent).toContain('Scripts');
  });

  it('that needs scripts is replaced by its text', () => {
    const { send } = shown();
    const html = '<div id=plot></div><style>b{}</style><script>draw()</script>';
    send([display({ 'text/html': html, 'text/plain': '<Plot>' })]);
    expect(mimes()).toEqual(['text/plain']);
    send([display({ 'text/html': html, 'image/png': PNG })]);
    expect(mimes()).toEqual(['image/png']);
    send([display({ 'text/html': html })]);
    expect(find('.kfnb-output').textContent).toContain('executed notebook');
  });

  it('has an estimated height', () => {
    const { send } = shown();
    const height = (html: string): number => {
      send([display({ 'text/html': html })]);
      return Number.parseFloat(find('.kfnb-output-html').style.height);
    };
    const table = (rows: number): string =>
      `<table>${'<tr><td>1</td></tr>'.repeat(rows)}</table>`;
    expect(height('<b>x</b>')).toBeLessThan(80);
    expect(height(table(5))).toBeGreaterThan(140);
    expect(height(table(500))).toBe(420);
  });

  it('has tables without grids, whose numbers stay on one line', () => {
    const { send } = shown();
    send([display({ 'text/html': '<table border=1><td>-0.125</td></table>' })]);
    const sheet = framed().head.querySelector('style')!.textContent;
    expect(sheet).toMatch(/table {[^}]*overflow-wrap: normal/);
    expect(sheet).toMatch(/th, td {[^}]*border: none/);
  });

  it('follows the theme of the page', () => {
    const { send, theme } = shown();
    send([display({ 'text/html': '<b>x</b>' })]);
    const sheet = (): string | null =>
      framed().head.querySelector('style')!.textContent;
    expect(sheet()).toContain('color-scheme: light');
    theme.value = 'dark';
    expect(sheet()).toContain('color-scheme: dark');
  });
});

it('is inert, whatever it contains', () => {
  const { send } = shown();
  const all = HOSTILE.join('\n');
  send(
    [
      stream(all),
      { output_type: 'error', ename: all, evalue: all, traceback: [all] },
      ...[
        'text/html',
        'text/markdown',
        'text/latex',
        'text/javascript',
        'image/png',
        'image/svg+xml'
      ].map(mime => display({ [mime]: all, 'text/plain': all })),
      display({ 'application/json': { [all]: all } }),
      { output_type: all, data: all },
      {}
    ],
    { source: all }
  );
  for (const element of document.querySelectorAll('*')) {
    expect(['script', 'object', 'embed', 'svg', 'a']).not.toContain(
      element.localName
    );
    for (const { name, value } of element.attributes) {
      expect(name).not.toMatch(/^on/);
      if (name === 'src') {
        expect(value).toMatch(/^data:image\//);
      }
    }
  }
  for (const frame of document.querySelectorAll('iframe')) {
    expect(frame.getAttribute('sandbox')).toBe('');
  }
  expect((globalThis as { owned?: unknown }).owned).toBeUndefined();
});
