import { contrast, dress } from '../src/logs/colors';
import { Lines } from '../src/logs/lines';
import { runsOf } from '../src/logs/terminal-line';
import { PLAIN, RGB, selected, type Style } from '../src/logs/style';

const ESC = '\u001b';

function lines(...pieces: string[]): Lines {
  const made = new Lines();
  pieces.forEach(piece => made.add(piece));
  return made;
}

function texts(...pieces: string[]): string[] {
  const made = lines(...pieces);
  return Array.from({ length: made.end }, (_, n) => made.text(n));
}

/** The pieces of a line: text and the parts of its style that are not plain. */
function looks(...pieces: string[]): [string, Partial<Style>][] {
  const line = lines(...pieces).at(0);
  const text = typeof line === 'string' ? line : line.text;
  const runs = [{ start: 0, style: PLAIN }, ...runsOf(line)];
  return runs
    .map(({ start, style }, n): [string, Partial<Style>] => [
      text.slice(start, runs[n + 1]?.start),
      Object.fromEntries(
        Object.entries(style).filter(([, value]) => value !== null && value)
      )
    ])
    .filter(([piece]) => piece);
}

describe('colours and styles', () => {
  it.each([
    ['31', { color: 1 }],
    ['97', { color: 15 }],
    ['44', { background: 4 }],
    ['102', { background: 10 }],
    ['1;3;4;9', { bold: true, italic: true, underline: true, strike: true }],
    ['2;7', { dim: true, inverse: true }],
    ['38;5;208', { color: 208 }],
    ['48;5;0;1', { background: 0, bold: true }],
    ['38;2;255;128;0', { color: RGB + 0xff8000 }],
    ['38:2::255:128:0', { color: RGB + 0xff8000 }],
    ['48:5:17;31', { background: 17, color: 1 }],
    ['58;5;9;1', { bold: true }],
    ['4:3', { underline: true }],
    ['99;31', { color: 1 }]
  ])('%s', (parameters, wanted) => {
    expect(selected(PLAIN, parameters)).toEqual({ ...PLAIN, ...wanted });
  });

  it.each(['0', '', '22;23;24;27;29;39;49', '4:0;22;23;27;29;39;49'])(
    'are taken back by %p',
    parameters => {
      const all = selected(PLAIN, '1;2;3;4;7;9;31;42');
      expect(selected(all, parameters)).toBe(PLAIN);
    }
  );

  it('continue in the next line and in the next piece', () => {
    const made = lines(`${ESC}[3`, '1mred\nstill', ` red${ESC}[0m not`);
    expect(runsOf(made.at(1))).toEqual([
      { start: 0, style: { ...PLAIN, color: 1 } },
      { start: 9, style: PLAIN }
    ]);
  });

  it('are readable in both themes, whatever colour is given', () => {
    const behind = { l: [243, 244, 246], d: [33, 38, 44] } as const;
    for (const color of [0, 7, 11, 15, 16, 51, 226, 255, RGB + 0xffff80]) {
      const span = document.createElement('span');
      dress(span, { ...PLAIN, color });
      for (const theme of ['l', 'd'] as const) {
        const value = span.style.getPropertyValue(`--kfnb-${theme}`);
        const [r = 0, g = 0, b = 0] = value.match(/\d+/g)!.map(Number);
        expect(contrast([r, g, b], behind[theme])).toBeGreaterThan(4.4);
      }
      const marked = document.createElement('span');
      dress(marked, { ...PLAIN, background: color, color });
      const [text, back] = [
        marked.style.color,
        marked.style.backgroundColor
      ].map(value => {
        const [r = 0, g = 0, b = 0] = value.match(/\d+/g)!.map(Number);
        return [r, g, b] as const;
      });
      expect(contrast(text!, back!)).toBeGreaterThan(4.4);
    }
  });
});

describe('other sequences', () => {
  it('are dropped, wherever a piece ends', () => {
    const hidden = [
      `${ESC}[2A`,
      `${ESC}[?25l`,
      `${ESC}[>4;2m`,
      `${ESC}[10;20H`,
      `${ESC}]0;a title\u0007`,
      `${ESC}]8;;https://example.com${ESC}\\`,
      `${ESC}P+q544e${ESC}\\`,
      `${ESC}(B`,
      `${ESC}7`,
      '\u0007',
      '\u0000'
    ];
    for (const sequence of hidden) {
      for (let at = 0; at <= sequence.length; at += 1) {
        const [head, tail] = [sequence.slice(0, at), sequence.slice(at)];
        expect(texts(`a${head}`, `${tail}b`)).toEqual(['ab']);
      }
    }
  });

  it('do not hide the text after an incomplete one', () => {
    expect(texts(`${ESC}]0;no end\nnext`)).toEqual(['', 'next']);
    expect(texts(`${ESC}[31\nnext`)).toEqual(['', 'next']);
    expect(texts(`${ESC}[31é`)).toEqual(['é']);
    expect(texts(`${ESC}[${'1'.repeat(5000)}xtext`)[0]).toContain('text');
    // A quotation mark that was decoded wrongly begins no sequence.
    expect(texts('â\u0080\u009dquoted')).toEqual(['âquoted']);
  });

  it('may be split between two pieces', () => {
    expect(texts('a\ud83c', '\udfb2b')).toEqual(['a🎲b']);
    expect(texts('x\r\ud83c', '\udfb2')).toEqual(['🎲']);
  });
});

describe('progress bars', () => {
  it('overwrite their line', () => {
    expect(texts('  0%|   |', '\r 50%|█  |', '\r100%|██ |\n', 'end\n')).toEqual(
      ['100%|██ |', 'end']
    );
  });

  it('keep the end of a longer text unless it is erased', () => {
    expect(texts('long line\rab')).toEqual(['abng line']);
    expect(texts(`long line\r${ESC}[Kab`)).toEqual(['ab']);
    expect(texts(`long line${ESC}[2K\rab`)).toEqual(['ab']);
    expect(texts(`long line\b\b\b\b\b${ESC}[1Kx`)).toEqual(['    xline']);
    expect(texts('done     \r    \n')).toEqual(['']);
  });

  it('may end lines with CR LF', () => {
    expect(texts('one\r', '\ntwo\r\r\n')).toEqual(['one', 'two']);
  });

  it('move back by characters, but not before the beginning', () => {
    expect(texts('\b\babc\b\bX')).toEqual(['aXc']);
    expect(texts('🎲\b|')).toEqual(['|']);
  });

  it('keep the colours of the remaining text', () => {
    expect(looks(`${ESC}[31mred red${ESC}[0m\r${ESC}[32mgr`)).toEqual([
      ['gr', { color: 2 }],
      ['d red', { color: 1 }]
    ]);
  });

  it('are possible in a line of a megabyte', () => {
    // Copying the line for each of them would copy 300 GB, which no test run survives.
    const made = lines(
      'x'.repeat(1e6),
      '\rA'.repeat(2e5),
      '\b \bB'.repeat(1e5)
    );
    expect(made.text(0).length).toBe(1e6);
  });
});
