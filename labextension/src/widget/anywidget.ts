/** The part of anywidget's interface that the views use. */

export interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, callback: (...args: never[]) => void): void;
  off(event: string, callback: (...args: never[]) => void): void;
  send(content: unknown): void;
  /** Only JupyterLab and Notebook 7 have the kernel here. */
  readonly widget_manager?: {
    readonly kernel?: Kernel | null;
    readonly context?: { readonly model?: NotebookModel };
  };
}

/** The part of JupyterLab's model of an open notebook that the views use. */
export interface NotebookModel {
  getMetadata(key: string): unknown;
  setMetadata(key: string, value: unknown): void;
}

export interface Kernel {
  readonly status: string;
  readonly connectionStatus?: string;
}

export interface Rendering {
  readonly model: Model;
  readonly el: HTMLElement;
}

/** The exports of the engine's bundle, which the loader calls. */
export interface Engine {
  render(rendering: Rendering): () => void;
}
