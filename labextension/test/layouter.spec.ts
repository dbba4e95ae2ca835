import { WorkerLayouter } from '../src/dag/layouter';

class FakeWorker {
  static made: FakeWorker[] = [];
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: { message: string }) => void) | null = null;
  ended = false;
  readonly asked: { id: number; dot: string }[] = [];

  constructor(readonly url: string) {
    FakeWorker.made.push(this);
  }

  postMessage(question: { id: number; dot: string }): void {
    this.asked.push(question);
  }

  answer(n: number, more: object): void {
    this.onmessage?.({ data: { id: this.asked[n]!.id, ...more } });
  }

  terminate(): void {
    this.ended = true;
  }
}

const url = (): Promise<string> => Promise.resolve('blob:layout');
/** Lets the promise of the address settle. */
const loaded = (): Promise<void> => Promise.resolve().then(() => undefined);
const here = jest.fn((dot: string) => Promise.resolve(`here: ${dot}`));

beforeEach(() => {
  FakeWorker.made = [];
  here.mockClear();
  Object.assign(globalThis, { Worker: FakeWorker });
});

afterEach(() => {
  jest.useRealTimers();
  delete (globalThis as { Worker?: unknown }).Worker;
});

describe('laying out in a worker', () => {
  it('uses one worker for all views', async () => {
    const layouter = new WorkerLayouter(url, here);
    const [one, two] = [layouter.layout('a'), layouter.layout('b')];
    await loaded();
    expect(FakeWorker.made).toHaveLength(1);
    FakeWorker.made[0]!.answer(1, { json: 'B' });
    FakeWorker.made[0]!.answer(0, { json: 'A' });
    expect(await Promise.all([one, two])).toEqual(['A', 'B']);
    expect(here).not.toHaveBeenCalled();
  });

  it('reports an error of Graphviz', async () => {
    const layouter = new WorkerLayouter(url, here);
    const asked = layouter.layout('a');
    await loaded();
    FakeWorker.made[0]!.answer(0, { error: 'syntax error' });
    await expect(asked).rejects.toThrow('syntax error');
  });

  it('works in the page if workers are not allowed', async () => {
    Object.assign(globalThis, {
      Worker: jest.fn(() => {
        throw new Error('Content Security Policy');
      })
    });
    const layouter = new WorkerLayouter(url, here);
    expect(await layouter.layout('a')).toBe('here: a');
  });

  it('works in the page if the worker cannot be loaded', async () => {
    const layouter = new WorkerLayouter(url, here);
    const asked = layouter.layout('a');
    await loaded();
    FakeWorker.made[0]!.onerror?.({ message: 'blocked' });
    expect(await asked).toBe('here: a');
    expect(await layouter.layout('b')).toBe('here: b');
    expect(FakeWorker.made).toHaveLength(1);
  });

  it('ends an idle worker and starts another when needed', async () => {
    jest.useFakeTimers();
    const layouter = new WorkerLayouter(url, here);
    const asked = layouter.layout('a');
    await loaded();
    FakeWorker.made[0]!.answer(0, { json: 'A' });
    await asked;
    jest.advanceTimersByTime(60_000);
    expect(FakeWorker.made[0]!.ended).toBe(true);
    void layouter.layout('b');
    await loaded();
    expect(FakeWorker.made).toHaveLength(2);
  });

  it('ends a layout that takes minutes', async () => {
    jest.useFakeTimers();
    const layouter = new WorkerLayouter(url, here);
    const asked = layouter.layout('a');
    await loaded();
    jest.advanceTimersByTime(61_000);
    await expect(asked).rejects.toThrow('longer than a minute');
    expect(FakeWorker.made[0]!.ended).toBe(true);
  });
});
