import { PipelinePanel } from '../src/shell';
import type { Diagnostic, StepError, Tab } from '../src/protocol';
import {
  DIAMOND,
  expectInert,
  graph,
  HOSTILE,
  location,
  page,
  RUN,
  snapshot,
  state,
  FakeSource
} from './samples';

const ERROR: StepError = {
  ename: 'ValueError',
  evalue: 'inconsistent numbers of samples',
  location: location(5, { line: 3, text: 'fit(X, y)' }),
  summary: 'ValueError: inconsistent numbers of samples',
  remedy: 'Look at it with %pipeline debug fit.',
  class: 'user code'
};
const STEPS = {
  n0: state('cached', { why: 'nothing changed' }),
  n1: state('succeeded', { duration: 1.5, why: 'code changed in `x = 1`' }),
  n2: state('failed', { error: ERROR, attempts: 2 }),
  n3: state('running', { cells_done: 1, cells_total: 2 }),
  n4: state('pending')
};

function shown(source = new FakeSource(DIAMOND, RUN, snapshot(STEPS))) {
  const made = page();
  const panel = new PipelinePanel(document.body, made.context, source, null);
  return { ...made, panel, source };
}

function find(selector: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(selector);
  if (!found) {
    throw new Error(`nothing is ${selector}`);
  }
  return found;
}

function button(text: string): HTMLButtonElement {
  const all = [...document.querySelectorAll('button')];
  return all.find(one => one.textContent === text && !one.hidden)!;
}

function tab(name: Tab): HTMLElement {
  return find(`[role=tab][data-tab=${name}]`);
}

afterEach(() => document.body.replaceChildren());

describe('the header', () => {
  it('shows the run, its status and the number of steps by status', () => {
    shown();
    const header = find('.kfnb-header').textContent;
    expect(header).toContain('digits');
    expect(header).toContain(RUN.id);
    expect(header).toContain('Running');
    expect(header).toContain('lr = 0.1');
    const counts = [...document.querySelectorAll('.kfnb-counts li')].map(
      one => one.textContent
    );
    expect(counts).toEqual([
      '1running',
      '1failed',
      '1succeeded',
      '1cached',
      '1pending'
    ]);
  });

  it('counts the steps and not their instances', () => {
    const instance = state('failed', { step: 'fit', index: '3' });
    const steps = { n0: state('running'), '["fit", "3"]': instance };
    shown(new FakeSource(DIAMOND, RUN, snapshot(steps)));
    expect(find('.kfnb-counts').textContent).toBe('1running');
  });

  it('offers a new run before the old code, and starts it without a question', () => {
    const facts = { status: 'failed', driver: 'ended' } as const;
    const { posted } = shown(
      new FakeSource(DIAMOND, RUN, snapshot(STEPS, facts))
    );
    const offered = [...find('.kfnb-title').querySelectorAll('button')]
      .filter(({ hidden }) => !hidden)
      .map(({ textContent }) => textContent);
    expect(offered).toEqual(['Run again', 'Resume']);
    expect(button('Resume').title).toContain('the old code');
    button('Run again').click();
    expect(posted).toContainEqual({ kind: 'command', name: 'run-again' });
    document.body.replaceChildren();
    shown();
    expect(button('Run again')).toBeUndefined();
  });

  it('shows a new run in place of the old one, though its numbers begin again', () => {
    const ended = snapshot(STEPS, { status: 'failed', seq: 90 });
    const { source, posted } = shown(
      new FakeSource(DIAMOND, RUN, ended, { tab: 'logs' })
    );
    source.set({
      run: { ...RUN, id: '20261124-again' },
      state: snapshot({ n2: state('running') }, { seq: 2 })
    });
    expect(find('.kfnb-view').dataset).toMatchObject({
      run: '20261124-again',
      status: 'running'
    });
    expect(posted.filter(({ kind }) => kind === 'follow-log')).toHaveLength(2);
  });

  it('has a bar whose pieces are the steps, and none that is empty', () => {
    shown();
    const weights = (): (string | undefined)[][] =>
      [...find('.kfnb-strip').children].map(one => [
        (one as HTMLElement).dataset.status,
        (one as HTMLElement).style.flexGrow
      ]);
    expect(weights()).toEqual([
      ['succeeded', '1'],
      ['cached', '1'],
      ['failed', '1'],
      ['running', '1'],
      [undefined, '1']
    ]);
    document.body.replaceChildren();
    const done = Object.fromEntries(
      Object.keys(STEPS).map(id => [id, state('succeeded')])
    );
    shown(new FakeSource(DIAMOND, RUN, snapshot(done)));
    expect(weights()).toEqual([['succeeded', '5']]);
  });

  it('counts the time without the pause before a resume', () => {
    const created = RUN.created;
    const steps = { n0: state('succeeded', { finished: created + 100 }) };
    const facts = { status: 'succeeded', driver: 'ended' } as const;
    shown(
      new FakeSource(DIAMOND, RUN, snapshot(steps, { ...facts, paused: 70 }))
    );
    expect(find('.kfnb-elapsed').textContent).toBe('30 s');
  });

  it('counts the time until the run ended, as the text below does', () => {
    const { created } = RUN;
    const steps = { n0: state('succeeded', { finished: created + 10 }) };
    const facts = { status: 'succeeded', driver: 'ended' } as const;
    const finished = created + 12;
    shown(
      new FakeSource(DIAMOND, RUN, snapshot(steps, { ...facts, finished }))
    );
    expect(find('.kfnb-elapsed').textContent).toBe('12 s');
  });

  it('shows what went wrong with the run, but not the error of a step again', () => {
    const facts = { status: 'failed', driver: 'ended' } as const;
    const error = 'The disk is full.';
    const banner = (
      steps: typeof STEPS | Record<string, never>
    ): HTMLElement => {
      document.body.replaceChildren();
      shown(new FakeSource(DIAMOND, RUN, snapshot(steps, { ...facts, error })));
      return find('.kfnb-gone');
    };
    expect(banner({}).textContent).toBe(error);
    expect(banner(STEPS).hidden).toBe(true);
  });

  it('names all runs whose metrics are shown', () => {
    const compare = [RUN.id, '20261124-svm1', '20261125-tree'];
    const { source } = shown(
      new FakeSource(DIAMOND, RUN, snapshot(STEPS), { compare })
    );
    expect(find('.kfnb-others').textContent).toBe(
      'with 20261124-svm1, 20261125-tree'
    );
    // The parameters of the first run could be mistaken for those of all.
    expect(document.querySelector('.kfnb-parameter')).toBeNull();
    const logged = {
      run: '20261124-svm1',
      title: 'slow',
      step: 'fit',
      index: ''
    };
    source.send({
      kind: 'metrics',
      points: [{ ...logged, name: 'loss', points: [[1, 1, 1]] }]
    });
    expect(find('.kfnb-others').textContent).toContain('slow · svm1');
  });

  it('stops a run only after a confirmation', () => {
    const { posted } = shown();
    button('Stop').click();
    expect(posted).toEqual([]);
    expect(find('.kfnb-confirm').getAttribute('role')).toBe('alertdialog');
    expect(document.activeElement?.textContent).toBe('Keep running');
    button('Stop the run').click();
    expect(posted).toEqual([{ kind: 'command', name: 'stop' }]);
    expect(document.querySelector('.kfnb-confirm')).toBeNull();
  });

  it('closes the confirmation on Escape and at the end of the run', () => {
    const { posted, source } = shown();
    button('Stop').click();
    find('.kfnb-confirm').dispatchEvent(
      new KeyboardEvent('keydown', { key: 'Escape', bubbles: true })
    );
    expect(document.querySelector('.kfnb-confirm')).toBeNull();
    button('Stop').click();
    source.send({
      kind: 'state',
      ...snapshot({}, { seq: 2, status: 'succeeded', driver: 'ended' })
    });
    expect(document.querySelector('.kfnb-confirm')).toBeNull();
    expect(button('Stop')).toBeUndefined();
    expect(posted).toEqual([]);
  });

  it('reports a lost driver and offers to resume the run', () => {
    const { posted } = shown(
      new FakeSource(
        DIAMOND,
        RUN,
        snapshot(STEPS, { driver: 'lost since 12:00' })
      )
    );
    expect(find('.kfnb-gone').textContent).toContain(
      'The process that drove this run is gone'
    );
    expect(find('.kfnb-status').textContent).toBe('Lost');
    expect(button('Stop')).toBeUndefined();
    button('Resume').click();
    button('Resume the run').click();
    expect(posted).toEqual([{ kind: 'command', name: 'resume' }]);
  });

  it('downloads the executed notebook of a step', () => {
    const { posted, source } = shown(
      new FakeSource(DIAMOND, RUN, snapshot(STEPS), { selected: 'n0' })
    );
    button('Executed notebook').click();
    expect(posted).toContainEqual({
      kind: 'notebook',
      step: 'n0',
      index: '',
      attempt: null
    });
    const made = jest.fn<string, [Blob]>(() => 'blob:made');
    URL.createObjectURL = made as typeof URL.createObjectURL;
    const clicked: string[] = [];
    const click = jest
      .spyOn(HTMLAnchorElement.prototype, 'click')
      .mockImplementation(function (this: HTMLAnchorElement) {
        clicked.push(`${this.download} ${this.href}`);
      });
    source.send({
      kind: 'notebook',
      step: 'n0',
      index: '',
      attempt: 1,
      name: 'digits-load.ipynb',
      text: '{}'
    });
    expect(made.mock.calls[0]?.[0].size).toBe(2);
    expect(clicked).toEqual(['digits-load.ipynb blob:made']);
    expect(document.querySelector('a[download]')).toBeNull();
    click.mockRestore();
  });

  it('shows the notices of the kernel, and that it is busy', () => {
    const { source, busy } = shown();
    source.send({
      kind: 'notice',
      text: 'The run has ended already.',
      level: 'warning'
    });
    expect(find('.kfnb-notice-result').textContent).toContain(
      'has ended already'
    );
    expect(find('.kfnb-busy').hidden).toBe(true);
    busy.value = true;
    expect(find('.kfnb-busy').hidden).toBe(false);
    expect(find('.kfnb-busy').textContent).toBe('The test does not answer.');
    busy.value = false;
    expect(find('.kfnb-busy').hidden).toBe(true);
  });
});

describe('the tabs', () => {
  it('show one panel, follow the arrow keys, and are saved', () => {
    const { source } = shown();
    expect(tab('dag').getAttribute('aria-selected')).toBe('true');
    tab('dag').dispatchEvent(
      new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true })
    );
    expect(tab('table').getAttribute('aria-selected')).toBe('true');
    expect(document.activeElement).toBe(tab('table'));
    const seen = [
      ...document.querySelectorAll<HTMLElement>('[role=tabpanel]')
    ].filter(panel => !panel.hidden);
    expect(seen.map(panel => panel.dataset.tab)).toEqual(['table']);
    expect(source.choices).toEqual([{ tab: 'table' }]);
  });

  it('are hidden if they need a run and there is none', () => {
    shown(new FakeSource(DIAMOND));
    const offered = [
      ...document.querySelectorAll<HTMLElement>('[role=tab]')
    ].filter(one => !one.hidden);
    expect(offered.map(one => one.dataset.tab)).toEqual([
      'dag',
      'table',
      'runs',
      'compare'
    ]);
  });

  it('are hidden in a view with one tab', () => {
    shown(
      new FakeSource(DIAMOND, RUN, snapshot(STEPS), {
        only: true,
        tab: 'table'
      })
    );
    expect(find('[role=tablist]').hidden).toBe(true);
    expect(document.querySelectorAll('[role=tabpanel]')).toHaveLength(1);
    expect(document.querySelector('.kfnb-steps')).not.toBeNull();
  });
});

describe('the selected step', () => {
  it('has details: error with location, remedy, edges and their reasons', () => {
    const { posted, source } = shown();
    find('.kfnb-node[data-id=n2], [role=tab][data-tab=table]').click();
    find('tr[data-id=n2]').click();
    const detail = find('.kfnb-detail[data-id=n2]').textContent;
    expect(detail).toContain('ValueError: inconsistent numbers of samples');
    expect(detail).toContain('[15] line 3 fit(X, y)');
    expect(detail).toContain('%pipeline debug fit');
    expect(detail).toContain('Inputs fromsplitx1');
    expect(detail).toContain('Feedsreportx2');
    expect(posted).toContainEqual({ kind: 'select', id: 'n2' });
    expect(source.ui.selected).toBe('n2');
  });

  it('is updated during the run', () => {
    const { source } = shown(
      new FakeSource(DIAMOND, RUN, snapshot(STEPS), { selected: 'n3' })
    );
    expect(find('.kfnb-detail').textContent).toContain('1/2');
    source.send({
      kind: 'state',
      ...snapshot({ n3: state('succeeded', { duration: 2 }) }, { seq: 2 })
    });
    expect(find('.kfnb-detail').textContent).toContain('Succeeded · 2.0 s');
  });

  it('keeps the focus when it is updated', () => {
    const own = (text: string): HTMLElement =>
      [...find('.kfnb-detail').querySelectorAll('button')].find(
        one => one.textContent === text
      )!;
    const { source } = shown(
      new FakeSource(DIAMOND, RUN, snapshot(STEPS), { selected: 'n3' })
    );
    own('Outputs').focus();
    source.send({
      kind: 'state',
      ...snapshot(
        { n3: state('running', { location: location(4) }) },
        { seq: 2 }
      )
    });
    expect(document.activeElement).toBe(own('Outputs'));
  });

  it('links to its neighbours and its log, and can be closed', () => {
    shown(new FakeSource(DIAMOND, RUN, snapshot(STEPS), { selected: 'n2' }));
    button('split').click();
    expect(find('.kfnb-detail').dataset.id).toBe('n1');
    button('Log').click();
    expect(tab('logs').getAttribute('aria-selected')).toBe('true');
    tab('table').click();
    find('.kfnb-close').click();
    expect(find('.kfnb-detail').hidden).toBe(true);
  });
});

describe('the resources of a step', () => {
  const MESSAGE = {
    kind: 'resources',
    step: 'n1',
    index: '',
    attempt: 1,
    samples: [
      [100, 0, 200e6],
      [102, 3, 900e6],
      [104, 4, 600e6]
    ],
    cpu: '1.2',
    memory: '1088Mi'
  } as const;
  const steps = {
    ...STEPS,
    n1: state('succeeded', { resources: { memory: 1, cpu_seconds: 2 } })
  };

  it('are requested once, and drawn with the requests that would be enough', () => {
    const { source, posted } = shown(
      new FakeSource(DIAMOND, RUN, snapshot(steps), { selected: 'n1' })
    );
    const asked = (): number =>
      posted.filter(({ kind }) => kind === 'resources').length;
    expect(asked()).toBe(1);
    source.send(MESSAGE);
    const labels = [...document.querySelectorAll('.kfnb-resource svg')].map(
      one => one.getAttribute('aria-label')
    );
    expect(labels).toEqual([
      'Cores: at most 1.5 in 2.0 s',
      'Memory: at most 900 MB in 4.0 s'
    ]);
    expect(find('.kfnb-detail').textContent).toContain('cpu:1.2 memory:1088Mi');
    const dashed = [...document.querySelectorAll('.kfnb-resource-request')].map(
      one => one.getAttribute('d')
    );
    // The most that was used is below the top, where the request for memory is.
    expect(dashed).toEqual(['M0 9.4H250', 'M0 1.0H250']);
    source.send({ kind: 'state', ...snapshot({ n1: steps.n1 }, { seq: 2 }) });
    expect(asked()).toBe(1);
    expect(document.querySelectorAll('.kfnb-resource').length).toBe(2);
  });

  it('of another step are not shown', () => {
    const { source } = shown(
      new FakeSource(DIAMOND, RUN, snapshot(steps), { selected: 'n1' })
    );
    source.send({ ...MESSAGE, step: 'n3' });
    expect(document.querySelector('.kfnb-resource')).toBeNull();
  });
});

describe('the compared runs', () => {
  it('have their metrics drawn beside those of this run', () => {
    const { source, posted } = shown(
      new FakeSource(DIAMOND, RUN, snapshot(STEPS), { tab: 'runs' })
    );
    const listed = { ...RUN, id: 'other', status: 'succeeded' } as const;
    const runs = [{ ...listed, duration: 1, metrics: {} }];
    source.send({ kind: 'runs', runs, more: 0 });
    find('.kfnb-runs [data-run=other] input').click();
    const [chosen] = posted.filter(({ kind }) => kind === 'metrics');
    expect(chosen).toEqual({ kind: 'metrics', runs: [RUN.id, 'other'] });
    expect(source.ui.compare).toEqual([RUN.id, 'other']);
    // The button in the list leads to the comparison, and one there back to the list.
    find('.kfnb-runs .kfnb-primary').click();
    expect(posted.at(-1)).toEqual({
      kind: 'compare',
      runs: [RUN.id, 'other']
    });
    expect(tab('compare').getAttribute('aria-selected')).toBe('true');
    find('.kfnb-compare-bar button').click();
    expect(tab('runs').getAttribute('aria-selected')).toBe('true');
  });
});

describe('options of the whole pipeline', () => {
  it('are listed with the volumes', () => {
    shown(
      new FakeSource({
        ...DIAMOND,
        options: { image: 'ada/train:1', timeout: 90 },
        volumes: [
          { name: 'data', mount: '/data', claim: 'big', size: null },
          { name: 'tmp', mount: '/scratch', claim: null, size: '5Gi' }
        ]
      })
    );
    const list = find('.kfnb-pipeline-options');
    expect(list.querySelector('summary')?.textContent).toBe(
      'Options of the pipeline: image, timeout, volume data, volume tmp'
    );
    expect(
      [...list.querySelectorAll('dd')].map(({ textContent }) => textContent)
    ).toEqual([
      'ada/train:1',
      '1m30s',
      '/data: the claim big',
      '/scratch: an empty folder, 5Gi'
    ]);
  });

  it('have no list where there are none', () => {
    shown(new FakeSource(DIAMOND));
    expect(find('.kfnb-pipeline-options').hidden).toBe(true);
  });
});

describe('logs and outputs', () => {
  it('are of the failed or running step until one is selected', () => {
    const { posted, source } = shown();
    tab('logs').click();
    const step = find('.kfnb-picker select') as HTMLSelectElement;
    expect(step.value).toBe('n2');
    // There is one toolbar: it begins with the choice of the step.
    expect(step.closest('.kfnb-log-bar')).not.toBeNull();
    step.value = '';
    step.dispatchEvent(new Event('change'));
    expect(step.selectedOptions[0]?.textContent).toBe('All steps');
    expect(posted).toContainEqual({
      kind: 'follow-log',
      step: '',
      index: '',
      attempt: null,
      from: 0
    });
    step.value = 'n1';
    step.dispatchEvent(new Event('change'));
    expect(source.ui.selected).toBe('n1');
    expect(posted).toContainEqual({ kind: 'select', id: 'n1' });
    tab('outputs').click();
    const other = document.querySelector<HTMLSelectElement>(
      '[data-tab=outputs] select'
    );
    expect(other?.value).toBe('n1');
  });

  it('offer the attempts of a step', () => {
    shown(
      new FakeSource(DIAMOND, RUN, snapshot(STEPS), {
        tab: 'logs',
        selected: 'n2'
      })
    );
    const [, attempts] = [
      ...document.querySelectorAll<HTMLSelectElement>('.kfnb-picker select')
    ];
    expect([...attempts!.options].map(option => option.textContent)).toEqual([
      'last',
      '1',
      '2'
    ]);
    expect(attempts!.closest('label')?.hidden).toBe(false);
  });
});

describe('messages', () => {
  it('that are older than the snapshot are ignored', () => {
    const { source, panel } = shown(
      new FakeSource(DIAMOND, RUN, snapshot(STEPS, { seq: 9 }))
    );
    source.send({
      kind: 'state',
      ...snapshot({ n4: state('failed') }, { seq: 3 })
    });
    tab('table').click();
    expect(find('tr[data-id=n4]').dataset.status).toBe('pending');
    expect(panel.node.dataset.status).toBe('running');
  });

  it('of an unknown kind are ignored', () => {
    const { source } = shown();
    source.send({ kind: 'weather', sun: true } as never);
    expect(find('.kfnb-status').textContent).toBe('Running');
  });

  it('are ignored after the view is closed', () => {
    const { source, panel } = shown();
    panel.dispose();
    source.send({
      kind: 'state',
      ...snapshot({ n4: state('failed') }, { seq: 3 })
    });
    expect(document.body.childElementCount).toBe(0);
  });

  it('announce a failure and the end to screen readers', () => {
    const { source } = shown();
    const live = find('[aria-live=polite]');
    source.send({
      kind: 'state',
      ...snapshot({ n4: state('running') }, { seq: 2 })
    });
    expect(live.textContent).toBe('');
    source.send({
      kind: 'state',
      ...snapshot({ n4: state('failed') }, { seq: 3 })
    });
    expect(live.textContent).toBe('report: Failed');
    source.send({
      kind: 'state',
      ...snapshot({}, { seq: 4, status: 'failed', driver: 'ended' })
    });
    expect(live.textContent).toBe('digits: Failed');
  });

  it('add edges that the run found', () => {
    const { source } = shown(
      new FakeSource(DIAMOND, RUN, snapshot(STEPS), { selected: 'n0' })
    );
    const edge = {
      ...DIAMOND.edges[0]!,
      id: 'e9',
      target: 'n4',
      found: true,
      why: 'file out.csv'
    };
    source.send({
      kind: 'state',
      ...snapshot({ n0: STEPS.n0 }, { seq: 2 }),
      edges: [edge]
    });
    expect(find('.kfnb-detail').textContent).toContain(
      'file out.csv (seen in the run)'
    );
  });
});

describe('the page', () => {
  it('sets the theme, also when it changes', () => {
    const { panel, theme } = shown();
    expect(panel.node.dataset.theme).toBe('light');
    theme.value = 'dark';
    expect(panel.node.dataset.theme).toBe('dark');
  });

  it.each([false, true])(
    'gets no keys that are typed here (capturing: %s)',
    capturing => {
      const { panel } = shown();
      const heard: string[] = [];
      // Lumino does the same.
      const hear = (event: KeyboardEvent): void => {
        if (
          !(event.target as Element).closest('[data-lm-suppress-shortcuts]')
        ) {
          heard.push(event.key);
        }
      };
      document.addEventListener('keydown', hear, capturing);
      const press = (key: string, more: KeyboardEventInit = {}): void => {
        const event = new KeyboardEvent('keydown', {
          key,
          bubbles: true,
          ...more
        });
        panel.node.querySelector('[role=tab]')?.dispatchEvent(event);
      };
      jest.useFakeTimers();
      ['b', '0', 'd', 'Enter', ' ', 'ArrowDown', 'Escape'].forEach(key =>
        press(key)
      );
      // Keys with Ctrl, and those that run a cell, reach the page, also before a pending timer.
      press('s', { ctrlKey: true });
      jest.runAllTimers();
      press('Enter', { shiftKey: true });
      jest.runAllTimers();
      jest.useRealTimers();
      document.removeEventListener('keydown', hear, capturing);
      expect(heard).toEqual(['s', 'Enter']);
    }
  );
});

describe('findings', () => {
  it('are shown above, with location and remedy', () => {
    const finding: Diagnostic = {
      code: 'unbound',
      severity: 'error',
      message: 'The name df is read before any step makes it',
      remedy: 'Move the cell up.',
      step: 'split',
      location: location(3, { line: 2, text: 'df.head()' })
    };
    shown(new FakeSource({ ...DIAMOND, diagnostics: [finding] }));
    const found = find('.kfnb-findings') as HTMLDetailsElement;
    expect(found.open).toBe(true);
    expect(found.textContent).toContain('1 error in the notebook');
    expect(found.textContent).toContain(
      'Move the cell up. [13] line 2 df.head()'
    );
  });
});

describe('warnings of the run', () => {
  it('are shown once each', () => {
    const warning = {
      code: 'shared',
      message: 'Two values share an object',
      step: 'fit'
    };
    const { source } = shown(
      new FakeSource(DIAMOND, RUN, snapshot(STEPS, { warnings: [warning] }))
    );
    source.send({
      kind: 'state',
      ...snapshot({}, { seq: 2, warnings: [warning, { message: 'Another' }] })
    });
    expect(find('.kfnb-findings summary').textContent).toBe(
      '2 warnings of the run'
    );
    expect(document.querySelectorAll('.kfnb-findings li')).toHaveLength(2);
  });
});

describe('the options of a step', () => {
  it('are written as in the tags', () => {
    const nodes = DIAMOND.nodes.map(node => ({
      ...node,
      options: { timeout: 600, retries: 2 }
    }));
    shown(
      new FakeSource({ ...DIAMOND, nodes }, RUN, snapshot(STEPS), {
        selected: 'n1'
      })
    );
    expect(find('.kfnb-detail').textContent).toContain('timeout10mretries2');
  });
});

describe('hostile texts', () => {
  it('are inert everywhere', () => {
    for (const evil of HOSTILE) {
      const pipeline = graph([evil, `${evil}2`], [[0, 1]]);
      const error = {
        ...ERROR,
        ename: evil,
        evalue: evil,
        summary: evil,
        remedy: evil
      };
      const source = new FakeSource(
        {
          ...pipeline,
          name: evil,
          notebook: evil,
          edges: pipeline.edges.map(edge => ({ ...edge, why: evil })),
          nodes: pipeline.nodes.map(node => ({
            ...node,
            options: { [evil]: evil }
          })),
          diagnostics: [
            {
              code: evil,
              severity: 'error',
              message: evil,
              remedy: evil,
              step: evil,
              location: location(0, { line: 1, text: evil, id: evil })
            }
          ],
          options: { [evil]: evil },
          volumes: [{ name: evil, mount: evil, claim: evil, size: evil }]
        },
        {
          ...RUN,
          id: evil,
          title: evil,
          target: evil,
          parameters: { [evil]: evil }
        },
        snapshot(
          {
            n0: state('failed', {
              error,
              why: evil,
              reason: evil,
              notebook: evil,
              outputs: [
                { name: evil, type: evil, shape: [evil], size: 1, repr: evil }
              ]
            }),
            n1: state(evil as never)
          },
          {
            status: evil as never,
            driver: evil,
            error: evil,
            warnings: [{ code: evil, message: evil, remedy: evil }]
          }
        ),
        { selected: 'n0' }
      );
      const { panel } = shown(source);
      tab('table').click();
      source.send({ kind: 'notice', text: evil, level: 'error' });
      expectInert(panel.node);
      panel.dispose();
    }
  });
});
