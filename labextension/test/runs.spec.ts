import { RunList } from '../src/runs';
import type { ListedRun, RunsMessage } from '../src/protocol';
import { expectInert, HOSTILE, page, type Page } from './samples';

const find = (selector: string): HTMLElement =>
  document.querySelector<HTMLElement>(selector)!;

function press(name: string): HTMLButtonElement {
  const button = [...document.querySelectorAll('button')].find(
    ({ textContent }) => textContent === name
  )!;
  button.click();
  return button;
}

afterEach(() => document.body.replaceChildren());

describe('the list of runs', () => {
  const LISTED: ListedRun = {
    id: 'a',
    title: '',
    notebook: '/train.ipynb',
    status: 'succeeded',
    created: 1_700_000_000,
    duration: 10,
    parameters: { rate: 0.1, seed: 3 },
    metrics: { loss: 0.5 }
  };
  const MESSAGE: RunsMessage = {
    kind: 'runs',
    runs: [
      { ...LISTED, created: 1_700_000_100, id: 'c', parameters: {} },
      {
        ...LISTED,
        id: 'b',
        title: 'slow',
        status: 'failed',
        parameters: { rate: 0.5, seed: 3 },
        metrics: { loss: 0.25 }
      },
      { ...LISTED, created: 1_600_000_000 }
    ],
    more: 7
  };
  function shown(): Page & { readonly view: RunList } {
    const made = page();
    const view = new RunList(document.body, made.context);
    view.show(MESSAGE);
    return { ...made, view };
  }
  const listed = (): (string | null)[] =>
    [...document.querySelectorAll('.kfnb-runs tbody tr')].map(one =>
      one.getAttribute('data-run')
    );

  it('is a list with start, name, status, parameters that differ and metrics', () => {
    shown();
    const heads = [...document.querySelectorAll('.kfnb-runs thead th')];
    expect(heads.map(({ textContent }) => textContent)).toEqual([
      'Compare',
      'Started',
      'Run',
      'Status',
      'Duration',
      'rate',
      'loss'
    ]);
    expect(listed()).toEqual(['c', 'b', 'a']);
    const texts = find('.kfnb-runs [data-run=b]').textContent;
    expect(texts).toContain('slow · bFailed10 s0.50.25');
    expect(find('.kfnb-runs').textContent).toContain('7 older runs');
  });

  it('compares the runs whose boxes are checked', () => {
    const { view } = shown();
    const chosen = jest.fn();
    const compared = jest.fn();
    view.onChoose = chosen;
    view.onCompare = compared;
    view.choose(['a']);
    const box = (id: string): HTMLInputElement =>
      document.querySelector(`.kfnb-runs [data-run=${id}] input`)!;
    expect([box('a').checked, box('b').checked]).toEqual([true, false]);
    box('b').click();
    expect(chosen).toHaveBeenLastCalledWith(['a', 'b']);
    press('Compare (2)');
    expect(compared).toHaveBeenCalled();
    box('a').focus();
    box('a').click();
    expect(chosen).toHaveBeenLastCalledWith(['b']);
    // The list was made anew, and the focus is where it was.
    expect(document.activeElement).toBe(box('a'));
    expect(press('Compare (1)').disabled).toBe(true);
  });

  it('is filtered by words, and sorted by a click', () => {
    shown();
    const filter = find('.kfnb-runs [type=search]') as HTMLInputElement;
    const typed = (text: string): void => {
      filter.value = text;
      filter.dispatchEvent(new Event('input'));
    };
    typed('succeeded rate=0.1');
    expect(listed()).toEqual(['a']);
    typed('SLOW');
    expect(listed()).toEqual(['b']);
    typed('');
    press('rate');
    // Runs without the value come last.
    expect(listed()).toEqual(['a', 'b', 'c']);
    press('rate');
    expect(listed()).toEqual(['b', 'a', 'c']);
  });

  it('has the runs of all notebooks on request', () => {
    const { posted } = shown();
    (find('.kfnb-runs-bar [type=checkbox]') as HTMLInputElement).click();
    expect(posted).toEqual([{ kind: 'runs', all: true }]);
  });

  it('says that there are none yet', () => {
    const { view } = shown();
    view.show({ kind: 'runs', runs: [], more: 0 });
    expect(find('.kfnb-runs').textContent).toContain('no runs yet');
  });

  it('is requested once, and again by a button', () => {
    const { view, posted } = shown();
    view.open();
    view.open();
    press('Refresh');
    expect(posted).toEqual([
      { kind: 'runs', all: false },
      { kind: 'runs', all: false }
    ]);
  });

  it('shows hostile text as text', () => {
    const { view } = shown();
    const runs = HOSTILE.map(text => ({
      ...LISTED,
      id: text,
      title: text,
      notebook: text,
      status: text as 'failed',
      parameters: { [text]: text },
      metrics: { [text]: 1 }
    }));
    view.show({ kind: 'runs', runs, more: 0 });
    expectInert(view.node);
  });
});
