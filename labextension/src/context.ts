/** What every component is given, wherever it lives: a widget, a side panel, a test page. */

import type { ToKernel } from './protocol';

/** A value that changes; whoever connects is told from then on, and gets a way to leave. */
export interface Signal<T> {
  readonly value: T;
  connect(listener: (value: T) => void): () => void;
}

export type Theme = 'light' | 'dark';

export interface Context {
  /** Gives the text in the language of the user interface. */
  readonly trans: (text: string) => string;
  /** Of the page around; styles follow it by `data-theme`, canvases must listen. */
  readonly theme: Signal<Theme>;
  /** The kernel has not answered for a second: what was asked follows when it is free. */
  readonly busy: Signal<boolean>;
  /** Asks the kernel; nothing may depend on an answer coming soon, or at all. */
  post(message: ToKernel): void;
}

/** A part of the page: made in a host, updated by its own methods, removed by `dispose`. */
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
