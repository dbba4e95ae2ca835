import type { Component, Context } from '../context';
import { h } from '../dom';
import type { CompareMessage } from '../protocol';

export class CompareView implements Component {
  readonly node: HTMLElement;

  constructor(host: HTMLElement, context: Context) {
    this.node = h('div', {
      class: 'kfnb-compare',
      'aria-label': context.trans('CompareView')
    });
    host.append(this.node);
  }

  open(runs: readonly string[]): void {
    this.node.dataset.runs = runs.join(' ');
  }

  show(message: CompareMessage): void {
    this.node.dataset.runs = message.runs.map(run => run.id).join(' ');
  }

  dispose(): void {
    this.node.remove();
  }
}
