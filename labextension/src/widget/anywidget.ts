/** What anywidget gives a widget's code; only what we use of it. */

export interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, callback: (...args: never[]) => void): void;
  off(event: string, callback: (...args: never[]) => void): void;
  send(content: unknown): void;
  /** JupyterLab's and Notebook's say with which kernel they speak; others do not. */
  readonly widget_manager?: { readonly kernel?: Kernel | null };
}

export interface Kernel {
  readonly status: string;
  readonly connectionStatus?: string;
}

export interface Rendering {
  readonly model: Model;
  readonly el: HTMLElement;
}

/** What the engine's bundle exports: the `render` of an anywidget, as the loader calls it. */
export interface Engine {
  render(rendering: Rendering): () => void;
}
