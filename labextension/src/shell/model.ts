/** A pipeline and a run of it: the source's snapshot, updated by each message. */

import { runLabel } from '../format';
import type {
  FromKernel,
  Graph,
  GraphNode,
  MetricsMessage,
  Point,
  RunInfo,
  RunStatus,
  RunWarning,
  Series,
  StateMessage,
  StepState
} from '../protocol';
import type { Source } from '../source';

export interface RunState {
  readonly status: RunStatus;
  readonly driver: string;
  readonly error: string | null;
  /** Time of this state by the kernel's clock. */
  readonly at: number;
  /** As {@link State.paused}. */
  readonly paused: number;
  /** As {@link State.finished}. */
  readonly finished: number | null;
}

export class PanelModel {
  graph: Graph;
  run: RunInfo | null;
  /** Null for a pipeline without a run. */
  state: RunState | null = null;
  steps: Record<string, StepState> = records({});
  warnings: readonly RunWarning[] = [];

  constructor(private readonly source: Source) {
    this.graph = source.graph;
    this.run = source.run;
    this.read();
  }

  get series(): Series[] {
    return [...this.logged.values()];
  }

  /** Labels of the runs that are compared with this one. */
  get others(): string[] {
    const titles = new Map(
      [...this.logged.values()].map(one => [one.run, one.title])
    );
    return this.source.ui.compare
      .filter(id => id !== this.run?.id)
      .map(id => runLabel(id, titles.get(id) ?? ''));
  }

  node(id: string | null): GraphNode | null {
    return this.graph.nodes.find(node => node.id === id) ?? null;
  }

  idOf(name: string): string | null {
    return this.graph.nodes.find(node => node.name === name)?.id ?? null;
  }

  get going(): boolean {
    return this.state?.status === 'running' || this.state?.status === 'pending';
  }

  /** Whether updates are expected: the run is executing, and its driver and this kernel are alive. */
  get live(): boolean {
    return this.going && !this.lost && !this.cut && !this.state?.error;
  }

  /** What went wrong with the run as a whole; a step's own failure is shown at the step. */
  get problem(): string | null {
    const failed = Object.values(this.steps).some(
      ({ status }) => status === 'failed'
    );
    return failed ? null : (this.state?.error ?? null);
  }

  get cut(): boolean {
    return this.source.cut?.value ?? false;
  }

  get lost(): boolean {
    return this.state?.driver.startsWith('lost') ?? false;
  }

  /** Seconds from the run's start to its end, or to now, without those between an end and a resume. */
  elapsed(now: number): number | null {
    if (!this.run || !this.state) {
      return null;
    }
    const begun = this.run.created + this.state.paused;
    if (this.live) {
      return Math.max(0, now - begun);
    }
    const ends = Object.values(this.steps).map(step => step.finished ?? 0);
    // A run that lost its driver has no end of its own.
    const end = this.state.finished ?? Math.max(0, ...ends);
    return end > this.run.created ? Math.max(0, end - begun) : null;
  }

  /** Takes the source's snapshot, unless later messages of the same run are newer. */
  read(): void {
    this.graph = this.source.graph;
    if (this.source.run?.id !== this.run?.id) {
      this.forgetRun();
    }
    this.run = this.source.run;
    const { state } = this.source;
    if (!state || state.seq < this.seq) {
      return;
    }
    this.seq = state.seq;
    this.state = state;
    this.steps = records(state.steps);
    this.warn(state.warnings);
    for (const series of state.metrics) {
      const known = this.logged.get(key(series));
      if (!known || known.points.length < series.points.length) {
        this.logged.set(key(series), { ...series, points: [...series.points] });
      }
    }
  }

  /** Takes a message; returns the steps that changed, or null if it is about something else. */
  take(message: FromKernel): Record<string, StepState> | null {
    if (message.kind === 'state') {
      return this.takeState(message);
    }
    if (message.kind === 'metrics') {
      this.takeMetrics(message);
    }
    return null;
  }

  private takeState(message: StateMessage): Record<string, StepState> | null {
    if (message.seq < this.seq) {
      return null; // older than the snapshot
    }
    this.seq = message.seq;
    this.state = message;
    const changed = records(message.steps);
    Object.assign(this.steps, changed);
    this.warn(message.warnings ?? []);
    if (message.edges?.length || message.dot !== undefined) {
      const known = new Set(this.graph.edges.map(edge => edge.id));
      const added = (message.edges ?? []).filter(edge => !known.has(edge.id));
      this.graph = {
        ...this.graph,
        dot: message.dot ?? this.graph.dot,
        edges: [...this.graph.edges, ...added]
      };
    }
    return changed;
  }

  /** Removes all data of a run, because a view can show another run later. */
  private forgetRun(): void {
    this.seq = -1;
    this.state = null;
    this.steps = records({});
    this.warnings = [];
    this.logged.clear();
  }

  /** Adds the warnings that are new; a message has all of them or only new ones. */
  private warn(warnings: readonly RunWarning[]): void {
    const known = new Set(this.warnings.map(one => JSON.stringify(one)));
    const added = warnings.filter(one => !known.has(JSON.stringify(one)));
    if (added.length) {
      this.warnings = [...this.warnings, ...added];
    }
  }

  private takeMetrics(message: MetricsMessage): void {
    if (message.reset) {
      this.logged.clear();
    }
    for (const series of message.points) {
      const known = this.logged.get(key(series));
      if (known) {
        for (const point of series.points) {
          known.points.push(point);
        }
      } else {
        this.logged.set(key(series), { ...series, points: [...series.points] });
      }
    }
  }

  private readonly logged = new Map<string, Series & { points: Point[] }>();
  private seq = -1;
}

/** A copy without a prototype, because a step can be called "constructor" or "__proto__". */
function records(
  states: Readonly<Record<string, StepState>>
): Record<string, StepState> {
  const copy = Object.create(null) as Record<string, StepState>;
  for (const [id, state] of Object.entries(states)) {
    copy[id] = state;
  }
  return copy;
}

function key({ run, step, index, name }: Series): string {
  return JSON.stringify([run, step, index, name]);
}
