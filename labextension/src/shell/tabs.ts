/** Tabs by the ARIA practices: arrow keys move between them. */

import type { Context } from '../context';
import { h } from '../dom';
import type { Tab } from '../protocol';

let count = 0;

export const TITLES: readonly (readonly [Tab, string])[] = [
  ['dag', 'Graph'],
  ['table', 'Steps'],
  ['metrics', 'Metrics'],
  ['logs', 'Logs'],
  ['outputs', 'Outputs'],
  ['runs', 'Runs'],
  ['compare', 'Compare']
];
/** The tabs of a pipeline that has not run. */
export const STATIC: readonly Tab[] = ['dag', 'table', 'runs', 'compare'];

export class Tabs {
  readonly bar: HTMLElement;
  readonly body = h('div', { class: 'kfnb-panels' });
  onShow: (tab: Tab) => void = () => undefined;

  constructor(
    titles: readonly (readonly [tab: Tab, title: string])[],
    private readonly context: Context
  ) {
    const { trans } = this.context;
    const unique = (count += 1);
    this.bar = h('div', {
      class: 'kfnb-tabs',
      role: 'tablist',
      'aria-label': trans('Views')
    });
    for (const [tab, title] of titles) {
      const [button, panel] = [
        `kfnb-tab-${unique}-${tab}`,
        `kfnb-panel-${unique}-${tab}`
      ];
      this.buttons.set(
        tab,
        h(
          'button',
          {
            id: button,
            class: 'kfnb-tab',
            type: 'button',
            role: 'tab',
            'data-tab': tab,
            'aria-controls': panel,
            'aria-selected': 'false',
            tabindex: -1
          },
          trans(title)
        )
      );
      this.panels.set(
        tab,
        h('div', {
          id: panel,
          class: 'kfnb-panel',
          role: 'tabpanel',
          'data-tab': tab,
          'aria-labelledby': button,
          hidden: true
        })
      );
    }
    this.bar.append(...this.buttons.values());
    this.body.append(...this.panels.values());
    this.bar.addEventListener('click', event => {
      const tab = tabAt(event.target);
      if (tab) {
        this.show(tab);
      }
    });
    this.bar.addEventListener('keydown', event => this.key(event));
  }

  panel(tab: Tab): HTMLElement {
    const panel = this.panels.get(tab);
    if (!panel) {
      throw new Error(`no such tab: ${tab}`);
    }
    return panel;
  }

  has(tab: Tab): boolean {
    return this.panels.has(tab);
  }

  /** Shows or hides a tab; a pipeline without a run has no logs, for example. */
  offer(tab: Tab, offered: boolean): void {
    const button = this.buttons.get(tab);
    if (button) {
      button.hidden = !offered;
    }
  }

  show(tab: Tab): void {
    if (this.shown === tab) {
      return;
    }
    this.shown = tab;
    for (const [name, button] of this.buttons) {
      const selected = name === tab;
      button.setAttribute('aria-selected', String(selected));
      button.tabIndex = selected ? 0 : -1;
      this.panel(name).hidden = !selected;
    }
    this.onShow(tab);
  }

  private key(event: KeyboardEvent): void {
    const offered = [...this.buttons].filter(([, button]) => !button.hidden);
    const at = offered.findIndex(([, button]) => button === event.target);
    const to = {
      ArrowRight: (at + 1) % offered.length,
      ArrowLeft: (at + offered.length - 1) % offered.length,
      Home: 0,
      End: offered.length - 1
    }[event.key];
    const next = to === undefined || at < 0 ? undefined : offered[to];
    if (next) {
      event.preventDefault();
      event.stopPropagation();
      this.show(next[0]);
      next[1].focus();
    }
  }

  private shown: Tab | null = null;
  private readonly buttons = new Map<Tab, HTMLButtonElement>();
  private readonly panels = new Map<Tab, HTMLElement>();
}

function tabAt(target: EventTarget | null): Tab | null {
  const button =
    target instanceof Element ? target.closest('[role=tab]') : null;
  return (button?.getAttribute('data-tab') ?? null) as Tab | null;
}
