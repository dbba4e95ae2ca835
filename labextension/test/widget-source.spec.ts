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

describe('a kernel that is gone', () => {
  it('is known when nobody answers after the connection went', () => {
    const { model, source } = made();
    model.trigger('comm_live_update');
    expect(model.sent).toContainEqual({ kind: 'hello', have: true });
    jest.advanceTimersByTime(900);
    expect(source.cut.value).toBe(false);
    jest.advanceTimersByTime(200);
    expect(source.cut.value).toBe(true);
    // Nothing is waited for any more.
    source.post({ kind: 'metrics' });
    jest.advanceTimersByTime(2000);
    expect(source.busy.value).toBe(false);
  });

  it('is there again as soon as it says something', () => {
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
  it('counts as busy after a second, and no more when it answers', () => {
    const { model, source } = made();
    source.post({
      kind: 'follow-log',
      step: 'n0',
      index: '',
      attempt: null,
      from: 0
    });
    jest.advanceTimersByTime(900);
    expect(source.busy.value).toBe(false);
    jest.advanceTimersByTime(200);
    expect(source.busy.value).toBe(true);
    model.trigger('msg:custom', LOG, []);
    expect(source.busy.value).toBe(false);
  });

  it('is not free because something else was pushed', () => {
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

  it('has answered when it says why it cannot do what was asked', () => {
    const { model, source } = made();
    source.post({ kind: 'compare', runs: ['gone'] });
    jest.advanceTimersByTime(1100);
    expect(source.busy.value).toBe(true);
    const said = { kind: 'notice', text: 'There is no run.', level: 'error' };
    model.trigger('msg:custom', said, []);
    expect(source.busy.value).toBe(false);
  });

  it('owes no answer to what needs none, nor for a pipeline that is only shown', () => {
    const { source } = made(null);
    source.post({ kind: 'select', id: 'n0' });
    source.post({ kind: 'unfollow-log', step: 'n0', index: '' });
    source.post({ kind: 'hello', have: true });
    jest.advanceTimersByTime(5000);
    expect(source.busy.value).toBe(false);
  });

  it('does no harm when it is gone', () => {
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

describe('what is kept', () => {
  it('is kept in the model, for when the notebook is opened again', () => {
    const { model, source } = made();
    source.keep({ tab: 'table', selected: 'n2' });
    expect(source.ui).toEqual({ ...UI, tab: 'table', selected: 'n2' });
    expect(model.saved).toBe(1);
  });

  it('leaves nothing behind', () => {
    const { model, source } = made();
    expect(model.listening).toBeGreaterThan(0);
    source.dispose();
    expect(model.listening).toBe(0);
  });
});
