/** What every component is given, in a widget as in a side panel or a test page. */

import type { Location, ToKernel } from './protocol';

/** A value that changes; `connect` returns the function that disconnects the listener. */
export interface Signal<T> {
  readonly value: T;
  connect(listener: (value: T) => void): () => void;
}

export type Theme = 'light' | 'dark';

/** The open notebook in whose output a view is shown. */
export interface Notebook {
  /** Whether there is one; JupyterLab and Notebook 7 have it, other pages do not. */
  readonly present: boolean;
  /** Scrolls to a cell; does nothing if the notebook no longer has it. */
  reveal(location: Location): void;
}

export interface Context {
  /** Returns the text in the language of the user interface. */
  readonly trans: (text: string) => string;
  /** The theme of the page; styles follow it by `data-theme`, canvases have to listen. */
  readonly theme: Signal<Theme>;
  /** Whether the kernel has not answered for a second; it answers when it is free again. */
  readonly busy: Signal<boolean>;
  readonly notebook?: Notebook;
  /** Sends the kernel a request. The answer may come late, or never. */
  post(message: ToKernel): void;
}

/** A part of the page, which adds itself to a host element and is removed by `dispose`. */
export interface Component {
  readonly node: HTMLElement;
  dispose(): void;
}

/** A signal that its owner sets. */
export class Value<T> implements Signal<T> {
  constructor(private current: T) {}

  get value(): T {
    return this.current;
  }

  set value(value: T) {
    if (value === this.current) {
      return;
    }
    this.current = value;
    for (const listener of [...this.listeners]) {
      listener(value);
    }
  }

  connect(listener: (value: T) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private readonly listeners = new Set<(value: T) => void>();
}
