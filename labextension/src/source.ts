/** The source of a panel's data, for example a widget's model. */

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
  /** The present snapshot; `onChanged` reports which part was replaced. */
  readonly graph: Graph;
  readonly run: RunInfo | null;
  readonly state: State | null;
  readonly ui: Ui;
  /** Whether no kernel can answer any more, because it was restarted or has ended. */
  readonly cut?: Signal<boolean>;

  /** Adds a listener for messages; returns a function that removes it. */
  onMessage(listener: (message: FromKernel) => void): () => void;
  onChanged(listener: (what: 'graph' | 'run' | 'state') => void): () => void;
  post(message: ToKernel): void;
  /** Saves the user's choices with the notebook. */
  keep(ui: Partial<Ui>): void;
}
