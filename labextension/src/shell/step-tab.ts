/** The log or the outputs of one step: which one is picked, and asked for again as the run goes on. */

import type { Component, Context } from '../context';
import type { StepState } from '../protocol';
import type { PanelModel } from './model';
import { StepPicker } from './step-picker';

/** What shows one attempt of one step, and asks the kernel for it when it is opened. */
export interface StepView extends Component {
  open(step: string, attempt: number | null): void;
}

/** Between two looks at what a running step has written. */
const PAUSE = 2000;

export class StepTab implements Component {
  onPick: (step: string) => void = () => undefined;

  /**
   * @param grows - the view is told what is added; otherwise it is opened again as steps go on.
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

  /** Some steps changed. */
  update(steps: Readonly<Record<string, StepState>>): void {
    this.picker.refresh();
    const state = this.step === null ? undefined : steps[this.step];
    if (this.step === null || !state || this.attempt !== null) {
      return; // an attempt that was picked does not become another
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
