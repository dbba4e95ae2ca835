import type { StepState } from '../src/protocol';
import { PanelModel } from '../src/shell/model';
import { StepTab, type StepView } from '../src/shell/step-tab';
import { DIAMOND, page, RUN, snapshot, state, FakeSource } from './samples';

function made(grows: boolean) {
  const opened: [string, number | null][] = [];
  const model = new PanelModel(
    new FakeSource(DIAMOND, RUN, snapshot({ n0: state('running') }))
  );
  const view: StepView = {
    node: document.createElement('div'),
    open: (step, attempt) => opened.push([step, attempt]),
    dispose: () => undefined
  };
  const reader = new StepTab(
    document.body,
    page().context,
    model,
    () => view,
    grows
  );
  const go = (more: Parameters<typeof state>[1]): void => {
    const steps = { n0: state('running', more) };
    Object.assign(model.steps, steps);
    reader.update(steps);
  };
  return { reader, opened, go, model };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => {
  jest.useRealTimers();
  document.body.replaceChildren();
});

describe('the tab of a step', () => {
  it('shows a new attempt as soon as it begins', () => {
    const { reader, opened, go } = made(true);
    reader.show('n0');
    go({ attempts: 2 });
    expect(opened).toEqual([
      ['n0', null],
      ['n0', null]
    ]);
  });

  it('goes on to the next step that runs when the followed one has succeeded', () => {
    const { reader, opened, model } = made(true);
    reader.show('n0');
    const become = (steps: Record<string, StepState>): void => {
      Object.assign(model.steps, steps);
      reader.update(steps);
    };
    become({ n0: state('succeeded') });
    become({ n1: state('running') });
    expect(opened.at(-1)).toEqual(['n1', null]);
    // The log of a failed step says why it failed.
    become({ n1: state('failed'), n2: state('running') });
    expect(opened).toHaveLength(2);
    // A step that had ended before it was opened was chosen to be read.
    reader.show('n0');
    become({ n2: state('running') });
    expect(opened.at(-1)).toEqual(['n0', null]);
  });

  it('is not requested again if the kernel sends additions', () => {
    const { reader, opened, go } = made(true);
    reader.show('n0');
    go({ cells_done: 1 });
    jest.advanceTimersByTime(10_000);
    reader.show('n0');
    expect(opened).toHaveLength(1);
  });

  it('is otherwise requested every two seconds', () => {
    const { reader, opened, go } = made(false);
    reader.show('n0');
    for (let done = 0; done < 40; done += 1) {
      go({ cells_done: done });
      jest.advanceTimersByTime(100);
    }
    expect(opened).toHaveLength(3);
  });

  it('is not requested while it is hidden', () => {
    const { reader, opened, go } = made(false);
    reader.show('n0');
    document.body.hidden = true;
    go({ cells_done: 1 });
    jest.advanceTimersByTime(10_000);
    expect(opened).toHaveLength(1);
    document.body.hidden = false;
    reader.show('n0');
    expect(opened).toHaveLength(2);
  });
});
