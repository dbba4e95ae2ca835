/** A tab with the log or the outputs of a step, which is updated while the run executes. */

import type { Component, Context } from '../context';
import type { StepState } from '../protocol';
import type { PanelModel } from './model';
import { StepPicker } from './step-picker';

/** Shows one attempt of one step, which it requests from the kernel when it is opened. */
export interface StepView extends Component {
  open(step: string, attempt: number | null): void;
}

/** Milliseconds between two updates of a running step. */
const PAUSE = 2000;

export class StepTab implements Component {
  onPick: (step: string) => void = () => undefined;

  /**
   * @param grows - whether the kernel sends additions; otherwise the view is opened again.
   */
  constructor(
    host: HTMLElement,
    context: Context,
    private readonly model: PanelModel,
    private readonly make: (host: HTMLElement) => StepView,
    private readonly grows: boolean
  ) {
    this.picker = new StepPicker(host, context, model);
    this.picker.onPick = (step, attempt) => {
      this.open(step, attempt);
      this.onPick(step);
    };
    this.view = this.make(host);
    this.host = host;
  }

  get node(): HTMLElement {
    return this.view.node;
  }

  /** Shows a step, unless it is shown already. */
  show(step: string): void {
    if (step !== this.step || this.stale) {
      this.open(step, step === this.step ? this.attempt : null);
    }
  }

  /** Updates the tab after some steps changed. */
  update(steps: Readonly<Record<string, StepState>>): void {
    this.picker.refresh();
    const state = this.step === null ? undefined : steps[this.step];
    if (this.step === null || !state || this.attempt !== null) {
      return; // the user has selected an attempt
    }
    const begun = state.attempts !== this.begun;
    this.begun = state.attempts;
    if (begun) {
      this.open(this.step, null);
    } else if (!this.grows) {
      this.stale = true;
      this.timer ??= setTimeout(() => {
        this.timer = undefined;
        if (this.stale && !this.host.hidden && this.step !== null) {
          this.open(this.step, this.attempt);
        }
      }, PAUSE);
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.view.dispose();
  }

  private open(step: string, attempt: number | null): void {
    this.step = step;
    this.attempt = attempt;
    this.begun = this.model.steps[step]?.attempts ?? 0;
    this.stale = false;
    this.picker.show(step, attempt);
    this.view.open(step, attempt);
  }

  private readonly picker: StepPicker;
  private readonly view: StepView;
  private readonly host: HTMLElement;
  private step: string | null = null;
  private attempt: number | null = null;
  private begun = 0;
  private stale = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
}
