/** Announces to screen readers that a step failed or the run has ended. */

import type { Context } from '../context';
import { h } from '../dom';
import { stepLabel } from '../format';
import type { StepState } from '../protocol';
import { word } from '../status';
import type { PanelModel } from './model';

export class Announcer {
  readonly node = h('div', { class: 'kfnb-hidden', 'aria-live': 'polite' });

  constructor(
    private readonly model: PanelModel,
    private readonly context: Context
  ) {}

  /** Takes steps that changed. What they were at first is not announced. */
  take(steps: Readonly<Record<string, StepState>>): void {
    const { model, context } = this;
    const texts: string[] = [];
    for (const [id, { status, step, index }] of Object.entries(steps)) {
      const before = this.statuses.get(id);
      this.statuses.set(id, status);
      if (before !== undefined && before !== status && status === 'failed') {
        const name = model.node(id)?.name ?? stepLabel(step, index);
        texts.push(`${name}: ${word(status, context)}`);
      }
    }
    const run = model.state?.status;
    if (
      run !== undefined &&
      this.run !== undefined &&
      run !== this.run &&
      !model.going
    ) {
      texts.push(`${model.graph.name}: ${word(run, context)}`);
    }
    this.run = run;
    if (texts.length) {
      this.node.textContent = texts.join('. ');
    }
  }

  /** Forgets the run, because another one is shown. */
  restart(): void {
    this.statuses.clear();
    this.run = undefined;
  }

  private readonly statuses = new Map<string, string>();
  private run: string | undefined;
}
