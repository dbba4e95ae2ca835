/** What every component is given, in a widget as in a side panel or a test page. */

import type { Location, ToKernel } from './protocol';
import type { NotebookSettings } from './settings';

/** A value that changes; `connect` returns the function that disconnects the listener. */
export interface Signal<T> {
  readonly value: T;
  connect(listener: (value: T) => void): () => void;
}

export type Theme = 'light' | 'dark';

/** What a part asks of its host: a widget, a side panel, a test page. */
export interface Context {
  /** Returns the text in the language of the user interface. */
  readonly trans: (text: string) => string;
  /** The theme of the page; styles follow it by `data-theme`, canvases have to listen. */
  readonly theme: Signal<Theme>;
  /** Whether the host's kernel or server has not answered for a second. */
  readonly busy: Signal<boolean>;
  /** The host's sentence for that, and what a person can do about it. */
  readonly waiting: string;
  /** Opens a notebook by its path on the server; null where the page has no viewer for it. */
  readonly open: ((notebook: string) => void) | null;
  /** Scrolls to a cell, or to a line of it; null where the page shows no notebook. */
  readonly goTo: ((location: Location) => void) | null;
  /** The options of the whole pipeline; null where the page cannot edit the notebook. */
  readonly settings?: NotebookSettings | null;
  /** Sends a request to the kernel or server. The answer may come late, or never. */
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
