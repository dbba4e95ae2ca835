import sheet from '../style/logs.css';
import { LogView } from '../src/logs';
import { Lines } from '../src/logs/lines';
import { Search } from '../src/logs/search';
import type { LogMessage } from '../src/protocol';
import { expectInert, HOSTILE, page, type Page } from './samples';

interface Shown extends Page {
  readonly view: LogView;
  readonly send: (text: string, more?: Partial<LogMessage>) => void;
}

const sizes = { clientHeight: 180, clientWidth: 720 };

beforeEach(() => {
  for (const name of ['clientHeight', 'clientWidth'] as const) {
    Object.defineProperty(HTMLElement.prototype, name, {
      configurable: true,
      get: () => sizes[name]
    });
  }
  sizes.clientHeight = 180;
});

afterEach(() => {
  document.body.replaceChildren();
  jest.useRealTimers();
});

function shown(attempt: number | null = null): Shown {
  const made = page();
  const view = new LogView(document.body, made.context);
  view.open('n0', attempt);
  let have = 0;
  const send = (text: string, more: Partial<LogMessage> = {}): void => {
    const from = more.from ?? have;
    have = from + new Blob([text]).size;
    view.append({
      kind: 'log',
      step: 'n0',
      index: '',
      attempt: 1,
      from,
      to: have,
      total: have,
      text,
      reset: from === 0,
      attempts: [1],
      ...more
    });
  };
  return { ...made, view, send };
}

const find = (selector: string): HTMLElement =>
  document.querySelector<HTMLElement>(selector)!;
const lines = (): (string | null)[] =>
  [...document.querySelectorAll('.kfnb-log-line')].map(
    line => line.textContent
  );
const screen = (): HTMLElement => find('[role=log]');
const count = (): string | null => find('.kfnb-log-count').textContent;
const button = (name: string): HTMLButtonElement =>
  [...document.querySelectorAll<HTMLButtonElement>('button')].find(
    element =>
      (element.getAttribute('aria-label') ?? element.textContent) === name
  )!;
const numbered = (size: number, word = 'line'): string =>
  Array.from({ length: size }, (_, n) => `${word} ${n}\n`).join('');

function scroll(top: number): void {
  screen().scrollTop = top;
  screen().dispatchEvent(new Event('scroll'));
}

function type(query: string): void {
  const box = find('[role=searchbox]') as HTMLInputElement;
  box.value = query;
  box.dispatchEvent(new Event('input'));
}

function enter(shiftKey = false): KeyboardEvent {
  const event = new KeyboardEvent('keydown', {
    key: 'Enter',
    shiftKey,
    bubbles: true,
    cancelable: true
  });
  find('[role=searchbox]').dispatchEvent(event);
  return event;
}

describe('following a log', () => {
  it('is requested when it is opened, and cancelled at the end', () => {
    const { view, posted } = shown();
    view.open('n1', 2);
    view.dispose();
    expect(posted).toEqual([
      { kind: 'follow-log', step: 'n0', index: '', attempt: null, from: 0 },
      { kind: 'unfollow-log', step: 'n0', index: '' },
      { kind: 'follow-log', step: 'n1', index: '', attempt: 2, from: 0 },
      { kind: 'unfollow-log', step: 'n1', index: '' }
    ]);
    expect(find('.kfnb-log')).toBeNull();
  });

  it('keeps its text when it is opened again', () => {
    const { view, send } = shown();
    send('one\n');
    view.open('n0', null);
    expect(lines()).toEqual(['one']);
    send('one\n', { from: 0, total: 4 });
    send('two\n');
    expect(lines()).toEqual(['one', 'two']);
  });

  it('of a selected attempt continues where it was', () => {
    const { view, send, posted } = shown(1);
    send('one\n');
    view.open('n0', 1);
    expect(posted.at(-1)).toEqual({
      kind: 'follow-log',
      step: 'n0',
      index: '',
      attempt: 1,
      from: 4
    });
  });

  it('ignores messages about another step or attempt', () => {
    const { send } = shown(1);
    send('other', { step: 'n7' });
    send('other', { attempt: 2, from: 0 });
    expect(lines()).toEqual([]);
  });

  it('starts over with a new attempt, and shows its number', () => {
    const { send } = shown();
    send('first\n');
    send('second\n', { attempt: 2, attempts: [1, 2], from: 0 });
    expect(lines()).toEqual(['second']);
    expect(find('.kfnb-log-attempt').textContent).toBe('Attempt 2 of 2');
  });

  it('requests missing text', () => {
    const { send, posted } = shown();
    send('one\n');
    send('three\n', { from: 8, total: 14 });
    expect(lines()).toEqual(['one']);
    expect(posted.at(-1)).toMatchObject({ kind: 'follow-log', from: 4 });
    send('two\nthree\n', { from: 4, total: 14 });
    expect(lines()).toEqual(['one', 'two', 'three']);
  });

  it('reports text that the kernel left out', () => {
    const { send } = shown();
    send('end\n', { from: 12_000_000, reset: true });
    expect(find('.kfnb-log-note:not([hidden])').textContent).toMatch(
      /12 MB before it are not shown.*kfnb logs/
    );
    send('later\n', { from: 14_000_004, reset: true });
    expect(lines()).toEqual([
      'end',
      expect.stringMatching(/^\[2\.0 MB were printed too fast/),
      'later'
    ]);
  });

  it('explains why there is no text', () => {
    const { send, view } = shown();
    const empty = find('.kfnb-log-empty');
    expect(empty.textContent).toContain('Waiting');
    send('', { attempts: [], attempt: 0 });
    expect(empty.textContent).toContain('not started');
    send('', { attempts: [1], attempt: 1, reset: true });
    expect(empty.textContent).toContain('No output yet');
    send('x');
    expect(empty.hidden).toBe(true);
    view.open('n1', null);
    expect(empty.hidden).toBe(false);
  });
});

describe('the lines', () => {
  it('are elements only while they are visible', () => {
    const { send } = shown();
    send(numbered(200_000));
    expect(lines().length).toBeLessThan(60);
    expect(lines().at(-1)).toBe('line 199999');
    scroll(0);
    expect(lines()[0]).toBe('line 0');
    scroll(100_000 * 18);
    expect(lines()).toContain('line 100000');
    expect(lines().length).toBeLessThan(60);
  });

  it('of a million can be reached by a scrollbar that browsers support', () => {
    const { send } = shown();
    send('x\n'.repeat(1_000_000));
    const sizer = find('.kfnb-log-sizer');
    const height = Number.parseFloat(sizer.style.height);
    expect(height).toBeLessThan(16_000_000);
    scroll((height - 180) / 2);
    const top = Number.parseFloat(find('.kfnb-log-body').style.top);
    expect(Math.abs(top - screen().scrollTop)).toBeLessThan(18 * 14);
    scroll(height - 180);
    expect(find('.kfnb-log-body').style.bottom).toBe('0px');
  });

  it('stay the same elements while the log grows, so that they can be selected', () => {
    const { send } = shown();
    send('one\ntwo');
    const [one] = document.querySelectorAll('.kfnb-log-line');
    send(' and more\nthree\n');
    expect(document.querySelector('.kfnb-log-line')).toBe(one);
    expect(lines()).toEqual(['one', 'two and more', 'three']);
  });

  it('are followed until the user scrolls up, and again at the end', () => {
    const { send } = shown();
    const follow = find('[role=switch]');
    expect(follow.textContent).toBe('Follow');
    send(numbered(1000));
    expect(screen().scrollTop).toBe(1000 * 18 - 180);
    scroll(5000);
    expect(follow.getAttribute('aria-checked')).toBe('false');
    send('more\n');
    expect(screen().scrollTop).toBe(5000);
    scroll(1001 * 18 - 180);
    expect(follow.getAttribute('aria-checked')).toBe('true');
    send('more\n');
    expect(screen().scrollTop).toBe(1002 * 18 - 180);
    follow.click();
    send('more\n');
    expect(screen().scrollTop).toBe(1002 * 18 - 180);
    follow.click();
    expect(screen().scrollTop).toBe(1003 * 18 - 180);
  });

  it('are not moved during a selection', () => {
    const { send } = shown();
    send(numbered(1000));
    const top = screen().scrollTop;
    const press = (name: string): void => {
      const event = new MouseEvent(name, { bubbles: true, button: 0 });
      find('.kfnb-log-line:last-child').dispatchEvent(event);
    };
    press('pointerdown');
    send('more\n');
    expect(screen().scrollTop).toBe(top);
    press('pointerup');
    expect(screen().scrollTop).toBe(top + 18);
  });

  it('are wrapped on demand', () => {
    const { send } = shown();
    send(`${'x'.repeat(900)}\n${'y\n'.repeat(50)}`);
    const sizer = find('.kfnb-log-sizer');
    expect(sizer.style.height).toBe(`${51 * 18}px`);
    const wrap = document.querySelectorAll<HTMLElement>('[role=switch]')[1]!;
    expect(wrap.textContent).toBe('Wrap');
    wrap.click();
    // 96 characters fit in a row.
    expect(sizer.style.height).toBe(`${60 * 18}px`);
    wrap.click();
    expect(sizer.style.height).toBe(`${51 * 18}px`);
  });

  it('keep their position when a hidden log is shown again', () => {
    const { send } = shown();
    send(numbered(1000));
    scroll(5000);
    sizes.clientHeight = 0;
    scroll(0); // what browsers do to what is hidden
    send('more\n');
    sizes.clientHeight = 180;
    send('more\n');
    expect(screen().scrollTop).toBe(5000);
  });

  it('keep their position when the log is moved in the page', () => {
    const { send } = shown();
    send(numbered(1000));
    screen().scrollTop = 0; // what browsers do, without a word
    const event = Object.assign(new Event('animationstart'), {
      animationName: 'kfnb-shown'
    });
    screen().dispatchEvent(event);
    expect(screen().scrollTop).toBe(1000 * 18 - 180);
    expect(sheet).toMatch(/@keyframes kfnb-shown/);
    expect(sheet).toMatch(/\.kfnb-log-screen \{\s*animation: kfnb-shown/);
  });

  it('of a megabyte are cut, and can be shown completely', () => {
    const { send } = shown();
    send(`${'0123456789'.repeat(100_000)}\nnext\n`);
    expect(lines()[0]!.length).toBeLessThan(4200);
    expect(lines()[0]).toContain('996,000 more characters');
    find('.kfnb-log-all').click();
    const all = find('.kfnb-log-whole');
    expect(all.textContent!.length).toBe(1_000_000);
    expect(find('.kfnb-log-head').textContent).toContain(
      'Line 1: 1,000,000 characters'
    );
    [...document.querySelectorAll<HTMLElement>('.kfnb-log-head button')]
      .at(-1)!
      .click();
    expect(find('.kfnb-log-long').hidden).toBe(true);
    find('.kfnb-log-all').click();
    find('.kfnb-log-whole').dispatchEvent(
      new KeyboardEvent('keydown', { key: 'Escape', bubbles: true })
    );
    expect(find('.kfnb-log-whole')).toBeNull();
    expect(document.activeElement).toBe(screen());
  });

  it('are only text, whatever is printed', () => {
    const { send } = shown();
    send(HOSTILE.join('\n'));
    type('o');
    expectInert(find('.kfnb-log'));
    expect(find('.kfnb-log-body').textContent).toContain(HOSTILE[1]);
  });

  it('that are too many are removed from the beginning, with a notice', () => {
    const { send } = shown();
    for (let n = 0; n < 21; n += 1) {
      send('x\n'.repeat(100_000));
    }
    expect(find('.kfnb-log-note:not([hidden])').textContent).toMatch(
      /\d+ kB|MB/
    );
    send('last\n');
    expect(lines().at(-1)).toBe('last');
  });
});

/** Waits for a search, which works in slices so that the page stays responsive. */
async function searched(): Promise<void> {
  while (count()?.endsWith('…')) {
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

describe('searching', () => {
  it('counts the matches and goes to the next and previous one', () => {
    const { send } = shown();
    send(numbered(12, 'epoch'));
    scroll(0);
    type('epoch 1');
    expect(count()).toBe('1 of 3');
    enter();
    expect(count()).toBe('2 of 3');
    button('Next match').click();
    button('Next match').click();
    expect(count()).toBe('1 of 3');
    const event = enter(true);
    expect(event.defaultPrevented).toBe(true);
    expect(count()).toBe('3 of 3');
    button('Previous match').click();
    expect(count()).toBe('2 of 3');
    const [, current] = document.querySelectorAll('mark');
    expect(current!.getAttribute('aria-current')).toBe('true');
    expect(document.querySelectorAll('mark').length).toBe(3);
    type('');
    expect([count(), document.querySelectorAll('mark').length]).toEqual([
      '',
      0
    ]);
  });

  it('begins at the visible lines', () => {
    const { send } = shown();
    send(numbered(100, 'epoch'));
    scroll(50 * 18);
    type('epoch 5');
    expect(count()).toBe('2 of 11');
  });

  it('is case-sensitive on demand', () => {
    const { send } = shown();
    send('Loss loss LOSS (.*)\n');
    type('loss');
    expect(count()).toBe('1 of 3');
    button('Match case').click();
    expect(count()).toBe('1 of 1');
    type('(.*)');
    expect(count()).toBe('1 of 1');
    type('lots');
    expect(count()).toBe('not found');
  });

  it('finds text that is printed later, also in an unfinished line', () => {
    const { send } = shown();
    send('a hit\n');
    type('hit');
    send('another h');
    expect(count()).toBe('1 of 1');
    send('it');
    expect(count()).toBe('1 of 2');
    send(' and\n');
    expect(count()).toBe('1 of 2');
    enter();
    expect(count()).toBe('2 of 2');
  });

  it('counts later matches without scrolling to them', () => {
    const { send } = shown();
    send(numbered(100));
    type('needle');
    expect(count()).toBe('not found');
    send(`needle\n${numbered(100)}`);
    expect(count()).toBe('1');
    expect(lines()).toContain('line 99');
    expect(find('[role=switch]').getAttribute('aria-checked')).toBe('true');
    enter();
    expect(count()).toBe('1 of 1');
    expect(lines()).toContain('needle');
  });

  it('keeps its match when older lines are removed', () => {
    const made = new Lines(100, 1e6);
    const search = new Search(made);
    search.set('hit', false);
    made.add('hit hit\n'.repeat(90));
    search.go();
    const hit = search.hit(161)!;
    expect([hit, search.count]).toEqual([{ line: 80, nth: 1 }, 180]);
    made.add('x\n'.repeat(20));
    search.go();
    expect(made.first).toBe(35);
    expect([search.count, search.indexOf(hit)]).toEqual([110, 91]);
    expect(search.hit(91)).toEqual(hit);
    expect(search.indexOf({ line: 3, nth: 0 })).toBeNull();
    expect(search.from(60)).toBe(50);
  });

  it('scrolls to a match and stops following', async () => {
    const { send } = shown();
    send(`${numbered(5000)}needle\n${numbered(5000)}`);
    type('needle');
    await searched();
    expect(count()).toBe('1 of 1');
    expect(lines()).toContain('needle');
    expect(find('[role=switch]').getAttribute('aria-checked')).toBe('false');
    send('more\n');
    expect(lines()).toContain('needle');
  });

  it('finds text across colours, and far in a long line', () => {
    const { send } = shown();
    send(`ne\u001b[31med\u001b[0mle\n${'x'.repeat(50_000)}needle\n`);
    type('needle');
    expect(find('mark').textContent).toBe('needle');
    enter();
    expect(count()).toBe('2 of 2');
    expect(lines()[1]).toContain('characters before this');
    expect(find('mark[aria-current]').textContent).toBe('needle');
  });

  it('does not block the page', () => {
    jest.useFakeTimers({ doNotFake: ['performance'] });
    const { send } = shown();
    send('some words of a line that is looked at\n'.repeat(400_000));
    type('looked');
    // A part was searched at once; the rest waits for the page to be free.
    expect(count()).toMatch(/…$/);
    jest.runAllTimers();
    expect(count()).toMatch(/of 400,000$/);
  });
});

describe('copying', () => {
  function clipboard(value: unknown): void {
    Object.defineProperty(navigator, 'clipboard', {
      configurable: true,
      value
    });
  }

  it('copies all lines without escape sequences', async () => {
    const written: string[] = [];
    clipboard({
      writeText: (text: string) => {
        written.push(text);
        return Promise.resolve();
      }
    });
    const { send } = shown();
    send(`\u001b[31mred\u001b[0m\n${numbered(1000)}end`);
    button('Copy').click();
    await Promise.resolve();
    expect(written).toEqual([`red\n${numbered(1000)}end`]);
    expect(find('p[role=status]').textContent).toContain('copied');
  });

  it.each([undefined, { writeText: () => Promise.reject(new Error('no')) }])(
    'says so when the browser does not let it',
    async value => {
      clipboard(value);
      const { send } = shown();
      send('one\n');
      button('Copy').click();
      await new Promise(done => setTimeout(done));
      const notice = find('p[role=status]');
      expect(notice.hidden).toBe(false);
      expect(notice.textContent).toContain('does not allow this page to copy');
    }
  );
});
