/** The open notebooks of the page, and the one that the panel shows. */

import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { AllRuns } from '../panel/all-runs';
import { Book } from '../panel/book';
import { Connection } from '../panel/connection';
import { declared } from '../panel/declaration';
import type { CellEdit } from '../panel/outline';
import { AddStep } from './cells/add-step';
import { Chips } from './cells/chips';
import { NotebookHost } from './notebook';
import { isExecuted } from './runs/executed-notebooks';
import { socket } from './server';

/** An open notebook. */
export interface Open {
  readonly host: NotebookHost;
  readonly book: Book;
  readonly chips: Chips;
  readonly addStep: AddStep;
}

export interface Preferences {
  chips: boolean;
  delay: number;
  notifications: boolean;
  target: string;
}

export class Session {
  readonly connection = new Connection(socket);
  readonly allRuns = new AllRuns(this.connection);
  /** Emitted when anything that is shown changed. */
  readonly changed = new Signal<this, void>(this);
  /** Emitted with a run's notebook when the run ended. */
  readonly ended = new Signal<this, Open>(this);
  readonly preferences: Preferences = {
    chips: true,
    delay: 120,
    notifications: true,
    target: 'local'
  };

  /** Called with each notebook that is opened. */
  onOpened: (open: Open) => void = () => undefined;

  constructor(
    private readonly tracker: INotebookTracker,
    readonly trans: TranslationBundle
  ) {
    this.connection.onChange = () => this.emit();
    this.allRuns.onChange = () => this.emit();
    tracker.widgetAdded.connect((_, panel) => this.add(panel));
    tracker.currentChanged.connect(() => this.emit());
    tracker.activeCellChanged.connect(() => this.emit());
    tracker.forEach(panel => this.add(panel));
  }

  /** The notebook that the panel shows; null if none is open. */
  get current(): Open | null {
    const panel = this.tracker.currentWidget;
    if (panel && isExecuted(panel.context.path)) {
      // What was executed belongs to the notebook that was looked at before.
      return this.all.find(open => open === this.before) ?? null;
    }
    this.before = (panel && this.open.get(panel)) ?? null;
    return this.before;
  }

  get all(): readonly Open[] {
    return [...this.open.values()];
  }

  /** Makes edits of the notebook's cells, and sends them without a delay. */
  edit({ host, book }: Open, edits: readonly CellEdit[]): void {
    host.apply(edits);
    book.forget();
    book.later(0);
  }

  /** Shows a run in a notebook that is about to be opened. */
  followWhenOpened(path: string, run: string): void {
    this.awaited.set(path, run);
  }

  emit(): void {
    if (!this.scheduled) {
      this.scheduled = true;
      requestAnimationFrame(() => {
        this.scheduled = false;
        for (const { chips } of this.open.values()) {
          chips.update();
        }
        this.changed.emit();
      });
    }
  }

  /** Reads the notebook that the panel shows again. */
  private add(panel: NotebookPanel): void {
    void panel.context.ready.then(() => {
      const { path } = panel.context;
      if (panel.isDisposed || this.open.has(panel) || isExecuted(path)) {
        return;
      }
      this.connection.connect();
      const host = new NotebookHost(panel);
      const book = new Book(this.connection, host);
      const one: Open = {
        host,
        book,
        chips: new Chips(this, host, book),
        addStep: new AddStep(this, host, book)
      };
      this.open.set(panel, one);
      this.onOpened(one);
      const run = this.awaited.get(path);
      if (run !== undefined) {
        this.awaited.delete(path);
        book.follow(run);
      }
      let running = false;
      book.onChange = () => {
        if (running && !book.running && book.state) {
          this.ended.emit(one);
        }
        running = book.running;
        this.emit();
      };
      let before = '';
      panel.model?.contentChanged.connect(() => {
        book.forget();
        // What declares a step is shown at once; code is read when a person pauses.
        const now = book.cells
          .map(cell => declared(cell))
          .map(key)
          .join();
        book.later(now === before ? this.preferences.delay : 0);
        before = now;
      });
      panel.disposed.connect(() => {
        this.open.delete(panel);
        book.dispose();
        one.chips.dispose();
        one.addStep.dispose();
        this.emit();
      });
      this.emit();
    });
  }

  private before: Open | null = null;
  private scheduled = false;
  private readonly awaited = new Map<string, string>();
  private readonly open = new Map<NotebookPanel, Open>();
}

function key(one: ReturnType<typeof declared>): string {
  return `${one.role ?? ''}/${one.step ?? ''}`;
}
