/** A widget's model as the source of a panel: traits are the snapshot, messages what is new. */

import { Value, type Signal } from '../context';
import type {
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

/** How long the kernel may take to answer before it counts as busy. */
const PATIENCE = 1000;

/** How long nothing may come of a run that goes on before the kernel is asked. */
const SILENCE = 15000;

/** What is an answer to what. */
const ANSWERS: Readonly<Partial<Record<ToKernel['kind'], FromKernel['kind']>>> =
  {
    hello: 'state',
    'follow-log': 'log',
    outputs: 'outputs',
    notebook: 'notebook',
    metrics: 'metrics',
    compare: 'compare',
    command: 'notice'
  };

export class WidgetSource implements Source {
  constructor(private readonly model: Model) {
    model.on('msg:custom', this.hear);
    for (const event of ENDS) {
      model.on(event, this.doubt);
    }
    for (const name of TRAITS) {
      model.on(`change:${name}`, this.onTrait[name]);
    }
    this.listening = setInterval(() => {
      if (this.going && Date.now() - this.heard > SILENCE) {
        this.ask();
      }
    }, SILENCE / 3);
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
    return this.late;
  }

  get cut(): Signal<boolean> {
    return this.over;
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
    const answer = ANSWERS[message.kind];
    // Of a pipeline that is only shown there is nothing new to tell.
    if (answer && !this.over.value && (message.kind !== 'hello' || this.run)) {
      this.awaited.add(answer);
      this.timer ??= setTimeout(() => {
        this.late.value = true;
        this.ask();
      }, PATIENCE);
    }
    try {
      this.model.send(message);
    } catch {
      // Without a kernel there is nobody to ask; the notice says so.
    }
  }

  keep(ui: Partial<Ui>): void {
    try {
      this.model.set('ui', { ...this.ui, ...ui });
      this.model.save_changes();
    } catch {
      // As above; what was chosen is forgotten with the page.
    }
  }

  dispose(): void {
    clearInterval(this.listening);
    clearTimeout(this.timer);
    clearTimeout(this.doubting);
    clearTimeout(this.asking);
    this.model.off('msg:custom', this.hear);
    for (const event of ENDS) {
      this.model.off(event, this.doubt);
    }
    for (const name of TRAITS) {
      this.model.off(`change:${name}`, this.onTrait[name]);
    }
    this.listeners.clear();
    this.watchers.clear();
  }

  /** The connection came or went; whoever is there answers. */
  private readonly doubt = (): void => {
    clearTimeout(this.doubting);
    this.doubting = setTimeout(this.end, PATIENCE);
    this.greet();
  };

  /**
   * Nothing was heard for long. A kernel that is busy may be silent; one that is idle, or not
   * there at all, does not know of this view: it was restarted, and nobody told the page.
   */
  private ask(): void {
    if (this.over.value || !this.run) {
      return;
    }
    clearTimeout(this.asking);
    this.asking = setTimeout(() => {
      if (this.deaf) {
        this.end();
      }
    }, 3 * PATIENCE);
    this.greet();
  }

  private greet(): void {
    try {
      this.model.send({ kind: 'hello', have: true });
    } catch {
      // Nobody is there.
    }
  }

  private readonly end = (): void => {
    this.over.value = true;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.awaited.clear();
    this.late.value = false;
  };

  /** Whether the page's kernel could answer and does not, or is away. */
  private get deaf(): boolean {
    const kernel = this.model.widget_manager?.kernel;
    if (kernel === undefined) {
      return false; // this page does not tell
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

  private readonly hear = (message: FromKernel): void => {
    this.heard = Date.now();
    clearTimeout(this.doubting);
    clearTimeout(this.asking);
    this.over.value = false;
    if (message.kind === 'state') {
      this.status = message.status;
    }
    const answered = this.awaited.delete(message.kind);
    if (message.kind === 'notice') {
      this.awaited.clear(); // what could not be done is answered by a sentence
    }
    if ((answered || message.kind === 'notice') && this.awaited.size === 0) {
      clearTimeout(this.timer);
      this.timer = undefined;
      this.late.value = false;
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
  private readonly late = new Value(false);
  private readonly over = new Value(false);
  private doubting: ReturnType<typeof setTimeout> | undefined;
  private asking: ReturnType<typeof setTimeout> | undefined;
  private heard = Date.now();
  private status: RunStatus | undefined;
  private readonly listening: ReturnType<typeof setInterval>;
  private readonly awaited = new Set<FromKernel['kind']>();
  private readonly listeners = new Set<(message: FromKernel) => void>();
  private readonly watchers = new Set<(what: Trait) => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;
}

/** What Jupyter's widgets tell of their connection, when a kernel is restarted or ends. */
const ENDS = ['comm_live_update', 'comm:close'] as const;
const TRAITS = ['graph', 'run', 'state'] as const;
type Trait = (typeof TRAITS)[number];
