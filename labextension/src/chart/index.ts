import type { Component, Context } from '../context';
import { h } from '../dom';
import type { Series } from '../protocol';

export class MetricsChart implements Component {
  readonly node: HTMLElement;

  constructor(host: HTMLElement, context: Context) {
    this.node = h('div', {
      class: 'kfnb-chart',
      'aria-label': context.trans('MetricsChart')
    });
    host.append(this.node);
  }

  setSeries(series: readonly Series[]): void {
    this.node.dataset.series = String(series.length);
  }

  append(points: readonly Series[]): void {
    this.node.dataset.series ??= String(points.length);
  }

  dispose(): void {
    this.node.remove();
  }
}
