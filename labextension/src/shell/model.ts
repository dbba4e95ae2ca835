/** What is known of a pipeline and its run: the snapshot, and every message since. */

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

export interface Facts {
  readonly status: RunStatus;
  readonly driver: string;
  readonly error: string | null;
  /** When it was so, by the kernel's clock. */
  readonly at: number;
  /** As {@link State.paused}. */
  readonly paused: number;
}

export class PanelModel {
  graph: Graph;
  run: RunInfo | null;
  /** Null for a pipeline that is only shown. */
  facts: Facts | null = null;
  steps: Record<string, StepState> = {};
  warnings: readonly RunWarning[] = [];

  constructor(private readonly source: Source) {
    this.graph = source.graph;
    this.run = source.run;
    this.read();
  }

  get series(): Series[] {
    return [...this.logged.values()];
  }

  /** The runs beside this one, as people tell them from others. */
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
    return this.facts?.status === 'running' || this.facts?.status === 'pending';
  }

  /** Whether news still come: of a run that goes on, unless it or who tells of it is gone. */
  get live(): boolean {
    return this.going && !this.lost && !this.cut && !this.facts?.error;
  }

  get cut(): boolean {
    return this.source.cut?.value ?? false;
  }

  get lost(): boolean {
    return this.facts?.driver.startsWith('lost') ?? false;
  }

  /** Seconds from the run's start to its end, or to now, without those between an end and a resume. */
  elapsed(now: number): number | null {
    if (!this.run || !this.facts) {
      return null;
    }
    const begun = this.run.created + this.facts.paused;
    if (this.live) {
      return Math.max(0, now - begun);
    }
    const ends = Object.values(this.steps).map(step => step.finished ?? 0);
    const end = Math.max(0, ...ends);
    return end > this.run.created ? Math.max(0, end - begun) : null;
  }

  /** Takes the source's snapshot where it is newer than what was said since. */
  read(): void {
    this.graph = this.source.graph;
    this.run = this.source.run;
    const { state } = this.source;
    if (!state || state.seq < this.seq) {
      return;
    }
    this.seq = state.seq;
    this.facts = state;
    this.steps = { ...state.steps };
    this.warn(state.warnings);
    for (const series of state.metrics) {
      const known = this.logged.get(key(series));
      if (!known || known.points.length < series.points.length) {
        this.logged.set(key(series), { ...series, points: [...series.points] });
      }
    }
  }

  /** Takes a message; returns the steps that changed, null where it was not about them. */
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
      return null; // said before the snapshot was
    }
    this.seq = message.seq;
    this.facts = message;
    Object.assign(this.steps, message.steps);
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
    return message.steps;
  }

  /** Warnings are told all, or only the new ones: each is shown once. */
  private warn(told: readonly RunWarning[]): void {
    const known = new Set(this.warnings.map(one => JSON.stringify(one)));
    const added = told.filter(one => !known.has(JSON.stringify(one)));
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

function key({ run, step, name }: Series): string {
  return JSON.stringify([run, step, name]);
}
