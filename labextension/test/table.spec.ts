import { StepTable } from '../src/table';
import { DIAMOND, page, state } from './samples';

function shown(): StepTable {
  const table = new StepTable(document.body, page().context);
  table.setGraph(DIAMOND, {
    n0: state('cached', { duration: 4 }),
    n1: state('failed', {
      duration: 1,
      cells_done: 1,
      cells_total: 2,
      attempts: 3
    }),
    n2: state('succeeded', { duration: 9, why: 'code changed in `x = 5`' })
  });
  return table;
}

function row(id: string): HTMLTableRowElement {
  return document.querySelector<HTMLTableRowElement>(`tr[data-id=${id}]`)!;
}

const names = (): (string | undefined)[] =>
  [...document.querySelectorAll('tbody th')].map(
    cell => cell.textContent ?? undefined
  );

afterEach(() => document.body.replaceChildren());

describe('the table of steps', () => {
  it('shows status, progress, duration, attempts and reason', () => {
    shown();
    expect(row('n1').textContent).toContain('Failed1 of 21.0 s3');
    expect(row('n2').textContent).toContain('9.0 s');
    expect(row('n2').textContent).toContain('code changed in `x = 5`');
    expect(row('n4').textContent).toContain('[19], [20]');
    // A cached step took its time in another run.
    expect(row('n0').textContent).not.toContain('4.0 s');
  });

  it('shows all cells of a step that succeeded as executed', () => {
    const table = shown();
    const cells = { cells_done: 2, cells_total: 3 };
    table.setStates({ n1: state('succeeded', { duration: 2, ...cells }) });
    expect(row('n1').textContent).toContain('3 of 3');
    const bar = row('n1').querySelector<HTMLElement>('.kfnb-bar > span')!;
    expect(bar.style.width).toBe('100.0%');
  });

  it('updates only the row that changed', () => {
    const table = shown();
    const other = row('n2').innerHTML;
    table.setStates({ n1: state('succeeded', { duration: 2 }) });
    expect(row('n1').dataset.status).toBe('succeeded');
    expect(row('n2').innerHTML).toBe(other);
  });

  it('sorts by the clicked column, and reverses the order', () => {
    shown();
    const duration = document.querySelector<HTMLElement>(
      'th[data-column=duration] button'
    )!;
    duration.click();
    duration.click();
    expect(names().slice(0, 2)).toEqual(['fit', 'split']);
    expect(duration.parentElement?.getAttribute('aria-sort')).toBe(
      'descending'
    );
    document.querySelector<HTMLElement>('th[data-column=name] button')!.click();
    expect(names()).toEqual(['load', 'split', 'fit', 'check', 'report']);
  });

  it('can be used with arrow keys and Enter', () => {
    const table = shown();
    const [chosen, opened]: [(string | null)[], string[]] = [[], []];
    table.onSelect = id => chosen.push(id);
    table.onOpen = id => opened.push(id);
    const press = (key: string): void => {
      document.activeElement?.dispatchEvent(
        new KeyboardEvent('keydown', { key, bubbles: true })
      );
    };
    row('n0').focus();
    press('ArrowDown');
    expect(document.activeElement).toBe(row('n1'));
    press('Enter');
    press('Enter');
    expect([chosen, opened]).toEqual([['n1'], ['n1']]);
    expect(row('n1').getAttribute('aria-selected')).toBe('true');
  });

  it('updates the duration while a step is running', () => {
    jest.useFakeTimers();
    jest
      .spyOn(HTMLElement.prototype, 'offsetParent', 'get')
      .mockReturnValue(document.body);
    const table = shown();
    table.setStates({
      n3: state('running', { started: Date.now() / 1000 - 5 })
    });
    expect(row('n3').textContent).toContain('5.0 s');
    jest.advanceTimersByTime(10_000);
    expect(row('n3').textContent).toContain('15 s');
    table.setStates({ n3: state('succeeded', { duration: 16 }) });
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });
});
