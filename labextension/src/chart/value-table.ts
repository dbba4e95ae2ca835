/** The values as a table, for screen readers and for copying. */

import type { Context } from '../context';
import { fill, h } from '../dom';
import { visible } from '../format';
import { number } from './number-format';
import type { SeriesData } from './series-data';

/** Milliseconds between two updates. */
const PAUSE = 1000;

export class ValueTable {
  readonly node: HTMLDetailsElement;

  constructor(
    context: Context,
    private readonly tracks: () => readonly SeriesData[]
  ) {
    const { trans } = context;
    const titles = [
      'Metric',
      'Step',
      'Run',
      'Last',
      'Lowest',
      'Highest',
      'ValueTable',
      'Not finite'
    ];
    this.node = h(
      'details',
      { class: 'kfnb-chart-values' },
      h('summary', {}, trans('Show table')),
      h(
        'div',
        { class: 'kfnb-chart-scroll' },
        h(
          'table',
          { 'aria-label': trans('Metrics') },
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              ...titles.map((title, n) =>
                h(
                  'th',
                  { scope: 'col', class: n > 2 ? 'kfnb-number' : null },
                  trans(title)
                )
              )
            )
          ),
          this.body
        )
      )
    );
    this.node.addEventListener('toggle', () => this.renew());
  }

  /** Updates the values, at most once a second and only while the table is open. */
  update(): void {
    if (this.node.open) {
      this.timer ??= setTimeout(() => this.renew(), PAUSE);
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private renew(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.node.open) {
      return;
    }
    const name = (text: string): HTMLElement => h('bdi', {}, visible(text));
    fill(
      this.body,
      ...this.tracks().map(track =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, name(track.name)),
          h('td', {}, name(track.step)),
          h('td', {}, name(track.runLabel)),
          ...[
            number(track.last),
            track.finite ? number(track.min) : '–',
            track.finite ? number(track.max) : '–',
            String(track.count),
            String(track.count - track.finite)
          ].map(text => h('td', { class: 'kfnb-number' }, text))
        )
      )
    );
  }

  private readonly body = h('tbody');
  private timer: ReturnType<typeof setTimeout> | undefined;
}
