/** All details of the selected step, shown beside the graph. */

import type { Component, Context } from '../context';
import { fill, focusedNear, h } from '../dom';
import { bytes, clock, duration, plain, span, visible } from '../format';
import { cellsOf, locationElement } from '../location';
import type {
  GraphEdge,
  GraphNode,
  Json,
  ResourcesMessage,
  StepError,
  StepOutput,
  StepState,
  Tab
} from '../protocol';
import { fraction, glyph, phrase, taken } from '../status';
import { openNotebook } from './links';
import type { PanelModel } from './model';
import { Resources } from './resources';

export class StepDetails implements Component {
  readonly node: HTMLElement;
  onSelect: (id: string | null) => void = () => undefined;
  onOpen: (tab: Tab) => void = () => undefined;

  constructor(
    host: HTMLElement,
    private readonly context: Context,
    private readonly model: PanelModel
  ) {
    this.resources = new Resources(context);
    this.node = h('aside', {
      class: 'kfnb-detail',
      'aria-label': context.trans('Selected step'),
      hidden: true
    });
    host.append(this.node);
  }

  /** Shows a step; null hides the details. */
  show(id: string | null): void {
    const step = this.model.node(id);
    this.node.hidden = !step;
    if (!step) {
      delete this.node.dataset.id;
      fill(this.node);
      return;
    }
    const near = focusedNear(this.node);
    const focused = this.node.contains(near) ? keyOf(near) : null;
    const scrolled = this.node.dataset.id === step.id ? this.node.scrollTop : 0;
    this.node.dataset.id = step.id;
    const state = this.model.steps[step.id] ?? null;
    this.node.dataset.status = state?.status ?? '';
    this.resources.show(step.id, state);
    fill(
      this.node,
      this.head(step, state),
      state?.error && this.failure(state.error),
      state && this.actions(step, state),
      this.facts(step, state),
      ...this.flows(step),
      state && this.values(state.outputs),
      this.resources.node,
      this.options(step)
    );
    this.node.scrollTop = scrolled;
    // A running step changes often; without this the reader's focus would be lost each time.
    this.focusable()
      .find(one => focused !== null && keyOf(one) === focused)
      ?.focus({ preventScroll: true });
  }

  dispose(): void {
    this.node.remove();
  }

  /** Takes what the kernel knows about the resources that a step used. */
  takeResources(message: ResourcesMessage): void {
    this.resources.take(message);
  }

  private focusable(): HTMLElement[] {
    return [...this.node.querySelectorAll<HTMLElement>('button, a')];
  }

  private readonly resources: Resources;

  private head(step: GraphNode, state: StepState | null): HTMLElement {
    const { trans } = this.context;
    const close = h(
      'button',
      { type: 'button', class: 'kfnb-close', 'aria-label': trans('Close') },
      '×'
    );
    close.addEventListener('click', () => this.onSelect(null));
    return h(
      'div',
      { class: 'kfnb-detail-head' },
      h('h3', {}, h('bdi', {}, visible(step.name))),
      close,
      state &&
        h(
          'div',
          { class: 'kfnb-detail-status' },
          glyph(state.status, fraction(state)),
          h('span', {}, phrase(state, this.context))
        )
    );
  }

  private failure(error: StepError): HTMLElement {
    const { trans } = this.context;
    const named = [error.ename, error.evalue].filter(Boolean).join(': ');
    return h(
      'div',
      { class: 'kfnb-error', role: 'group', 'aria-label': trans('Error') },
      h('p', {}, visible(error.summary)),
      named && !error.summary.includes(named)
        ? h('code', {}, shown(named))
        : null,
      error.location &&
        h('p', {}, locationElement(error.location, this.context)),
      error.remedy !== null &&
        h('p', { class: 'kfnb-quiet' }, visible(error.remedy))
    );
  }

  private actions(step: GraphNode, state: StepState): HTMLElement {
    const { trans } = this.context;
    const action = (label: string, act: () => void): HTMLElement => {
      const made = h(
        'button',
        { type: 'button', class: 'kfnb-button' },
        trans(label)
      );
      made.addEventListener('click', act);
      return made;
    };
    const open = (tab: Tab) => (): void => this.onOpen(tab);
    const executed = state.status === 'cached' || state.attempts > 0;
    return h(
      'div',
      { class: 'kfnb-actions' },
      action('Log', open('logs')),
      action('Outputs', open('outputs')),
      state.notebook !== null
        ? openNotebook(state.notebook, trans('Executed notebook'), this.context)
        : executed &&
            // Jupyter does not serve the folder of the runs, so the page downloads the notebook.
            action('Executed notebook', () =>
              this.context.post({
                kind: 'notebook',
                step: step.id,
                index: '',
                attempt: null
              })
            )
    );
  }

  private facts(step: GraphNode, state: StepState | null): HTMLElement {
    const { trans } = this.context;
    const { location } = state ?? {};
    const rows: Row[] = [
      [trans('Cells'), this.cells(step)],
      [trans('Why'), state?.why ?? null],
      [trans('Reason'), state?.reason ?? null],
      [trans('Duration'), written(state && taken(state), duration)],
      [trans('Started'), written(state?.started, clock)],
      [
        trans('Attempts'),
        state !== null && state.attempts > 1 && String(state.attempts)
      ],
      [
        trans('Now'),
        state?.status === 'running' &&
          !!location &&
          locationElement(location, this.context)
      ],
      [trans('Memory'), memory(state?.resources)],
      [trans('Parameters'), step.parameters.join(', ')],
      [trans('Runs'), step.on_exit && trans('last, even if a step failed')]
    ];
    return list(rows);
  }

  private cells(step: GraphNode): HTMLElement | string {
    return step.cells.length
      ? h(
          'ul',
          {},
          ...step.cells.map(cell =>
            h('li', {}, locationElement(cell, this.context))
          )
        )
      : cellsOf(step.cells, this.context.trans);
  }

  private *flows(step: GraphNode): Generator<HTMLElement> {
    const { trans } = this.context;
    const { edges } = this.model.graph;
    const incoming = edges.filter(edge => edge.target === step.id);
    const outgoing = edges.filter(edge => edge.source === step.id);
    if (incoming.length) {
      yield section(
        trans('Inputs from'),
        ...incoming.map(edge => this.flow(edge, edge.source))
      );
    }
    if (outgoing.length) {
      yield section(
        trans('Feeds'),
        ...outgoing.map(edge => this.flow(edge, edge.target))
      );
    }
  }

  private flow(edge: GraphEdge, other: string): HTMLElement {
    const name = visible(this.model.node(other)?.name ?? other);
    const link = h('button', { type: 'button', class: 'kfnb-link' }, name);
    link.addEventListener('click', () => this.onSelect(other));
    const seen = edge.found
      ? ` (${this.context.trans('seen in the run')})`
      : '';
    return h(
      'li',
      {},
      link,
      h('span', { class: 'kfnb-quiet' }, `${visible(edge.why)}${seen}`)
    );
  }

  private values(outputs: readonly StepOutput[]): HTMLElement | null {
    if (outputs.length === 0) {
      return null;
    }
    return section(
      this.context.trans('Produces'),
      ...outputs.map(value => {
        const shape = Array.isArray(value.shape)
          ? value.shape.map(plain).join(' × ')
          : '';
        const facts = [
          value.type ?? '',
          shape,
          value.size === null ? '' : bytes(value.size)
        ];
        return h(
          'li',
          { title: value.repr === null ? null : shown(value.repr) },
          h('code', {}, visible(value.name)),
          h(
            'span',
            { class: 'kfnb-quiet' },
            visible(facts.filter(Boolean).join(' · '))
          )
        );
      })
    );
  }

  private options(step: GraphNode): HTMLElement | null {
    const options = Object.entries(step.options);
    if (options.length === 0) {
      return null;
    }
    return h(
      'div',
      { class: 'kfnb-detail-part' },
      h('h4', {}, this.context.trans('Options')),
      list(options.map(([name, value]) => [visible(name), option(name, value)]))
    );
  }
}

/** What an element is: by this it is found again after the details were made anew. */
function keyOf(element: Element | null): string | null {
  return element && element.matches('button, a')
    ? (element.getAttribute('aria-label') ?? element.textContent)
    : null;
}

function option(name: string, value: Json): string {
  return name === 'timeout' && typeof value === 'number'
    ? span(value)
    : plain(value);
}

function section(title: string, ...items: HTMLElement[]): HTMLElement {
  return h(
    'div',
    { class: 'kfnb-detail-part' },
    h('h4', {}, title),
    h('ul', {}, ...items)
  );
}

type Row = readonly [string, string | HTMLElement | null | false];

function list(rows: readonly Row[]): HTMLElement {
  const filled = rows.filter(
    (row): row is readonly [string, string | HTMLElement] => Boolean(row[1])
  );
  return h(
    'dl',
    {},
    ...filled.flatMap(([name, value]) => [
      h('dt', {}, name),
      h('dd', {}, typeof value === 'string' ? shown(value) : value)
    ])
  );
}

/** Writes invisible characters as escapes, except for line breaks. */
function shown(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

function memory(
  resources: { readonly [name: string]: Json } | null | undefined
): string | null {
  const peak = resources?.peak ?? resources?.memory;
  return typeof peak === 'number' ? bytes(peak) : null;
}

function written(
  value: number | null | undefined,
  format: (value: number) => string
): string | null {
  return value === null || value === undefined ? null : format(value);
}
