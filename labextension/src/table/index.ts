/** The steps as a table with status, progress and duration; a row opens its step. */

import type { Component, Context } from '../context';
import { fill, h } from '../dom';
import { duration, visible } from '../format';
import { cellsOf } from '../location';
import type { Graph, GraphNode, StepState, StepStates } from '../protocol';
import { cellsDone, fraction, glyph, STATUSES, taken, word } from '../status';

type Order = 'notebook' | 'status' | 'duration';

const COLUMNS: readonly (readonly [
  key: string,
  title: string,
  order: Order | null
])[] = [
  ['name', 'Step', 'notebook'],
  ['status', 'Status', 'status'],
  ['progress', 'Cells', null],
  ['duration', 'Duration', 'duration'],
  ['attempts', 'Attempts', null],
  ['why', 'Why', null]
];

export class StepTable implements Component {
  readonly node: HTMLElement;
  onSelect: (id: string | null) => void = () => undefined;
  onOpen: (id: string) => void = () => undefined;

  constructor(
    host: HTMLElement,
    private readonly context: Context
  ) {
    const { trans } = context;
    this.node = h(
      'div',
      { class: 'kfnb-steps-scroll', tabindex: -1 },
      h(
        'table',
        { class: 'kfnb-steps', 'aria-label': trans('Steps of the pipeline') },
        h(
          'thead',
          {},
          h('tr', {}, ...COLUMNS.map(column => this.heading(...column)))
        ),
        this.body
      )
    );
    this.body.addEventListener('click', event => {
      const id = idAt(event.target);
      if (id !== null) {
        this.choose(id === this.selected && event.detail < 2 ? null : id);
      }
    });
    this.body.addEventListener('dblclick', event => {
      const id = idAt(event.target);
      if (id !== null) {
        this.onOpen(id);
      }
    });
    this.body.addEventListener('keydown', event => this.key(event));
    host.append(this.node);
  }

  setGraph(graph: Graph, states: StepStates = {}): void {
    this.rows = new Map(
      graph.nodes.map(step => [step.id, new Row(step, this.context)])
    );
    this.setStates(states);
    this.arrange();
    const [first] = this.rows.values();
    if (first) {
      first.element.tabIndex = 0;
    }
    this.select(this.selected);
  }

  setStates(states: StepStates): void {
    for (const [id, state] of Object.entries(states)) {
      this.rows.get(id)?.update(state);
    }
    this.tick();
    this.watch();
  }

  select(id: string | null): void {
    this.rows
      .get(this.selected ?? '')
      ?.element.setAttribute('aria-selected', 'false');
    this.selected = id;
    this.rows.get(id ?? '')?.element.setAttribute('aria-selected', 'true');
  }

  dispose(): void {
    clearInterval(this.timer);
    this.node.remove();
  }

  private heading(
    key: string,
    title: string,
    order: Order | null
  ): HTMLElement {
    const text = this.context.trans(title);
    if (order === null) {
      return h('th', { scope: 'col', 'data-column': key }, text);
    }
    const button = h('button', { type: 'button', class: 'kfnb-sort' }, text);
    const cell = h('th', { scope: 'col', 'data-column': key }, button);
    button.addEventListener('click', () => {
      this.descending = this.order === order && !this.descending;
      this.order = order;
      for (const other of this.node.querySelectorAll('th[aria-sort]')) {
        other.removeAttribute('aria-sort');
      }
      cell.setAttribute(
        'aria-sort',
        this.descending ? 'descending' : 'ascending'
      );
      this.arrange();
    });
    return cell;
  }

  private arrange(): void {
    const rows = [...this.rows.values()];
    const { order } = this;
    if (order !== 'notebook') {
      rows.sort((a, b) => a.rank(order) - b.rank(order));
    }
    if (this.descending) {
      rows.reverse();
    }
    fill(this.body, ...rows.map(row => row.element));
  }

  private choose(id: string | null): void {
    this.select(id);
    this.onSelect(id);
  }

  private key(event: KeyboardEvent): void {
    const id = idAt(event.target);
    const row = this.rows.get(id ?? '')?.element;
    if (!row || id === null || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const to = {
      ArrowDown: row.nextElementSibling,
      ArrowUp: row.previousElementSibling,
      Home: this.body.firstElementChild,
      End: this.body.lastElementChild
    }[event.key];
    if (to instanceof HTMLElement) {
      row.tabIndex = -1;
      to.tabIndex = 0;
      to.focus();
    } else if (event.key === 'Enter' && this.selected === id) {
      this.onOpen(id);
    } else if (event.key === 'Enter' || event.key === ' ') {
      this.choose(id);
    } else if (to === undefined) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** Updates the duration every second while a step is executing and the table is visible. */
  private watch(): void {
    const running = [...this.rows.values()].some(row => row.running);
    if (running && this.timer === undefined) {
      this.timer = setInterval(() => this.tick(), 1000);
    } else if (!running) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
  }

  private tick(): void {
    if (!document.hidden && this.node.offsetParent !== null) {
      const now = Date.now() / 1000;
      for (const row of this.rows.values()) {
        row.tick(now);
      }
    }
  }

  private readonly body = h('tbody');
  private rows = new Map<string, Row>();
  private selected: string | null = null;
  private order: Order = 'notebook';
  private descending = false;
  private timer: ReturnType<typeof setInterval> | undefined;
}

function idAt(target: EventTarget | null): string | null {
  const row = target instanceof Element ? target.closest('tr[data-id]') : null;
  return row?.getAttribute('data-id') ?? null;
}

class Row {
  readonly element: HTMLTableRowElement;

  constructor(
    private readonly step: GraphNode,
    private readonly context: Context
  ) {
    const name = h('th', { scope: 'row' }, h('bdi', {}, visible(step.name)));
    this.element = h(
      'tr',
      { 'data-id': step.id, 'aria-selected': 'false', tabindex: -1 },
      name,
      this.status,
      this.progress,
      this.time,
      this.attempts,
      this.why
    );
    this.plan();
  }

  get running(): boolean {
    return this.state?.status === 'running';
  }

  update(state: StepState): void {
    if (state === this.state) {
      return;
    }
    this.state = state;
    const { trans } = this.context;
    this.element.dataset.status = state.status;
    fill(
      this.status,
      h(
        'span',
        {},
        glyph(state.status, fraction(state)),
        word(state.status, this.context)
      )
    );
    this.attempts.textContent =
      state.attempts > 1 ? String(state.attempts) : '';
    this.attempts.dataset.label = trans('Attempts');
    const why = state.error?.summary ?? state.reason ?? state.why ?? '';
    this.why.textContent = visible(why);
    this.why.title = visible(why);
    const total = state.cells_total;
    if (total === null) {
      this.plan();
    } else {
      const label = `${cellsDone(state)} ${trans('of')} ${total}`;
      const share = `${(100 * (fraction(state) ?? 0)).toFixed(1)}%`;
      fill(
        this.progress,
        h('span', { class: 'kfnb-bar', 'aria-hidden': 'true' }, bar(share)),
        h('span', {}, label)
      );
    }
    this.tick(Date.now() / 1000);
  }

  tick(now: number): void {
    const { state } = this;
    if (!state || (!this.running && state === this.timed)) {
      return;
    }
    this.timed = state;
    const going =
      this.running && state.started !== null
        ? Math.max(0, now - state.started)
        : null;
    const seconds = going ?? taken(state);
    this.time.textContent =
      seconds === null
        ? ''
        : duration(going === null ? seconds : Math.floor(seconds));
  }

  rank(order: 'status' | 'duration'): number {
    if (order === 'duration') {
      return (this.state && taken(this.state)) ?? -1;
    }
    return this.state ? STATUSES.indexOf(this.state.status) : STATUSES.length;
  }

  private plan(): void {
    fill(
      this.progress,
      h(
        'span',
        { class: 'kfnb-quiet' },
        cellsOf(this.step.cells, this.context.trans)
      )
    );
  }

  private readonly status = h('td');
  private readonly progress = h('td', { class: 'kfnb-progress' });
  private readonly time = h('td', { class: 'kfnb-number' });
  private readonly attempts = h('td', { class: 'kfnb-number' });
  private readonly why = h('td', { class: 'kfnb-why' });
  private state: StepState | null = null;
  private timed: StepState | null = null;
}

function bar(share: string): HTMLElement {
  const made = h('span');
  made.style.width = share;
  return made;
}
