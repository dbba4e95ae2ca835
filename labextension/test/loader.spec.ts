import loader from '../src/widget/loader';
import {
  DIAMOND,
  expectInert,
  FakeModel,
  graph,
  HOSTILE,
  RUN,
  snapshot,
  state
} from './samples';

interface Entry {
  arrived(engine: unknown): void;
}

const KEY = Symbol.for('kfnb.engine');
const page = globalThis as unknown as Record<
  symbol,
  Map<string, Entry> | undefined
>;

function model(traits: Record<string, unknown> = {}): FakeModel {
  return new FakeModel({
    engine: 'abc',
    graph: DIAMOND,
    run: null,
    state: null,
    ...traits
  });
}

beforeEach(() => {
  jest.useFakeTimers();
  page[KEY] = undefined;
  document.body.replaceChildren();
});

afterEach(() => jest.useRealTimers());

describe('the loader', () => {
  it('requests the engine once per page, whatever the number of views', async () => {
    const models = [model(), model(), model()];
    const hosts = models.map(() =>
      document.body.appendChild(document.createElement('div'))
    );
    const ending = models.map((one, n) =>
      loader.render({ model: one, el: hosts[n]! })
    );
    const asked = models.flatMap(one => one.sent);
    expect(asked).toEqual([{ kind: 'hello', have: false }]);
    const rendered: unknown[] = [];
    const engine = {
      render: ({ el }: { el: HTMLElement }) => {
        rendered.push(el);
        return () => undefined;
      }
    };
    page[KEY]!.get('abc')!.arrived(Promise.resolve(engine));
    await Promise.all(ending);
    expect(rendered).toEqual(hosts);
  });

  it('requests it through another view if the first gets no answer', () => {
    const [dead, alive] = [model(), model()];
    void loader.render({ model: dead, el: document.body });
    void loader.render({ model: alive, el: document.body });
    expect(alive.sent).toHaveLength(0);
    jest.advanceTimersByTime(30_000);
    expect(alive.sent.length).toBeGreaterThan(0);
  });

  it('separates the engines of different kernels', () => {
    const [one, other] = [model(), model({ engine: 'def' })];
    void loader.render({ model: one, el: document.body });
    void loader.render({ model: other, el: document.body });
    expect([one.sent.length, other.sent.length]).toEqual([1, 1]);
  });

  it('lists the steps and their statuses until a kernel answers', () => {
    const held = snapshot(
      { n0: state('succeeded'), n1: state('failed') },
      { status: 'failed' }
    );
    void loader.render({
      model: model({ run: RUN, state: held }),
      el: document.body
    });
    expect(document.body.textContent).toContain('split: failed');
    expect(document.body.textContent).toContain(RUN.id);
    jest.advanceTimersByTime(1500);
    expect(document.body.textContent).toContain('busy or not running');
  });

  it('requests nothing if no engine was built', async () => {
    const one = model({ engine: '' });
    await loader.render({ model: one, el: document.body });
    expect(one.sent).toEqual([]);
    expect(document.body.textContent).toContain('report');
  });

  it('requests the engine again if the answer was invalid', async () => {
    const one = model();
    const done = loader.render({ model: one, el: document.body });
    page[KEY]!.get('abc')!.arrived(Promise.reject(new Error('cut short')));
    await expect(done).resolves.toBeInstanceOf(Function);
    expect(document.body.textContent).toContain('cut short');
    expect(page[KEY]!.has('abc')).toBe(false);
  });

  it('shows hostile names as text', () => {
    const pipeline = graph(HOSTILE, []);
    void loader.render({
      model: model({ graph: pipeline }),
      el: document.body
    });
    expectInert(document.body);
  });

  it('stops listening when the engine has been loaded', async () => {
    const one = model();
    const done = loader.render({ model: one, el: document.body });
    page[KEY]!.get('abc')!.arrived(
      Promise.resolve({ render: () => () => undefined })
    );
    await done;
    expect(one.listening).toBe(0);
    jest.advanceTimersByTime(30_000);
    expect(one.sent).toHaveLength(1);
  });
});
