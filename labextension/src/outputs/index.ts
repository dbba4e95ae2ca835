import type { Component, Context } from '../context';
import { h } from '../dom';
import type { OutputsMessage } from '../protocol';

export class OutputsView implements Component {
  readonly node: HTMLElement;

  constructor(host: HTMLElement, context: Context) {
    this.node = h('div', {
      class: 'kfnb-outputs',
      'aria-label': context.trans('OutputsView')
    });
    host.append(this.node);
  }

  open(step: string, attempt: number | null): void {
    this.node.dataset.step = `${step} ${attempt ?? ''}`;
  }

  show(message: OutputsMessage): void {
    this.node.dataset.cells = String(message.cells.length);
  }

  dispose(): void {
    this.node.remove();
  }
}
