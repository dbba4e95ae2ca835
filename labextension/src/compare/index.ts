/** Compares runs: parameters, metrics, steps, and what differs. */

import type { Component, Context } from '../context';
import { fill, focusedNear, h } from '../dom';
import { clock, runLabel, visible } from '../format';
import type { CodeDifference, CompareMessage, ComparedRun } from '../protocol';
import { glyph } from '../status';
import { codeDifferences } from './code';
import { sections, type Cell, type Row, type Section } from './rows';

/** Seconds until running runs are requested again; longer after each answer without changes. */
const SOON = 3;
const LATE = 60;
/** Most runs beside each other in a narrow view. */
const MOST_IN_A_ROW = 3;

export class CompareView implements Component {
  readonly node: HTMLElement;
  /** Called with the runs that are left after one was removed. */
  onRemove: (runs: readonly string[]) => void = () => undefined;
  /** Called when a person wants to choose other runs. */
  onAdd: () => void = () => undefined;

  constructor(
    host: HTMLElement,
    private readonly context: Context
  ) {
    const { trans } = context;
    this.scroll = h('div', {
      class: 'kfnb-compare-scroll',
      tabindex: 0,
      role: 'group',
      'aria-label': trans('Comparison of runs')
    });
    this.node = h(
      'div',
      { class: 'kfnb-compare' },
      this.bar(),
      this.note,
      this.scroll,
      this.code
    );
    host.append(this.node);
  }

  /** Requests runs; the present ones are shown until the answer arrives. */
  open(runs: readonly string[]): void {
    const asked = [...new Set(runs)];
    if (asked.length === 0) {
      this.show({ kind: 'compare', runs: [], code: [] });
      return;
    }
    if (this.runs.length === 0) {
      this.note.textContent = this.context.trans('The runs are being read.');
    }
    this.context.post({ kind: 'compare', runs: asked });
  }

  show(message: CompareMessage): void {
    const news = JSON.stringify([message.runs, message.code]);
    this.pause = news === this.lastRuns ? Math.min(LATE, 2 * this.pause) : SOON;
    this.looked.textContent = `${this.context.trans('as of')} ${clock(Date.now() / 1000)}`;
    if (news !== this.lastRuns) {
      this.lastRuns = news;
      this.runs = message.runs;
      this.shownCode = message.code;
      this.render();
    }
    this.watch();
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.node.remove();
  }

  /** The runs that are compared. */
  ids(): string[] {
    return this.runs.map(({ id }) => id);
  }

  /** Requests running runs again while the tab is visible, less and less often. */
  private watch(): void {
    clearTimeout(this.timer);
    const going = this.runs.some(
      ({ status }) => status === 'running' || status === 'pending'
    );
    if (going) {
      this.timer = setTimeout(() => {
        if (!document.hidden && this.node.offsetParent !== null) {
          this.open(this.ids());
        }
        this.watch();
      }, 1000 * this.pause);
    }
  }

  private bar(): HTMLElement {
    const { trans } = this.context;
    this.only.textContent = trans('Only differences');
    this.only.addEventListener('click', () => {
      const pressed = this.only.getAttribute('aria-pressed') === 'true';
      this.only.setAttribute('aria-pressed', String(!pressed));
      this.render();
    });
    const again = h(
      'button',
      { type: 'button', class: 'kfnb-button' },
      trans('Refresh')
    );
    again.addEventListener('click', () => this.open(this.ids()));
    const add = h(
      'button',
      { type: 'button', class: 'kfnb-button' },
      trans('Choose runs')
    );
    add.addEventListener('click', () => this.onAdd());
    return h(
      'div',
      { class: 'kfnb-compare-bar' },
      add,
      this.only,
      again,
      this.looked
    );
  }

  private render(): void {
    const { trans } = this.context;
    const { runs } = this;
    const only = this.only.getAttribute('aria-pressed') === 'true';
    const all = sections(runs, this.context);
    const differing = all
      .flatMap(({ rows }) => rows)
      .filter(({ differs }) => differs).length;
    this.note.textContent = this.summary(differing);
    const [first, second] = runs;
    fill(
      this.code,
      first &&
        second &&
        codeDifferences(
          this.shownCode,
          [first, second].map(run => runLabel(run.id, run.title)),
          this.context
        )
    );
    const shown = only
      ? all.map(section => ({
          ...section,
          rows: section.rows.filter(row => row.differs || row.always)
        }))
      : all;
    const focused = focusedNear(this.node);
    const inARow = Math.min(MOST_IN_A_ROW, runs.length);
    this.scroll.style.setProperty('--kfnb-in-a-row', String(inARow));
    const again = focused?.getAttribute('data-remove') ?? null;
    fill(
      this.scroll,
      runs.length > 0 &&
        h(
          'table',
          { 'aria-label': trans('Comparison of runs') },
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              h(
                'th',
                { scope: 'col' },
                h('span', { class: 'kfnb-hidden' }, trans('Property'))
              ),
              ...runs.map((run, n) => this.heading(run, n))
            )
          ),
          ...shown
            .filter(({ rows }) => rows.length > 0)
            .map(section => this.section(section))
        )
    );
    if (again !== null) {
      // The button that had the focus may have been removed with its run.
      const next = this.scroll.querySelector<HTMLElement>(
        `[data-remove="${again}"]`
      );
      (next ?? this.scroll).focus();
    }
  }

  private summary(differing: number): string {
    const { trans } = this.context;
    if (this.runs.length === 0) {
      return trans('No runs were chosen. The tab “Runs” lists them.');
    }
    return this.runs.length === 1
      ? trans(
          'Choose another run in the tab “Runs” to compare it with this one.'
        )
      : `${trans('Rows that differ (≠; values that differ from the first run are bold):')} ${differing}. ${trans('Durations differ if they are more than a second and a quarter apart.')}`;
  }

  private heading(run: ComparedRun, n: number): HTMLElement {
    const { trans } = this.context;
    const label = runLabel(run.id, run.title);
    const remove = h(
      'button',
      {
        type: 'button',
        class: 'kfnb-close',
        'data-remove': n,
        'aria-label': `${trans('Remove')} ${label}`,
        title: trans('Remove this run')
      },
      '×'
    );
    remove.addEventListener('click', () => {
      this.runs = this.runs.filter(other => other !== run);
      this.lastRuns = '';
      this.shownCode = []; // it was that of the first two runs
      this.render();
      this.onRemove(this.ids());
    });
    return h(
      'th',
      { scope: 'col', 'data-run': run.id, title: visible(run.id) },
      h('span', {}, h('bdi', {}, label), this.runs.length > 1 && remove)
    );
  }

  private section({ title, rows }: Section): HTMLElement {
    return h(
      'tbody',
      {},
      h(
        'tr',
        { class: 'kfnb-compare-title' },
        h(
          'th',
          { scope: 'rowgroup', colspan: this.runs.length + 1 },
          h('span', {}, title)
        )
      ),
      ...rows.map(row => this.row(row))
    );
  }

  private row({ name, cells, differs }: Row): HTMLElement {
    const { trans } = this.context;
    return h(
      'tr',
      { 'data-differs': String(differs) },
      h(
        'th',
        { scope: 'row', title: visible(name) },
        h(
          'span',
          { class: 'kfnb-compare-sign', 'aria-hidden': 'true' },
          differs ? '≠' : ''
        ),
        h('bdi', {}, visible(name)),
        differs && h('span', { class: 'kfnb-hidden' }, ` (${trans('differs')})`)
      ),
      ...cells.map(cell => this.cell(cell))
    );
  }

  private cell({ text, number, status, differs }: Cell): HTMLElement {
    return h(
      'td',
      {
        class: number ? 'kfnb-number' : null,
        'data-differs': differs ? 'true' : null,
        title: text
      },
      status !== null && glyph(status),
      h('bdi', {}, text)
    );
  }

  private readonly only = h('button', {
    type: 'button',
    class: 'kfnb-button',
    'aria-pressed': 'false'
  });
  private readonly note = h('p', {
    class: 'kfnb-compare-note',
    role: 'status'
  });
  private readonly looked = h('span', { class: 'kfnb-quiet' });
  private readonly scroll: HTMLElement;
  private readonly code = h('div', { class: 'kfnb-code' });
  private runs: readonly ComparedRun[] = [];
  private shownCode: readonly CodeDifference[] = [];
  private lastRuns = '';
  private pause = SOON;
  private timer: ReturnType<typeof setTimeout> | undefined;
}
