/** The list of runs: filtered, sorted, and chosen by check boxes to be compared. */

import type { Component, Context } from '../context';
import { fill, focusedNear, h } from '../dom';
import { clock, duration, plain, runLabel, visible } from '../format';
import type { Json, ListedRun, RunsMessage } from '../protocol';
import { glyph, word } from '../status';

/** Columns of parameters and of metrics, at most. */
const MOST_VALUES = 3;

interface Column {
  readonly key: string;
  readonly title: string;
  readonly number: boolean;
  text(run: ListedRun): string;
  /** What the rows are sorted by; null comes last. */
  rank(run: ListedRun): number | string | null;
}

export class RunList implements Component {
  readonly node: HTMLElement;
  /** Called with the ids of all chosen runs. */
  onChoose: (runs: readonly string[]) => void = () => undefined;
  /** Called when the chosen runs are to be compared. */
  onCompare: () => void = () => undefined;

  constructor(
    host: HTMLElement,
    private readonly context: Context
  ) {
    const { trans } = context;
    const label = trans('Filter by name, status, parameter or metric');
    this.filter = h('input', {
      type: 'search',
      placeholder: label,
      'aria-label': label,
      spellcheck: 'false',
      autocomplete: 'off'
    });
    this.filter.addEventListener('input', () => this.render());
    this.every.addEventListener('change', () => this.refresh());
    this.toCompare.addEventListener('click', () => this.onCompare());
    const again = h(
      'button',
      { type: 'button', class: 'kfnb-button' },
      trans('Refresh')
    );
    again.addEventListener('click', () => this.refresh());
    this.node = h(
      'section',
      { class: 'kfnb-runs', 'aria-label': trans('Runs') },
      h(
        'div',
        { class: 'kfnb-runs-bar' },
        this.filter,
        h('label', {}, this.every, trans('of all notebooks')),
        again,
        this.toCompare
      ),
      this.scroll,
      this.note
    );
    host.append(this.node);
    this.count();
  }

  dispose(): void {
    this.node.remove();
  }

  /** Requests the list, the first time that it is shown. */
  open(): void {
    if (!this.asked) {
      this.refresh();
    }
  }

  show({ runs, more }: RunsMessage): void {
    const { trans } = this.context;
    this.runs = runs;
    this.note.textContent =
      more > 0
        ? `${more} ${trans('older runs are not listed; the command “kfnb runs” lists them.')}`
        : runs.length === 0
          ? trans('This notebook has no runs yet.')
          : '';
    this.render();
  }

  /** Checks the boxes of the runs that are compared. */
  choose(ids: readonly string[]): void {
    if (ids.join() !== this.chosen.join()) {
      this.chosen = ids;
      this.count();
      this.render();
    }
  }

  /** Requests the list again. */
  refresh(): void {
    this.asked = true;
    this.context.post({ kind: 'runs', all: this.every.checked });
  }

  private count(): void {
    const { length } = this.chosen;
    this.toCompare.textContent = `${this.context.trans('Compare')} (${length})`;
    this.toCompare.disabled = length < 2;
  }

  private render(): void {
    const columns = this.columns();
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = this.runs
      .map(run => ({ run, texts: columns.map(column => column.text(run)) }))
      .filter(({ run, texts }) => {
        const all = [run.id, run.notebook ?? '', ...texts, ...named(run)];
        const text = all.join(' ').toLowerCase();
        return words.every(one => text.includes(one));
      });
    const by = columns.find(({ key }) => key === this.order) ?? columns[0];
    if (by) {
      shown.sort(({ run: a }, { run: b }) => this.compare(by, a, b));
    }
    const focused = focusedNear(this.node)?.getAttribute('data-key') ?? null;
    fill(
      this.scroll,
      this.runs.length > 0 &&
        h(
          'table',
          { 'aria-label': this.context.trans('Runs') },
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              h(
                'th',
                { scope: 'col' },
                h(
                  'span',
                  { class: 'kfnb-hidden' },
                  this.context.trans('Compare')
                )
              ),
              ...columns.map(column => this.heading(column))
            )
          ),
          h(
            'tbody',
            {},
            ...shown.map(({ run, texts }) => this.row(run, columns, texts))
          )
        )
    );
    if (focused !== null) {
      [...this.node.querySelectorAll<HTMLElement>('[data-key]')]
        .find(one => one.dataset.key === focused)
        ?.focus({ preventScroll: true });
    }
  }

  private compare(by: Column, a: ListedRun, b: ListedRun): number {
    const [left, right] = [by.rank(a), by.rank(b)];
    if (left === null || right === null) {
      return Number(left === null) - Number(right === null);
    }
    const less =
      typeof left === 'number' && typeof right === 'number'
        ? left - right
        : String(left).localeCompare(String(right));
    return this.descending ? -less : less;
  }

  private columns(): Column[] {
    const { context, runs } = this;
    const { trans } = context;
    return [
      {
        key: 'started',
        title: trans('Started'),
        number: false,
        text: run => clock(run.created),
        rank: run => run.created
      },
      {
        key: 'name',
        title: trans('Run'),
        number: false,
        text: run => runLabel(run.id, run.title),
        rank: run => run.title || run.id
      },
      {
        key: 'status',
        title: trans('Status'),
        number: false,
        text: run =>
          run.status === 'unreadable'
            ? trans('Unreadable')
            : word(run.status, context),
        rank: run => run.status
      },
      {
        key: 'took',
        title: trans('Duration'),
        number: true,
        text: run => (run.duration === null ? '' : duration(run.duration)),
        rank: run => run.duration
      },
      ...differing(runs).map(name =>
        valueColumn('parameter', name, 'parameters')
      ),
      ...common(runs).map(name => valueColumn('metric', name, 'metrics'))
    ];
  }

  private heading({ key, title, number }: Column): HTMLElement {
    const sorted = key === this.order;
    const button = h(
      'button',
      { type: 'button', class: 'kfnb-sort', 'data-key': `sort ${key}` },
      h('bdi', {}, visible(title))
    );
    button.addEventListener('click', () => {
      this.descending = sorted ? !this.descending : key === 'started';
      this.order = key;
      this.render();
    });
    return h(
      'th',
      {
        scope: 'col',
        class: number ? 'kfnb-number' : null,
        'aria-sort': sorted
          ? this.descending
            ? 'descending'
            : 'ascending'
          : null
      },
      button
    );
  }

  private row(
    run: ListedRun,
    columns: readonly Column[],
    texts: readonly string[]
  ): HTMLElement {
    const label = runLabel(run.id, run.title);
    const box = h('input', {
      type: 'checkbox',
      'aria-label': `${this.context.trans('Compare')} ${label}`,
      'data-key': `run ${run.id}`,
      disabled: run.status === 'unreadable'
    });
    box.checked = this.chosen.includes(run.id);
    box.addEventListener('change', () => {
      const others = this.chosen.filter(id => id !== run.id);
      const chosen = box.checked ? [...others, run.id] : others;
      this.choose(chosen);
      this.onChoose(chosen);
    });
    return h(
      'tr',
      { 'data-run': run.id, title: visible(run.notebook ?? run.id) },
      h('td', {}, box),
      ...columns.map(({ key, title, number }, n) =>
        h(
          'td',
          {
            class: number ? 'kfnb-number' : null,
            'data-column': key,
            // In a narrow view the headings do not stand above the cells.
            'data-label': visible(title)
          },
          key === 'status' && glyph(run.status),
          h('bdi', {}, texts[n] ?? '')
        )
      )
    );
  }

  private readonly filter: HTMLInputElement;
  private readonly toCompare = h('button', {
    type: 'button',
    class: 'kfnb-button kfnb-primary'
  });
  private readonly every = h('input', { type: 'checkbox' });
  private readonly scroll = h('div', {
    class: 'kfnb-runs-scroll',
    tabindex: -1
  });
  private readonly note = h('p', { class: 'kfnb-compare-note' });
  private runs: readonly ListedRun[] = [];
  private chosen: readonly string[] = [];
  private order = 'started';
  private descending = true;
  private asked = false;
}

function valueColumn(
  kind: string,
  name: string,
  of: 'parameters' | 'metrics'
): Column {
  const read = (run: ListedRun): Json | undefined =>
    Object.hasOwn(run[of], name) ? run[of][name] : undefined;
  return {
    key: `${kind} ${name}`,
    title: name,
    number: of === 'metrics',
    text: run => {
      const value = read(run);
      return value === undefined
        ? ''
        : typeof value === 'number'
          ? String(Number(value.toPrecision(6)))
          : plain(value);
    },
    rank: run => {
      const value = read(run);
      return value === undefined || value === null
        ? null
        : typeof value === 'number'
          ? value
          : plain(value);
    }
  };
}

/** Everything of a run that a filter finds, also what has no column. */
function named(run: ListedRun): string[] {
  return [
    ...Object.entries(run.parameters),
    ...Object.entries(run.metrics)
  ].map(([name, value]) => `${name}=${plain(value)}`);
}

/** The parameters whose values differ between runs. */
function differing(runs: readonly ListedRun[]): string[] {
  const names = new Set(runs.flatMap(run => Object.keys(run.parameters)));
  return [...names]
    .filter(name => {
      const texts = runs
        .filter(({ parameters }) => Object.hasOwn(parameters, name))
        .map(({ parameters }) => JSON.stringify(parameters[name]));
      return new Set(texts).size > 1;
    })
    .slice(0, MOST_VALUES);
}

/** The metrics that most runs have. */
function common(runs: readonly ListedRun[]): string[] {
  const counts = new Map<string, number>();
  for (const name of runs.flatMap(run => Object.keys(run.metrics))) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name]) => name)
    .slice(0, MOST_VALUES);
}
