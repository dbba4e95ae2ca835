import { CompareView } from '../compare';
import { MetricsChart } from '../chart';
import type { Component, Context } from '../context';
import { h } from '../dom';
import { LogView } from '../logs';
import { OutputsView } from '../outputs';
import type { Source } from '../source';

/** The whole view of a pipeline: header, tabs, the selected step. */
export class PipelinePanel implements Component {
  readonly node: HTMLElement;
  private readonly parts: Component[];

  constructor(host: HTMLElement, context: Context, source: Source) {
    this.node = h('section', {
      class: 'kfnb-view',
      'data-theme': context.theme.value
    });
    host.append(this.node);
    const chart = new MetricsChart(this.node, context);
    chart.setSeries(source.state?.metrics ?? []);
    this.parts = [
      chart,
      new LogView(this.node, context),
      new OutputsView(this.node, context),
      new CompareView(this.node, context)
    ];
  }

  dispose(): void {
    for (const part of this.parts) {
      part.dispose();
    }
    this.node.remove();
  }
}
