/** Selects the step and attempt that a tab shows. */

import type { Context } from '../context';
import { fill, h } from '../dom';
import { visible } from '../format';
import { word } from '../status';
import type { PanelModel } from './model';

export class StepPicker {
  readonly node: HTMLElement;
  onPick: (step: string, attempt: number | null) => void = () => undefined;

  /**
   * @param all - whether all steps together can be selected, as the step ''.
   */
  constructor(
    private readonly context: Context,
    private readonly model: PanelModel,
    private readonly all: boolean
  ) {
    const { trans } = context;
    this.node = h(
      'div',
      { class: 'kfnb-picker' },
      h('label', {}, h('span', {}, trans('Step')), this.steps),
      this.attemptsLabel
    );
    this.attemptsLabel.append(h('span', {}, trans('Attempt')), this.attempts);
    this.steps.addEventListener('change', () =>
      this.pick(this.steps.value, null)
    );
    this.attempts.addEventListener('change', () =>
      this.pick(this.steps.value, Number(this.attempts.value) || null)
    );
  }

  /** Selects a step and attempt (null for the newest) without calling `onPick`. */
  show(step: string, attempt: number | null): void {
    this.refresh();
    this.steps.value = step;
    const count = this.model.steps[step]?.attempts ?? 0;
    const { trans } = this.context;
    fill(
      this.attempts,
      h('option', { value: '' }, trans('last')),
      ...Array.from({ length: count }, (_, n) =>
        h('option', { value: n + 1 }, String(n + 1))
      )
    );
    this.attempts.value = attempt === null ? '' : String(attempt);
    this.attemptsLabel.hidden = count < 2;
  }

  /** Updates the statuses of the steps in the list. */
  refresh(): void {
    const chosen = this.steps.value;
    const texts = this.model.graph.nodes.map(({ id, name }) => {
      const status = this.model.steps[id]?.status;
      const suffix = status
        ? ` (${word(status, this.context).toLowerCase()})`
        : '';
      return [id, `${visible(name)}${suffix}`] as const;
    });
    const written = JSON.stringify(texts);
    if (written !== this.written) {
      this.written = written;
      const { trans } = this.context;
      fill(
        this.steps,
        this.all && h('option', { value: '' }, trans('All steps')),
        ...texts.map(([value, text]) => h('option', { value }, text))
      );
      this.steps.value = chosen;
    }
  }

  private pick(step: string, attempt: number | null): void {
    this.show(step, attempt);
    this.onPick(step, attempt);
  }

  private readonly steps = h('select');
  private readonly attempts = h('select');
  private readonly attemptsLabel = h('label', { hidden: true });
  private written = '';
}
