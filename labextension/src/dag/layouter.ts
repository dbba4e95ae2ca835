/** Graphviz in a worker that all views share, so that a layout does not block the page. */

export interface Layouter {
  /** Lays DOT out and returns Graphviz's `json0`. */
  layout(dot: string): Promise<string>;
}

export type Graphviz = (dot: string) => Promise<string>;

interface Question {
  readonly id: number;
  readonly dot: string;
}

interface Answer {
  readonly id: number;
  readonly json?: string;
  readonly error?: string;
}

export const WORKER_NAME = 'kfnb-layout';
const LONGEST = 60_000;
const IDLE = 30_000;

/** Whether this code runs as the worker and not in the page. */
export function inWorker(): boolean {
  return (
    typeof document === 'undefined' &&
    (globalThis as { name?: unknown }).name === WORKER_NAME
  );
}

/** The worker's side: handles one request after the other. */
export function serve(graphviz: Graphviz): void {
  const scope = globalThis as unknown as {
    onmessage: (event: MessageEvent<Question>) => void;
    postMessage: (answer: Answer) => void;
  };
  scope.onmessage = ({ data: { id, dot } }) => {
    graphviz(dot).then(
      json => scope.postMessage({ id, json }),
      (error: unknown) => scope.postMessage({ id, error: String(error) })
    );
  };
}

/**
 * The page's side. Where workers are not allowed, Graphviz runs in the page.
 *
 * Graphviz is large, so it is loaded when the first graph is drawn.
 */
export class WorkerLayouter implements Layouter {
  /**
   * @param url - loads the script that calls {@link serve}, and returns its address.
   * @param graphviz - lays a graph out in the page.
   */
  constructor(
    private readonly url: () => Promise<string>,
    private readonly graphviz: Graphviz
  ) {}

  async layout(dot: string): Promise<string> {
    if (!this.forbidden) {
      const url = await this.url();
      try {
        return await this.ask(dot, url);
      } catch (error) {
        if (!(error instanceof Forbidden)) {
          throw error;
        }
        this.forbidden = true;
      }
    }
    await new Promise(resolve => setTimeout(resolve));
    return this.graphviz(dot);
  }

  private ask(dot: string, url: string): Promise<string> {
    const worker = this.started(url);
    const id = (this.asked += 1);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.end(new Error('The layout took longer than a minute'));
      }, LONGEST);
      this.waiting.set(id, answer => {
        clearTimeout(timer);
        if (answer instanceof Error) {
          reject(answer);
        } else if (answer.json === undefined) {
          reject(new Error(answer.error));
        } else {
          resolve(answer.json);
        }
      });
      worker.postMessage({ id, dot } satisfies Question);
    });
  }

  private started(url: string): Worker {
    clearTimeout(this.idle);
    if (this.worker) {
      return this.worker;
    }
    let worker: Worker;
    try {
      worker = new Worker(url, { type: 'module', name: WORKER_NAME });
    } catch (error) {
      throw new Forbidden(String(error));
    }
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const answer = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      answer?.(data);
      if (this.waiting.size === 0) {
        // WebAssembly never frees memory, so an idle worker is ended.
        this.idle = setTimeout(() => this.end(new Error('idle')), IDLE);
      }
    };
    worker.onerror = event => this.end(new Forbidden(event.message));
    this.worker = worker;
    return worker;
  }

  private end(reason: Error): void {
    clearTimeout(this.idle);
    this.worker?.terminate();
    this.worker = null;
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    for (const answer of waiting) {
      answer(reason);
    }
  }

  private worker: Worker | null = null;
  private readonly waiting = new Map<
    number,
    (answer: Answer | Error) => void
  >();
  private asked = 0;
  private forbidden = false;
  private idle: ReturnType<typeof setTimeout> | undefined;
}

class Forbidden extends Error {}
