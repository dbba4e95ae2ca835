import { MetricsChart } from '../src/chart';
import { Column } from '../src/chart/series-data';
import { smoothed } from '../src/chart/smoothing';
import { Tooltip } from '../src/chart/tooltip';
import type { Point, Series } from '../src/protocol';
import { expectInert, HOSTILE, page } from './samples';

const WIDTH = 600;

/** Records the calls of a canvas context, which jsdom does not have. */
let drawn: [string, ...unknown[]][] = [];
let inked: string[] = [];
let frames: (() => void)[] = [];

beforeEach(() => {
  [drawn, inked, frames] = [[], [], []];
  const pen = new Proxy(
    {},
    {
      get: (_, name) =>
        name === 'measureText'
          ? (text: string) => ({ width: 6 * text.length })
          : (...args: unknown[]) => drawn.push([String(name), ...args]),
      set: (_, name, value) => {
        if (name === 'strokeStyle') {
          inked.push(String(value));
        }
        return true;
      }
    }
  );
  const is = (name: 'clientWidth' | 'clientHeight', value: number): void => {
    jest.spyOn(HTMLElement.prototype, name, 'get').mockReturnValue(value);
  };
  is('clientWidth', WIDTH);
  is('clientHeight', 280);
  jest
    .spyOn(HTMLCanvasElement.prototype, 'getContext')
    .mockReturnValue(pen as unknown as RenderingContext);
  jest
    .spyOn(globalThis, 'requestAnimationFrame')
    .mockImplementation(act => frames.push(() => act(0)));
  HTMLElement.prototype.setPointerCapture = () => undefined;
});

afterEach(() => {
  for (const details of document.querySelectorAll('details')) {
    details.open = false; // it tells of being opened after the test otherwise
  }
  document.body.replaceChildren();
});

function paint(): void {
  [drawn, inked] = [[], []];
  frames.splice(0).forEach(act => act());
}

const calls = (name: string): unknown[][] =>
  drawn.filter(([called]) => called === name).map(([, ...args]) => args);

function series(
  name: string,
  values: readonly (number | string | null)[],
  { run = 'run-1', title = '', step = 'train', index = '' } = {}
): Series {
  const points = values.map((value, n): Point => [1000 + 2 * n, n, value]);
  return { run, title, step, index, name, points };
}

const RISING = Array.from({ length: 101 }, (_, n) => n + 1);

function shown(...all: readonly Series[]): MetricsChart {
  const chart = new MetricsChart(document.body, page().context);
  chart.setSeries(all);
  paint();
  return chart;
}

function find(selector: string): HTMLElement {
  return document.querySelector<HTMLElement>(selector)!;
}

function button(name: string): HTMLButtonElement {
  return [...document.querySelectorAll('button')].find(
    ({ textContent }) => textContent === name
  )!;
}

const range = (): number[] => {
  const { xMin, xMax } = find('.kfnb-chart').dataset;
  return [Number(xMin), Number(xMax)];
};

/** Mouse events, because jsdom has no pointer events. */
function point(type: string, clientX: number, more: MouseEventInit = {}): void {
  find('.kfnb-chart-plot').dispatchEvent(
    new MouseEvent(type, { clientX, bubbles: true, ...more })
  );
}

function drag(from: number, to: number, more: MouseEventInit = {}): void {
  point('pointerdown', from, more);
  point('pointermove', (from + to) / 2, more);
  point('pointermove', to, more);
  point('pointerup', to, more);
}

function press(key: string): void {
  find('.kfnb-chart-plot').dispatchEvent(
    new KeyboardEvent('keydown', { key, bubbles: true })
  );
}

describe('the metrics chart', () => {
  it('explains how to log metrics while there are none', () => {
    shown();
    const empty = find('.kfnb-chart-empty');
    expect(empty.textContent).toMatch(/^No metrics yet\. .*kfnb\.log_metric/);
    expect(find('.kfnb-chart').dataset.series).toBe('0');
  });

  it('has a plot for each metric, and the name of the first', () => {
    shown(
      series('loss', [1, 2]),
      series('accuracy', [1, 2]),
      series('loss', [3], { run: 'run-2' })
    );
    const names = [...document.querySelectorAll('.kfnb-chart-name')];
    expect(names.map(({ textContent }) => textContent)).toEqual([
      'loss',
      'accuracy'
    ]);
    expect(document.querySelectorAll('.kfnb-chart-plot').length).toBe(1);
    expect(document.querySelectorAll('.kfnb-chart-area').length).toBe(2);
    expect(find('.kfnb-chart').dataset.series).toBe('3');
    expect(find('.kfnb-chart-empty').hidden).toBe(true);
  });

  it('draws each run with its own dashes', () => {
    shown(
      series('loss', RISING),
      series('loss', RISING, { run: 'run-2' }),
      series('loss', RISING, { run: 'run-3' })
    );
    const dashes = calls('setLineDash').map(args => JSON.stringify(args));
    expect(new Set(dashes).size).toBe(3);
  });

  it('draws and reports a gap where a value is not a number', () => {
    shown(series('loss', [1, 2, 'nan', 4, 5]));
    expect(find('.kfnb-chart-notes').textContent).toContain(
      'not finite numbers (gaps, marked × below): 1'
    );
    shown(series('loss', [1, 2, 3, 4, 5]));
    expect(document.querySelectorAll('.kfnb-chart-notes')[1]?.textContent).toBe(
      ''
    );
  });

  it('has the name of its axis, and a number at its top', () => {
    shown(series('loss', [0.13, 0.42, 0.97]));
    const texts = calls('fillText').map(([text]) => text);
    expect(texts).toContain('Step');
    const top = calls('fillText')
      .filter(([text]) => !Number.isNaN(Number(text)))
      .reduce((a, b) => (Number(a[2]) < Number(b[2]) ? a : b));
    expect(top.slice(0, 1)).toEqual(['1']);
    expect(Number(top[2])).toBeLessThan(10);
  });

  it('is smoothed on request, with the values behind it', () => {
    shown(series('loss', [1, 0, 1, 0, 1, 0]));
    expect(calls('stroke').length).toBe(3);
    const choice = [...document.querySelectorAll('label')].find(
      ({ textContent }) => textContent?.startsWith('Smoothing')
    )!;
    const select = choice.querySelector('select')!;
    select.value = '0.9';
    select.dispatchEvent(new Event('change'));
    paint();
    expect(calls('stroke').length).toBe(4);
  });

  it('shows a single point between gaps', () => {
    shown(series('best', [0.5, 'nan']));
    expect(calls('arc').length).toBe(1);
    expect(calls('arc')[0]!.every(Number.isFinite)).toBe(true);
  });

  it('draws once for all changes in a frame', () => {
    const chart = shown(series('loss', [1]));
    const before = series('loss', [2]);
    for (let n = 1; n < 50; n += 1) {
      chart.append([{ ...before, points: [[1000 + n, n, n]] }]);
    }
    expect(frames.length).toBe(1);
    paint();
    expect(calls('clearRect').length).toBe(1);
    expect(range()).toEqual([0, 49]);
  });

  it('does not change the series that it is given', () => {
    const given = series('loss', [1]);
    const chart = shown(given);
    chart.append([series('loss', [2])]);
    expect(given.points.length).toBe(1);
  });

  it('adds a plot for a new metric', () => {
    const chart = shown(series('loss', [1, 2]));
    chart.append([series('accuracy', [2, 3])]);
    expect(find('.kfnb-chart').dataset.series).toBe('2');
    expect(document.querySelectorAll('.kfnb-chart-area').length).toBe(2);
  });
});

describe('a metric with one value', () => {
  const rows = (): (string | null)[] =>
    [...document.querySelectorAll('.kfnb-chart-singles li')].map(
      ({ textContent }) => textContent
    );

  it('is shown as text instead of a plot', () => {
    shown(series('loss', [1, 2]), series('accuracy', [0.97]));
    expect(rows()).toEqual(['accuracytrain0.97']);
    expect(document.querySelectorAll('.kfnb-chart-area').length).toBe(1);
    expect(range()).toEqual([0, 1]);
  });

  it('shows the value of each run', () => {
    const run = (id: string, value: number): Series =>
      series('accuracy', [value], { run: id });
    const chart = shown(run('a', 0.9), run('b', 0.95));
    expect(rows()).toEqual(['accuracya0.9b0.95']);
    expect(find('.kfnb-chart-bar').hidden).toBe(true);
    expect(find('.kfnb-chart-empty').hidden).toBe(true);
    expect(
      document.querySelectorAll('.kfnb-chart-singles .kfnb-chart-sample').length
    ).toBe(2);
    chart.setSeries([run('a', 0.8)]);
    expect(rows()).toEqual(['accuracytrain0.8']);
  });

  it('becomes a plot with the second value', () => {
    const chart = shown(series('loss', [1]));
    chart.append([{ ...series('loss', []), points: [[1002, 1, 2]] }]);
    paint();
    expect(rows()).toEqual([]);
    expect(calls('lineTo').length).toBeGreaterThan(0);
    expect(range()).toEqual([0, 1]);
  });
});

describe('the visible range', () => {
  it('is set by dragging and reset by the button', () => {
    shown(series('loss', RISING));
    expect(range()).toEqual([0, 100]);
    point('pointerdown', 150);
    point('pointermove', 300);
    expect(find('.kfnb-chart-brush').hidden).toBe(false);
    point('pointerup', 300);
    expect(find('.kfnb-chart-brush').hidden).toBe(true);
    const [low, high] = range() as [number, number];
    expect(low).toBeGreaterThan(10);
    expect(low).toBeLessThan(high);
    expect(high).toBeLessThan(60);
    button('Reset zoom').click();
    expect(range()).toEqual([0, 100]);
  });

  it('is not changed by a click', () => {
    shown(series('loss', RISING));
    drag(150, 152);
    expect(range()).toEqual([0, 100]);
  });

  it('moves with Shift and is reset by a double click', () => {
    shown(series('loss', RISING));
    drag(150, 300);
    const [low, high] = range() as [number, number];
    drag(300, 200, { shiftKey: true });
    const moved = range() as [number, number];
    expect(moved[0]).toBeGreaterThan(low);
    expect(moved[1] - moved[0]).toBeCloseTo(high - low);
    point('dblclick', 100);
    expect(range()).toEqual([0, 100]);
  });

  it('zooms by the wheel with Ctrl; without it the page scrolls', () => {
    shown(series('loss', RISING));
    const turn = (deltaY: number, ctrlKey: boolean): boolean =>
      find('.kfnb-chart-plot').dispatchEvent(
        new WheelEvent('wheel', {
          deltaY,
          ctrlKey,
          clientX: 300,
          bubbles: true,
          cancelable: true
        })
      );
    expect(turn(-100, false)).toBe(true);
    expect(range()).toEqual([0, 100]);
    expect(turn(-100, true)).toBe(false);
    const [low, high] = range() as [number, number];
    expect(low > 0 && high < 100).toBe(true);
    turn(200, true);
    turn(200, true);
    expect(range()).toEqual([0, 100]);
  });

  it('follows the keys', () => {
    shown(series('loss', RISING));
    press('+');
    const [low, high] = range() as [number, number];
    expect(low > 0 && high < 100).toBe(true);
    press('ArrowRight');
    expect(range()[0]).toBeGreaterThan(low);
    press('ArrowLeft');
    expect(range()[0]).toBeCloseTo(low);
    press('-');
    expect(range()).toEqual([0, 100]);
    press('+');
    press('0');
    expect(range()).toEqual([0, 100]);
  });

  it('stays when points are added', () => {
    const chart = shown(series('loss', RISING));
    drag(150, 300);
    const before = range();
    chart.append([
      { ...series('loss', []), points: [[9000, 5000, 1] as Point] }
    ]);
    expect(range()).toEqual(before);
  });

  it('is of steps, of time since the start of the run, or of the order', () => {
    shown(series('loss', RISING), {
      ...series('loss', [], { run: 'run-2' }),
      points: [[9e9, 3, 1]]
    });
    const axis = find('select') as HTMLSelectElement;
    expect(axis.value).toBe('step');
    const choose = (value: string): number[] => {
      axis.value = value;
      axis.dispatchEvent(new Event('change'));
      return range();
    };
    expect(choose('time')).toEqual([0, 200]);
    drag(150, 300);
    expect(choose('index')).toEqual([0, 100]);
  });

  it('is of the order if no point has a step', () => {
    shown({
      ...series('loss', []),
      points: [
        [1, null, 1],
        [5, null, 2]
      ]
    });
    expect((find('select') as HTMLSelectElement).value).toBe('index');
    expect(range()).toEqual([0, 1]);
  });
});

describe('the logarithmic scale', () => {
  it('is a switch, and reports values that it cannot show', () => {
    shown(series('loss', [100, 10, 0, -1, 1]));
    const log = button('Log scale');
    expect(log.getAttribute('aria-pressed')).toBe('false');
    log.click();
    paint();
    expect(log.getAttribute('aria-pressed')).toBe('true');
    expect(find('.kfnb-chart-notes').textContent).toMatch(
      /zero or less, which a logarithmic scale cannot show .*: 2$/
    );
    expect(calls('fillText').map(([text]) => text)).toContain('10');
    log.click();
    paint();
    expect(find('.kfnb-chart-notes').textContent).toBe('');
  });

  it('reports that there are no positive values', () => {
    shown(series('loss', [-1, -2]));
    button('Log scale').click();
    paint();
    const nothing = find('.kfnb-chart-nothing');
    expect([nothing.hidden, nothing.textContent]).toEqual([
      false,
      'Nothing to draw in this range.'
    ]);
  });
});

describe('the legend', () => {
  it('hides a line, also after all points are sent again', () => {
    const both = [series('loss', RISING), series('accuracy', RISING)];
    const chart = shown(...both);
    const [entry] = document.querySelectorAll<HTMLElement>(
      '.kfnb-chart-legend button'
    );
    entry!.click();
    expect(entry!.getAttribute('aria-pressed')).toBe('false');
    expect(find('.kfnb-chart').dataset.series).toBe('1');
    paint();
    expect(find('.kfnb-chart-nothing').textContent).toBe(
      'All lines are hidden.'
    );
    chart.setSeries(both);
    expect(find('.kfnb-chart').dataset.series).toBe('1');
    entry!.click();
    expect(find('.kfnb-chart').dataset.series).toBe('2');
  });

  it('hides all lines of a run at once', () => {
    shown(
      series('loss', RISING),
      series('accuracy', RISING),
      series('loss', RISING, { run: 'run-2' })
    );
    const [first] = document.querySelectorAll<HTMLElement>(
      '.kfnb-chart-runs button'
    );
    find('.kfnb-chart-legend button').click();
    expect(first!.getAttribute('aria-pressed')).toBe('mixed');
    first!.click();
    expect(find('.kfnb-chart').dataset.series).toBe('1');
    first!.click();
    expect(find('.kfnb-chart').dataset.series).toBe('3');
  });
});

describe('the values', () => {
  it('of the lines of a plot are shown beside the pointer, at one x in all plots', () => {
    shown(
      series('loss', [0.5, 0.25, 0.125]),
      series('loss', [1, 2, 3], { run: 'run-2' }),
      series('accuracy', [0.7, 'nan', 0.9])
    );
    point('pointermove', 330);
    const tip = find('.kfnb-chart-tip');
    expect(tip.hidden).toBe(false);
    expect(tip.querySelector('.kfnb-chart-at')?.textContent).toBe('Step 1');
    const cells = [...tip.querySelectorAll('tr')].map(
      ({ textContent }) => textContent
    );
    // Values of other plots would make it cover them.
    expect(cells).toEqual(['run-10.25', 'run-22']);
    const crosses = [
      ...document.querySelectorAll<HTMLElement>('.kfnb-chart-cross')
    ];
    expect(crosses.map(({ hidden }) => hidden)).toEqual([false, false]);
    point('pointerleave', 0);
    expect(tip.hidden).toBe(true);
    expect(find('.kfnb-chart-cross').hidden).toBe(true);
  });

  it('stay within their own plot', () => {
    const area = { left: 300, top: 40, right: 500, bottom: 250 };
    const tip = new Tooltip(page().context);
    const is = (name: 'offsetWidth' | 'offsetHeight', value: number): void => {
      Object.defineProperty(tip.node, name, { value });
    };
    is('offsetWidth', 120);
    is('offsetHeight', 80);
    const left = (x: number): number => {
      tip.moveBeside(x, area);
      return Number.parseFloat(tip.node.style.left);
    };
    expect(left(310)).toBe(324);
    expect(left(490)).toBe(356);
    for (let x = area.left; x <= area.right; x += 10) {
      expect(left(x)).toBeGreaterThanOrEqual(area.left);
      expect(left(x) + 120).toBeLessThanOrEqual(area.right + 1);
    }
  });

  it('have their own x if it differs', () => {
    shown(series('loss', RISING), {
      ...series('loss', [], { run: 'run-2' }),
      points: [
        [0, 0, 7],
        [0, 40, 8],
        [0, 100, 9]
      ]
    });
    point('pointermove', 330);
    expect(find('.kfnb-chart-tip').textContent).toMatch(/run-28 at 40$/);
  });

  it('are a table for screen readers', () => {
    jest.useFakeTimers();
    const chart = shown(series('loss', [3, 'inf', 1, 2]));
    const details = find('.kfnb-chart-values') as HTMLDetailsElement;
    details.open = true;
    details.dispatchEvent(new Event('toggle'));
    const row = (): (string | null)[] =>
      [...details.querySelectorAll('tbody tr > *')].map(
        ({ textContent }) => textContent
      );
    const before = ['loss', 'train', 'run-1', '2', '1', '3', '4', '1'];
    expect(row()).toEqual(before);
    chart.append([series('loss', [9])]);
    expect(row()).toEqual(before);
    jest.advanceTimersByTime(1000);
    expect(row()[3]).toBe('9');
    chart.append([series('loss', [10])]);
    details.open = false;
    chart.dispose();
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });
});

it('takes its colours from the theme, also when that changes', () => {
  const { context, theme } = page();
  let color = 'rgb(1, 1, 1)';
  jest.spyOn(globalThis, 'getComputedStyle').mockImplementation(
    () =>
      ({
        fontFamily: 'serif',
        getPropertyValue: (name: string) =>
          name === '--kfnb-chart-0' ? color : ''
      }) as CSSStyleDeclaration
  );
  const chart = new MetricsChart(document.body, context);
  chart.setSeries([series('loss', RISING)]);
  paint();
  expect(inked).toContain('rgb(1, 1, 1)');
  color = 'rgb(2, 2, 2)';
  theme.value = 'dark';
  paint();
  expect(inked).toContain('rgb(2, 2, 2)');
  chart.dispose();
  theme.value = 'light';
  expect(frames).toEqual([]);
  expect(find('.kfnb-chart')).toBeNull();
});

it('shows hostile names as text', () => {
  const chart = shown(
    ...HOSTILE.map(name =>
      series(name, [1, 2], { run: name, title: name, step: name })
    ),
    ...HOSTILE.map(name => series(name, [1, 2], { run: 'other', step: name }))
  );
  point('pointermove', 330);
  const details = find('.kfnb-chart-values') as HTMLDetailsElement;
  details.open = true;
  details.dispatchEvent(new Event('toggle'));
  expectInert(chart.node);
  expect(find('.kfnb-chart-name').textContent).toBe(HOSTILE[0]);
  expect(document.querySelectorAll('.kfnb-chart-area').length).toBe(
    HOSTILE.length
  );
});

it('a smoothed line begins at its first value and keeps gaps', () => {
  const [xs, ys] = [new Column(), new Column()];
  [4, 4, NaN, 8].forEach((value, n) => {
    xs.push(n);
    ys.push(value);
  });
  const smooth = smoothed({ xs, ys }, 0.5).ys;
  expect([0, 1, 2, 3].map(n => smooth.at(n))).toEqual([
    4,
    4,
    NaN,
    expect.closeTo(6.29, 2)
  ]);
});
