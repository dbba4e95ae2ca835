import { LayoutScript } from '../src/widget/layout-script';
import { FakeModel } from './samples';

const BYTES = new ArrayBuffer(8);

beforeEach(() => {
  jest.useFakeTimers();
  URL.createObjectURL = jest.fn(() => 'blob:layout');
});
afterEach(() => jest.useRealTimers());

describe('the script with Graphviz', () => {
  it('is requested when the first graph is drawn, once for all views', async () => {
    const script = new LayoutScript();
    const [one, other] = [new FakeModel({}), new FakeModel({})];
    script.add(one);
    script.add(other);
    expect([...one.sent, ...other.sent]).toEqual([]);
    const urls = [script.url(), script.url()];
    expect([...one.sent, ...other.sent]).toEqual([{ kind: 'layout-script' }]);
    other.trigger('msg:custom', { kind: 'layout-script' }, [BYTES]);
    expect(await Promise.all(urls)).toEqual(['blob:layout', 'blob:layout']);
    expect(await script.url()).toBe('blob:layout');
    jest.advanceTimersByTime(60_000);
    expect([...one.sent, ...other.sent]).toHaveLength(1);
  });

  it('is requested from another view if the first gets no answer', () => {
    const script = new LayoutScript();
    const [alive, dead] = [new FakeModel({}), new FakeModel({})];
    script.add(alive);
    script.add(dead);
    void script.url();
    expect(alive.sent).toHaveLength(0);
    jest.advanceTimersByTime(5000);
    expect(alive.sent).toEqual([{ kind: 'layout-script' }]);
  });

  it('is not requested from a view that was removed', () => {
    const script = new LayoutScript();
    const model = new FakeModel({});
    script.add(model)();
    void script.url();
    jest.advanceTimersByTime(10_000);
    expect(model.sent).toHaveLength(0);
    expect(model.listening).toBe(0);
  });
});
