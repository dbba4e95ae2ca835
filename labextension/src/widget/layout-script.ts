/** The script with Graphviz, which the kernel sends once per page when a graph is drawn. */

import type { Model } from './anywidget';

/** Milliseconds to wait for an answer before another view's kernel is asked. */
const PATIENCE = 4000;

export class LayoutScript {
  /** Adds a view whose kernel may be asked; returns a function that removes it. */
  add(model: Model): () => void {
    this.models.add(model);
    model.on('msg:custom', this.onMessage);
    return () => {
      this.models.delete(model);
      model.off('msg:custom', this.onMessage);
    };
  }

  /** Returns the address of the script, after loading it the first time. */
  readonly url = (): Promise<string> => {
    if (this.address === null && this.timer === undefined) {
      this.timer = setInterval(() => this.ask(), PATIENCE);
      this.ask();
    }
    return this.loaded;
  };

  private ask(): void {
    // The newest view first, because its kernel is most likely to be alive.
    const models = [...this.models].reverse();
    const model = models[this.asked % models.length];
    this.asked += 1;
    try {
      model?.send({ kind: 'layout-script' });
    } catch {
      // This view has lost its kernel.
    }
  }

  private readonly onMessage = (
    message: { kind?: string },
    buffers: (DataView | ArrayBuffer)[] = []
  ): void => {
    if (message.kind === 'layout-script' && buffers[0] && !this.address) {
      clearInterval(this.timer);
      // The URL is not revoked, because workers are started from it again and again.
      this.address = URL.createObjectURL(
        new Blob([buffers[0]], { type: 'text/javascript' })
      );
      this.arrived(this.address);
    }
  };

  private readonly models = new Set<Model>();
  private address: string | null = null;
  private asked = 0;
  private timer: ReturnType<typeof setInterval> | undefined;
  private arrived!: (url: string) => void;
  private readonly loaded = new Promise<string>(
    resolve => (this.arrived = resolve)
  );
}
