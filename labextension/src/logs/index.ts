import type { Component, Context } from '../context';
import { h } from '../dom';
import type { LogMessage } from '../protocol';

export class LogView implements Component {
  readonly node: HTMLElement;

  constructor(host: HTMLElement, context: Context) {
    this.node = h('div', {
      class: 'kfnb-log',
      'aria-label': context.trans('LogView')
    });
    host.append(this.node);
  }

  open(step: string, attempt: number | null): void {
    this.node.dataset.step = `${step} ${attempt ?? ''}`;
  }

  append(message: LogMessage): void {
    this.node.append(message.text);
  }

  dispose(): void {
    this.node.remove();
  }
}
