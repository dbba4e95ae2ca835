/** A notebook that is open in the page: what it says, and its newest run. */

import type {
  Diagnostic,
  Graph,
  ListedRun,
  MetricsMessage,
  RunInfo,
  State,
  StateMessage
} from '../protocol';
import type { Connection, Message } from './connection';
import { localOutline } from './declaration';
import type { CellText, Outline, Proposal } from './outline';

/** A cell as the server is sent it: in the notebook's format, without outputs. */
export interface SentCell {
  readonly id: string;
  readonly cell_type: string;
  readonly source: string;
  readonly metadata: { readonly [key: string]: unknown };
  readonly execution_count?: number | null;
}

export interface Host {
  readonly path: string;
  cells(): SentCell[];
  metadata(): { readonly [key: string]: unknown };
}

export class Book {
  outline: Outline;
  /** The newest graph; `stale` tells that a newer outline has come since. */
  graph: Graph | null = null;
  stale = true;
  proposal: Proposal | null = null;
  run: RunInfo | null = null;
  state: State | null = null;
  runs: readonly ListedRun[] = [];
  /** The last two values of each metric of the run, by name. */
  metrics: ReadonlyMap<string, readonly number[]> = new Map();
  /** A sentence about something that failed; empty if there is none. */
  problem = '';

  constructor(
    private readonly connection: Connection,
    readonly host: Host
  ) {
    this.outline = localOutline(this.cells);
    const ch = `book:${host.path}`;
    const runs = `runs:${host.path}`;
    this.leave = [
      connection.add(ch, {
        open: () => {
          connection.send(ch, 'open-book');
          this.sent.clear();
          this.edit();
        },
        take: message => this.take(message)
      }),
      connection.add(runs, {
        open: () =>
          connection.send(runs, 'watch-runs', { notebook: host.path }),
        take: message => {
          if (message.kind === 'runs') {
            this.takeRuns(message.runs as readonly ListedRun[]);
          }
        }
      })
    ];
  }

  /** Called when anything changed. */
  onChange: () => void = () => undefined;

  dispose(): void {
    clearTimeout(this.timer);
    for (const leave of [...this.leave, this.closeRun]) {
      leave();
    }
  }

  /** The cells as they are now; read again only after a change. */
  get cells(): readonly CellText[] {
    this.texts ??= this.host.cells().map(cell => {
      const { tags, kfnb } = cell.metadata;
      return {
        id: cell.id,
        type: cell.cell_type,
        source: cell.source,
        tags: Array.isArray(tags) ? tags.map(String) : [],
        own: kfnb && typeof kfnb === 'object' ? (kfnb as CellText['own']) : null
      };
    });
    return this.texts;
  }

  /** Has to be called when cells changed, before they are read. */
  forget(): void {
    this.texts = null;
  }

  get diagnostics(): readonly Diagnostic[] {
    return this.graph?.diagnostics ?? [];
  }

  /** The run that goes on, if any. */
  get running(): boolean {
    const status = this.state?.status;
    return status === 'running' || status === 'pending';
  }

  /** Sends what changed; with a delay, several changes are sent together. */
  later(delay: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.edit(), delay);
  }

  /** Sends what changed since the last time. */
  edit(): void {
    clearTimeout(this.timer);
    this.forget();
    const cells = this.host.cells();
    const changed: { [id: string]: SentCell } = {};
    const texts = new Map<string, string>();
    for (const cell of cells) {
      const text = JSON.stringify(cell);
      if (this.sent.get(cell.id) !== text) {
        changed[cell.id] = cell;
      }
      texts.set(cell.id, text);
    }
    const order = cells.map(cell => cell.id);
    if (!Object.keys(changed).length && order.join() === this.order) {
      return;
    }
    this.order = order.join();
    this.sent = texts;
    this.rev += 1;
    this.stale = true;
    if (this.connection.state !== 'open') {
      // Without a server the steps are known as far as tags say them.
      this.sent.clear();
      this.outline = localOutline(this.cells);
      this.changed();
      return;
    }
    this.connection.send(`book:${this.host.path}`, 'edit', {
      rev: this.rev,
      order,
      cells: changed as never,
      metadata: this.host.metadata() as never
    });
  }

  suggest(): void {
    this.edit();
    this.connection.send(`book:${this.host.path}`, 'suggest');
  }

  /** Follows a run, and no other one any more. */
  follow(id: string | null): void {
    this.closeRun();
    this.followed = id;
    this.run = null;
    this.state = null;
    this.metrics = new Map();
    if (id !== null) {
      this.followedBefore.add(id);
      const ch = `run:${id}`;
      this.closeRun = this.connection.add(ch, {
        open: () => this.connection.send(ch, 'open-run'),
        take: message => this.takeRun(message)
      });
    }
    this.changed();
  }

  changed(): void {
    this.onChange();
  }

  private take(message: Message): void {
    if (message.rev !== undefined && message.rev !== null) {
      if (message.kind !== 'book' && message.rev !== this.rev) {
        return;
      }
    }
    switch (message.kind) {
      case 'outline':
        this.outline = message.outline as Outline;
        this.problem = '';
        break;
      case 'graph':
        this.graph = message.graph as Graph;
        this.stale = false;
        this.problem = '';
        break;
      case 'proposal':
        this.proposal = message.proposal as Proposal;
        break;
      case 'problem':
        this.problem = detail(message.problem);
        break;
      case 'notice':
        this.problem = String(message.text);
        break;
      default:
        return;
    }
    this.changed();
  }

  private takeRuns(runs: readonly ListedRun[]): void {
    this.runs = runs;
    const newest = runs[0];
    if (
      newest?.status === 'running' &&
      !this.followedBefore.has(newest.id) &&
      !this.running
    ) {
      // Somebody started it with a magic or in a terminal.
      this.follow(newest.id);
    } else {
      this.changed();
    }
  }

  private takeRun(message: Message): void {
    if (message.kind === 'snapshot') {
      this.run = (message.run as RunInfo | undefined) ?? this.run;
      this.state = (message.state as State | undefined) ?? this.state;
    } else if (message.kind === 'state' && this.state) {
      const change = message as unknown as StateMessage;
      if (change.seq < this.state.seq) {
        return;
      }
      this.state = {
        ...this.state,
        ...change,
        steps: { ...this.state.steps, ...change.steps },
        warnings: change.warnings ?? this.state.warnings
      };
    } else if (message.kind === 'metrics') {
      this.takeMetrics(message as unknown as MetricsMessage);
    } else if (message.kind === 'gone' || message.kind === 'notice') {
      this.problem = String(message.why ?? message.text);
    } else {
      return;
    }
    const status = this.state?.status;
    if (status) {
      // The list itself comes every few seconds.
      this.runs = this.runs.map(run =>
        run.id === this.followed ? { ...run, status } : run
      );
    }
    this.changed();
  }

  private takeMetrics({ points, reset }: MetricsMessage): void {
    const metrics = new Map(reset ? [] : this.metrics);
    for (const { name, points: logged } of points) {
      const values = logged
        .map(([, , value]) => value)
        .filter(value => typeof value === 'number');
      metrics.set(name, [...(metrics.get(name) ?? []), ...values].slice(-2));
    }
    this.metrics = metrics;
  }

  private texts: readonly CellText[] | null = null;
  private followed: string | null = null;
  /** A run that a person turned away from is not followed by itself again. */
  private readonly followedBefore = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private rev = 0;
  private order = '';
  private sent = new Map<string, string>();
  private closeRun: () => void = () => undefined;
  private readonly leave: readonly (() => void)[];
}

function detail(problem: unknown): string {
  const text =
    typeof problem === 'object' && problem
      ? (problem as { detail?: unknown }).detail
      : null;
  return typeof text === 'string' ? text : String(problem);
}
