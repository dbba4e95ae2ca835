import { CompareView } from '../src/compare';
import type { CodeLine, ComparedRun, Json, StepStatus } from '../src/protocol';
import { expectInert, HOSTILE, page, type Page } from './samples';

function run(id: string, more: Partial<ComparedRun> = {}): ComparedRun {
  return {
    id,
    title: '',
    status: 'succeeded',
    created: 1_700_000_000,
    duration: 10,
    parameters: {},
    metrics: {},
    steps: {},
    ...more
  };
}

interface Shown extends Page {
  readonly view: CompareView;
}

function shown(...runs: readonly ComparedRun[]): Shown {
  const made = page();
  const view = new CompareView(document.body, made.context);
  view.show({ kind: 'compare', runs, code: [] });
  return { ...made, view };
}

const find = (selector: string): HTMLElement =>
  document.querySelector<HTMLElement>(selector)!;

/** A row's cells; those that differ from the first are in brackets. */
function row(name: string): string[] | null {
  const found = [...document.querySelectorAll('tbody tr')].find(
    one => one.querySelector('bdi')?.textContent === name
  );
  return found
    ? [...found.querySelectorAll<HTMLElement>('td')].map(cell =>
        cell.dataset.differs ? `[${cell.textContent}]` : cell.textContent!
      )
    : null;
}

const differs = (name: string): boolean =>
  [...document.querySelectorAll('tr[data-differs=true] > th')].some(
    ({ textContent }) => textContent === `≠${name} (differs)`
  );

function press(name: string): HTMLButtonElement {
  const found = [...document.querySelectorAll('button')].find(
    ({ textContent }) => textContent === name
  )!;
  found.click();
  return found;
}

afterEach(() => {
  document.body.replaceChildren();
  jest.useRealTimers();
});

describe('compared runs', () => {
  it('are requested once each', () => {
    const made = page();
    new CompareView(document.body, made.context).open(['a', 'b', 'a']);
    expect(made.posted).toEqual([{ kind: 'compare', runs: ['a', 'b'] }]);
    expect(find('.kfnb-compare').textContent).toContain('are being read');
  });

  it('are asked for where none was chosen', () => {
    const made = page();
    const view = new CompareView(document.body, made.context);
    const added = jest.fn();
    view.onAdd = added;
    view.open([]);
    expect(made.posted).toEqual([]);
    expect(find('.kfnb-compare').textContent).toContain('The tab “Runs”');
    press('Choose runs');
    expect(added).toHaveBeenCalled();
  });

  it('have the names that people gave them', () => {
    shown(run('20261123-a1b2', { title: 'slow' }), run('20261123-c3d4'));
    const heads = [...document.querySelectorAll('th[data-run] bdi')];
    expect(heads.map(({ textContent }) => textContent)).toEqual([
      'slow · a1b2',
      '20261123-c3d4'
    ]);
  });

  it('mark different parameters, not only by colour', () => {
    const parameters = (
      rate: Json,
      model: Json
    ): ComparedRun['parameters'] => ({
      rate,
      model,
      seed: 3
    });
    shown(
      run('a', { parameters: parameters(0.1, 'svm') }),
      run('b', { parameters: parameters(0.1, 'tree') }),
      run('c', { parameters: { ...parameters(0.5, 'svm'), extra: true } })
    );
    expect(row('rate')).toEqual(['0.1', '0.1', '[0.5]']);
    expect(row('model')).toEqual(['svm', '[tree]', 'svm']);
    expect(row('seed')).toEqual(['3', '3', '3']);
    expect(row('extra')).toEqual(['–', '–', '[true]']);
    expect(['rate', 'model', 'extra', 'seed'].map(differs)).toEqual([
      true,
      true,
      true,
      false
    ]);
  });

  it('have equal parameters whatever the order of keys', () => {
    shown(
      run('a', { parameters: { x: { b: [1, { d: 1, c: 2 }], a: 1 } } }),
      run('b', { parameters: { x: { a: 1, b: [1, { c: 2, d: 1 }] } } }),
      run('c', { parameters: { x: { a: 1, b: [{ c: 2, d: 1 }, 1] } } })
    );
    const cells = row('x')!;
    expect(cells.map(cell => cell.startsWith('['))).toEqual([
      false,
      false,
      true
    ]);
  });

  it('distinguish numbers from text that looks alike', () => {
    shown(
      run('a', { parameters: { x: 1, y: true, z: null } }),
      run('b', { parameters: { x: '1', y: 'true', z: null } })
    );
    expect([row('x'), row('y')]).toEqual([
      ['1', '[1]'],
      ['true', '[true]']
    ]);
    expect(differs('z')).toBe(false);
  });

  it('show metrics with just enough digits, and mark no best one', () => {
    shown(
      run('a', { metrics: { loss: 0.123456789, auc: 0.9 } }),
      run('b', { metrics: { loss: 0.123456788, auc: 'nan' } })
    );
    expect(row('loss')).toEqual(['0.123456789', '[0.123456788]']);
    expect(row('auc')).toEqual(['0.9', '[nan]']);
    expect(document.querySelectorAll('td.kfnb-number').length).toBe(6);
    expect(find('.kfnb-compare').textContent).not.toMatch(/best/i);
  });

  it('mark durations that differ by a second and a quarter', () => {
    const taking = (id: string, duration: number | null): ComparedRun =>
      run(id, { duration });
    shown(
      taking('a', 100),
      taking('b', 120),
      taking('c', 126),
      taking('d', null)
    );
    expect(row('Duration')).toEqual([
      '1 min 40 s',
      '2 min 00 s',
      '[2 min 06 s]',
      '[–]'
    ]);
    document.body.replaceChildren();
    shown(taking('a', 0.1), taking('b', 0.9));
    expect(differs('Duration')).toBe(false);
  });

  it('mark different statuses and missing steps', () => {
    const step = (status: StepStatus, duration: number | null = 2) => ({
      status,
      duration
    });
    shown(
      run('a', { steps: { load: step('succeeded'), fit: step('succeeded') } }),
      run('b', {
        status: 'failed',
        steps: {
          load: step('cached'),
          fit: step('failed'),
          report: step('skipped', null)
        }
      })
    );
    expect(row('Status')).toEqual(['Succeeded', '[Failed]']);
    // A step that took its result from the cache has succeeded too.
    expect(row('load')).toEqual(['Succeeded · 2.0 s', 'Cached']);
    expect(row('fit')).toEqual(['Succeeded · 2.0 s', '[Failed · 2.0 s]']);
    expect(row('report')).toEqual(['–', '[Skipped]']);
    expect(document.querySelectorAll('td .kfnb-glyph').length).toBe(7);
  });

  it('can be reduced to differences', () => {
    const parameters = { seed: 3 };
    shown(
      run('a', { parameters, metrics: { loss: 1, same: 2 } }),
      run('b', { parameters, metrics: { loss: 3, same: 2 } })
    );
    expect(find('.kfnb-compare-note').textContent).toMatch(/: 1\. /);
    const only = press('Only differences');
    expect(only.getAttribute('aria-pressed')).toBe('true');
    expect([row('loss'), row('same'), row('seed')]).toEqual([
      ['1', '[3]'],
      null,
      null
    ]);
    expect(find('.kfnb-compare').textContent).not.toContain('Parameters');
    // The start identifies the runs; equal rows are hidden.
    expect(row('Started')).not.toBeNull();
    expect([row('Status'), row('Duration')]).toEqual([null, null]);
    press('Only differences');
    expect(row('same')).toEqual(['2', '2']);
  });
});

describe('the code', () => {
  const line = (
    left: string | null,
    right: string | null,
    kind: CodeLine['kind'] = 'changed'
  ): CodeLine => ({ left, right, kind });

  it('of the first two runs is shown side by side where it differs', () => {
    const { view } = shown();
    const lines = [
      line(null, null, 'gap'),
      line('import numpy', 'import numpy', 'equal'),
      line('fit(X)', '\tfit(X, y)'),
      line(null, '<b>')
    ];
    view.show({
      kind: 'compare',
      runs: [run('a'), run('b')],
      code: [
        { step: 'fit', lines },
        { step: '', lines: [] }
      ]
    });
    const table = find('[data-step=fit]') as HTMLTableElement;
    expect([...table.rows].map(one => one.textContent)).toEqual([
      'ab',
      '…',
      ' import numpy import numpy',
      '−fit(X)+    fit(X, y)',
      '+<b>'
    ]);
    expect(find('[data-step=""] caption').textContent).toContain('outside');
    expectInert(view.node);
    find('[aria-label="Remove b"]').click();
    expect(document.querySelector('[data-step]')).toBeNull();
  });
});

describe('rows', () => {
  it('that differ come first', () => {
    shown(
      run('a', { metrics: { same: 2, loss: 1 } }),
      run('b', { metrics: { same: 2, loss: 3 } })
    );
    const text = find('.kfnb-compare-scroll').textContent ?? '';
    expect(text.indexOf('loss')).toBeLessThan(text.indexOf('same'));
  });
});

describe('a comparison', () => {
  it('removes a run by a button, also from a late answer', () => {
    const { view, posted } = shown(run('a'), run('b'), run('c'));
    const removed = jest.fn();
    view.onRemove = removed;
    find('[aria-label="Remove b"]').click();
    expect(removed).toHaveBeenCalledWith(['a', 'c']);
    const heads = [...document.querySelectorAll('th[data-run]')];
    expect(heads.map(one => one.getAttribute('data-run'))).toEqual(['a', 'c']);
    press('Refresh');
    expect(posted.at(-1)).toEqual({ kind: 'compare', runs: ['a', 'c'] });
  });

  it('keeps the focus when buttons are created again', () => {
    const { view } = shown(run('a'), run('b'));
    find('[aria-label="Remove b"]').focus();
    view.show({
      kind: 'compare',
      runs: [run('a', { duration: 99 }), run('b')],
      code: []
    });
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Remove b');
  });

  it('requests running runs again while visible, less and less often', () => {
    jest.useFakeTimers();
    const seen = jest
      .spyOn(HTMLElement.prototype, 'offsetParent', 'get')
      .mockReturnValue(document.body);
    const going = run('a', { status: 'running' });
    const { view, posted } = shown(going);
    const asked = (): number =>
      posted.filter(({ kind }) => kind === 'compare').length;
    jest.advanceTimersByTime(3000);
    expect(asked()).toBe(1);
    view.show({ kind: 'compare', runs: [going], code: [] });
    jest.advanceTimersByTime(5000);
    expect(asked()).toBe(1);
    jest.advanceTimersByTime(1000);
    expect(asked()).toBe(2);
    seen.mockReturnValue(null);
    jest.advanceTimersByTime(60_000);
    expect(asked()).toBe(2);
    view.show({ kind: 'compare', runs: [run('a')], code: [] });
    expect(jest.getTimerCount()).toBe(0);
    view.show({ kind: 'compare', runs: [going], code: [] });
    view.dispose();
    expect(jest.getTimerCount()).toBe(0);
  });
});

it('shows hostile text as text', () => {
  const named = <T>(value: T): Record<string, T> =>
    Object.fromEntries(HOSTILE.map(name => [name, value]));
  const hostile = (id: string): ComparedRun =>
    run(id, {
      parameters: named<Json>(HOSTILE[1]!),
      metrics: named<Json>(HOSTILE[2]!),
      steps: named({ status: HOSTILE[0] as StepStatus, duration: 1 })
    });
  const { view } = shown(hostile(HOSTILE[0]!), hostile(HOSTILE[1]!));
  expectInert(view.node);
  expect(row(HOSTILE[3]!)).toEqual([HOSTILE[1], HOSTILE[1]]);
  expect(row('constructor')).not.toBeNull();
});
