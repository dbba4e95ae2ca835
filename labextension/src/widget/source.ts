/** A widget's model as the source of a panel: traits are the snapshot, messages the updates. */

import { Value, type Signal } from '../context';
import type {
  Envelope,
  FromKernel,
  Graph,
  RunInfo,
  RunStatus,
  State,
  ToKernel,
  Ui
} from '../protocol';
import type { Source } from '../source';
import type { Model } from './anywidget';

/** Milliseconds that the kernel may take to answer before it counts as busy. */
const BUSY_AFTER = 1000;

/** Milliseconds without a message about a running run after which the kernel is asked. */
const SILENT_AFTER = 15000;

/** The requests that are not answered. */
const UNANSWERED: ReadonlySet<ToKernel['kind']> = new Set([
  'unfollow-log',
  'select'
]);

export class WidgetSource implements Source {
  constructor(private readonly model: Model) {
    model.on('msg:custom', this.onKernelMessage);
    for (const event of ENDS) {
      model.on(event, this.checkConnection);
    }
    for (const name of TRAITS) {
      model.on(`change:${name}`, this.onTrait[name]);
    }
    this.silenceCheck = setInterval(() => {
      if (this.going && Date.now() - this.lastMessageAt > SILENT_AFTER) {
        this.checkSilence();
      }
    }, SILENT_AFTER / 3);
  }

  get graph(): Graph {
    return this.model.get('graph') as Graph;
  }

  get run(): RunInfo | null {
    return this.model.get('run') as RunInfo | null;
  }

  get state(): State | null {
    return this.model.get('state') as State | null;
  }

  get ui(): Ui {
    return this.model.get('ui') as Ui;
  }

  get busy(): Signal<boolean> {
    return this.isBusy;
  }

  get cut(): Signal<boolean> {
    return this.isCut;
  }

  onMessage(listener: (message: FromKernel) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  onChanged(listener: (what: Trait) => void): () => void {
    this.watchers.add(listener);
    return () => this.watchers.delete(listener);
  }

  post(message: ToKernel): void {
    const re = (this.requests += 1);
    // A pipeline without a run has no state, so the kernel does not answer.
    const answered =
      !UNANSWERED.has(message.kind) && (message.kind !== 'hello' || this.run);
    if (answered && !this.isCut.value) {
      this.awaited.add(re);
      this.busyTimer ??= setTimeout(() => {
        this.isBusy.value = true;
        this.checkSilence();
      }, BUSY_AFTER);
    }
    try {
      this.model.send({ ...message, re });
    } catch {
      // There is no kernel, which the notice shows.
    }
  }

  keep(ui: Partial<Ui>): void {
    try {
      this.model.set('ui', { ...this.ui, ...ui });
      this.model.save_changes();
    } catch {
      // There is no kernel; the choice is lost when the page is closed.
    }
  }

  dispose(): void {
    clearInterval(this.silenceCheck);
    clearTimeout(this.busyTimer);
    clearTimeout(this.connectionTimer);
    clearTimeout(this.silenceTimer);
    this.model.off('msg:custom', this.onKernelMessage);
    for (const event of ENDS) {
      this.model.off(event, this.checkConnection);
    }
    for (const name of TRAITS) {
      this.model.off(`change:${name}`, this.onTrait[name]);
    }
    this.listeners.clear();
    this.watchers.clear();
  }

  /** Checks whether the kernel answers, after the connection changed. */
  private readonly checkConnection = (): void => {
    clearTimeout(this.connectionTimer);
    this.connectionTimer = setTimeout(this.end, BUSY_AFTER);
    this.sendHello();
  };

  /**
   * Checks whether the kernel answers, after a long silence. A busy kernel may be silent; an idle or
   * missing one was restarted and does not know this view.
   */
  private checkSilence(): void {
    if (this.isCut.value || !this.run) {
      return;
    }
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => {
      if (this.unresponsive) {
        this.end();
      }
    }, 3 * BUSY_AFTER);
    this.sendHello();
  }

  private sendHello(): void {
    try {
      this.model.send({ kind: 'hello', have: true });
    } catch {
      // There is no kernel.
    }
  }

  private readonly end = (): void => {
    this.isCut.value = true;
    clearTimeout(this.busyTimer);
    this.busyTimer = undefined;
    this.awaited.clear();
    this.isBusy.value = false;
  };

  /** Whether the kernel could answer but does not, or is disconnected. */
  private get unresponsive(): boolean {
    const kernel = this.model.widget_manager?.kernel;
    if (kernel === undefined) {
      return false; // this front end does not have the kernel's status
    }
    const disconnected =
      kernel === null ||
      (kernel.connectionStatus ?? 'connected') !== 'connected';
    return (
      disconnected || ['idle', 'dead', 'terminating'].includes(kernel.status)
    );
  }

  private get going(): boolean {
    const status = this.status ?? this.state?.status;
    return !!this.run && (status === 'running' || status === 'pending');
  }

  private readonly onKernelMessage = (message: FromKernel & Envelope): void => {
    this.lastMessageAt = Date.now();
    clearTimeout(this.connectionTimer);
    clearTimeout(this.silenceTimer);
    this.isCut.value = false;
    if (message.kind === 'state') {
      this.status = message.status;
    }
    if (this.awaited.delete(Number(message.re)) && this.awaited.size === 0) {
      clearTimeout(this.busyTimer);
      this.busyTimer = undefined;
      this.isBusy.value = false;
    }
    for (const listener of [...this.listeners]) {
      listener(message);
    }
  };

  private changed(what: Trait): void {
    for (const watcher of [...this.watchers]) {
      watcher(what);
    }
  }

  private readonly onTrait: Readonly<Record<Trait, () => void>> = {
    graph: () => this.changed('graph'),
    run: () => this.changed('run'),
    state: () => this.changed('state')
  };
  private readonly isBusy = new Value(false);
  private readonly isCut = new Value(false);
  private connectionTimer: ReturnType<typeof setTimeout> | undefined;
  private silenceTimer: ReturnType<typeof setTimeout> | undefined;
  private lastMessageAt = Date.now();
  private status: RunStatus | undefined;
  private readonly silenceCheck: ReturnType<typeof setInterval>;
  /** The requests without an answer so far. */
  private readonly awaited = new Set<number>();
  private requests = 0;
  private readonly listeners = new Set<(message: FromKernel) => void>();
  private readonly watchers = new Set<(what: Trait) => void>();
  private busyTimer: ReturnType<typeof setTimeout> | undefined;
}

/** Events of Jupyter's widgets when a kernel is restarted or ends. */
const ENDS = ['comm_live_update', 'comm:close'] as const;
const TRAITS = ['graph', 'run', 'state'] as const;
type Trait = (typeof TRAITS)[number];
