/** A tab with the log or the outputs of a step, which is updated while the run executes. */

import type { Component, Context } from '../context';
import type { StepState } from '../protocol';
import type { PanelModel } from './model';
import { StepPicker } from './step-picker';

/** Shows one attempt of one step, which it requests from the kernel when it is opened. */
export interface StepView extends Component {
  /** Whether the reader follows what is added; it then moves on to the next step that runs. */
  readonly following?: boolean;
  open(step: string, attempt: number | null): void;
}

/** The choice of all steps together. */
export const ALL = '';

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
    private readonly make: (host: HTMLElement, lead: HTMLElement) => StepView,
    private readonly grows: boolean
  ) {
    this.picker = new StepPicker(context, model, grows);
    this.picker.onPick = (step, attempt) => {
      this.open(step, attempt);
      this.onPick(step);
    };
    this.view = this.make(host, this.picker.node);
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

  /** Shows the same step of another run. */
  restart(): void {
    if (this.step !== null) {
      this.open(this.step, null);
    }
  }

  /** Updates the tab after some steps changed. */
  update(steps: Readonly<Record<string, StepState>>): void {
    this.picker.refresh();
    const next = this.next();
    if (next !== null) {
      this.open(next, null);
      return;
    }
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

  /** The step that a reader of a growing log goes on to: the shown one has ended well. */
  private next(): string | null {
    const { graph, steps } = this.model;
    const shown = this.step === null ? undefined : steps[this.step];
    this.wasRunning ||= shown?.status === 'running';
    if (
      !this.grows ||
      !this.wasRunning ||
      this.attempt !== null ||
      shown?.status !== 'succeeded' ||
      this.view.following === false
    ) {
      return null;
    }
    const running = graph.nodes.find(
      ({ id }) => steps[id]?.status === 'running'
    );
    return running?.id ?? null;
  }

  private open(step: string, attempt: number | null): void {
    this.wasRunning = this.model.steps[step]?.status === 'running';
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
  /** Whether the shown step was running while it was shown. */
  private wasRunning = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
}
