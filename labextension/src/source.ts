/** Where a panel's data comes from: a widget's model now, the server's journal for a side panel. */

import type { Signal } from './context';
import type {
  FromKernel,
  Graph,
  RunInfo,
  State,
  ToKernel,
  Ui
} from './protocol';

export interface Source {
  /** As they were when the panel was made; `changed` tells which is another now. */
  readonly graph: Graph;
  readonly run: RunInfo | null;
  readonly state: State | null;
  readonly ui: Ui;
  /** Whether nobody is left who could answer: the kernel was restarted, or ended. */
  readonly cut?: Signal<boolean>;

  /** Listens to what the other side says; gives a way to leave. */
  onMessage(listener: (message: FromKernel) => void): () => void;
  onChanged(listener: (what: 'graph' | 'run' | 'state') => void): () => void;
  post(message: ToKernel): void;
  /** Keeps what the reader chose, for when the notebook is opened again. */
  keep(ui: Partial<Ui>): void;
}
