/** Metrics with one value each, as text instead of plots with one point. */

import type { Context } from '../context';
import { fill, h } from '../dom';
import { visible } from '../format';
import type { Group } from './chart-layout';
import { sample } from './legend';
import { number } from './number-format';

export class SingleValues {
  readonly node: HTMLElement;
  groups: readonly Group[] = [];

  constructor(context: Context) {
    this.node = h('ul', {
      class: 'kfnb-chart-singles',
      'aria-label': context.trans('Metrics with one value')
    });
  }

  /** Whether one of them has more than one value by now. */
  get grown(): boolean {
    return !this.groups.every(isSingle);
  }

  /** Number of values shown. */
  get shown(): number {
    return this.groups.reduce((sum, group) => sum + seen(group).length, 0);
  }

  set(groups: readonly Group[]): void {
    this.groups = groups;
    this.update();
  }

  update(): void {
    const drawn = JSON.stringify(
      this.groups.map(group => [
        group.name,
        seen(group).map(({ track, look, label }) => [look, label, track.last])
      ])
    );
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      fill(this.node, ...this.groups.map(row));
    }
    this.node.hidden = this.groups.length === 0;
  }

  private drawn = '';
}

export function isSingle({ entries }: Group): boolean {
  return entries.every(({ track }) => track.count <= 1);
}

function seen({ entries }: Group): Group['entries'] {
  return entries.filter(({ track }) => !track.hidden);
}

function row(group: Group): HTMLElement {
  return h(
    'li',
    {},
    h('bdi', { class: 'kfnb-chart-name' }, visible(group.name)),
    ...seen(group).map(({ track, look, label }) =>
      h(
        'span',
        { class: 'kfnb-chart-single', title: visible(label) },
        group.entries.length > 1 && sample(look),
        h('bdi', { class: 'kfnb-quiet' }, visible(label)),
        h('b', {}, number(track.last))
      )
    )
  );
}
