import type { FromKernel } from '../src/protocol';
import { WidgetSource } from '../src/widget/source';
import { DIAMOND, FakeModel, RUN, snapshot, UI } from './samples';

function made(run: unknown = RUN): { model: FakeModel; source: WidgetSource } {
  const model = new FakeModel({
    graph: DIAMOND,
    run,
    state: snapshot({}),
    ui: UI
  });
  return { model, source: new WidgetSource(model) };
}

const LOG: FromKernel = {
  kind: 'log',
  step: 'n0',
  index: '',
  attempt: 1,
  from: 0,
  to: 1,
  total: 1,
  text: 'x',
  reset: true,
  attempts: [1]
};

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('a kernel that has ended', () => {
  it('is detected if there is no answer after a lost connection', () => {
    const { model, source } = made();
    model.trigger('comm_live_update');
    expect(model.sent).toContainEqual({ kind: 'hello', have: true });
    jest.advanceTimersByTime(900);
    expect(source.cut.value).toBe(false);
    jest.advanceTimersByTime(200);
    expect(source.cut.value).toBe(true);
    // No answer is expected any more.
    source.post({ kind: 'metrics', runs: null });
    jest.advanceTimersByTime(2000);
    expect(source.busy.value).toBe(false);
  });

  it('counts as alive as soon as it sends a message', () => {
    const { model, source } = made();
    model.trigger('comm_live_update');
    model.trigger('msg:custom', LOG, []);
    jest.advanceTimersByTime(2000);
    expect(source.cut.value).toBe(false);
    model.trigger('comm:close');
    jest.advanceTimersByTime(2000);
    model.trigger('msg:custom', LOG, []);
    expect(source.cut.value).toBe(false);
  });
});

describe('a kernel that does not answer', () => {
  it('counts as busy after a second until it answers', () => {
    const { model, source } = made();
    source.post({
      kind: 'follow-log',
      step: 'n0',
      index: '',
      attempt: null,
      from: 0
    });
    const re = model.sent.at(-1)?.re;
    jest.advanceTimersByTime(900);
    expect(source.busy.value).toBe(false);
    jest.advanceTimersByTime(200);
    expect(source.busy.value).toBe(true);
    // A log that was followed before may go on without being the answer.
    model.trigger('msg:custom', LOG, []);
    expect(source.busy.value).toBe(true);
    model.trigger('msg:custom', { ...LOG, re }, []);
    expect(source.busy.value).toBe(false);
  });

  it('stays busy if it sends other messages', () => {
    const { model, source } = made();
    source.post({
      kind: 'follow-log',
      step: 'n0',
      index: '',
      attempt: null,
      from: 0
    });
    jest.advanceTimersByTime(1100);
    model.trigger('msg:custom', { kind: 'metrics', points: [] }, []);
    expect(source.busy.value).toBe(true);
  });

  it('has answered only when each request has its answer', () => {
    const { model, source } = made();
    source.post({ kind: 'runs', all: true });
    source.post({ kind: 'runs', all: false });
    const [first, second] = model.sent.map(({ re }) => re);
    expect(first).not.toBe(second);
    jest.advanceTimersByTime(1100);
    const runs = { kind: 'runs', runs: [], more: 0 };
    model.trigger('msg:custom', { ...runs, re: second }, []);
    expect(source.busy.value).toBe(true);
    model.trigger('msg:custom', { ...runs, re: first }, []);
    expect(source.busy.value).toBe(false);
  });

  it('has answered if it sends a notice', () => {
    const { model, source } = made();
    source.post({ kind: 'compare', runs: ['gone'] });
    const re = model.sent.at(-1)?.re;
    jest.advanceTimersByTime(1100);
    expect(source.busy.value).toBe(true);
    const notice = {
      kind: 'notice',
      text: 'There is no run.',
      level: 'error',
      re
    };
    model.trigger('msg:custom', notice, []);
    expect(source.busy.value).toBe(false);
  });

  it('is not expected to answer where no answer exists', () => {
    const { source } = made(null);
    source.post({ kind: 'select', id: 'n0' });
    source.post({ kind: 'unfollow-log', step: 'n0', index: '' });
    source.post({ kind: 'hello', have: true });
    jest.advanceTimersByTime(5000);
    expect(source.busy.value).toBe(false);
  });

  it('causes no error when it is gone', () => {
    const { model, source } = made();
    model.send = () => {
      throw new Error('comm closed');
    };
    source.post({ kind: 'outputs', step: 'n0', index: '', attempt: null });
    source.keep({ tab: 'logs' });
    jest.advanceTimersByTime(1100);
    expect(source.busy.value).toBe(true);
  });
});

describe('the source', () => {
  it('saves choices in the model', () => {
    const { model, source } = made();
    source.keep({ tab: 'table', selected: 'n2' });
    expect(source.ui).toEqual({ ...UI, tab: 'table', selected: 'n2' });
    expect(model.saved).toBe(1);
  });

  it('listens to nothing after the view is closed', () => {
    const { model, source } = made();
    expect(model.listening).toBeGreaterThan(0);
    source.dispose();
    expect(model.listening).toBe(0);
  });
});
