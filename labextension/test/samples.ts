/** Sample pipelines and runs, and a fake of anywidget's model. */

import { Value, type Context, type Theme } from '../src/context';
import type {
  FromKernel,
  Graph,
  GraphEdge,
  Location,
  RunInfo,
  State,
  StepState,
  StepStatus,
  ToKernel,
  Ui
} from '../src/protocol';
import type { Source } from '../src/source';

export function state(
  status: StepStatus,
  more: Partial<StepState> = {}
): StepState {
  return {
    step: '',
    index: '',
    round: 0,
    again: '',
    status,
    attempts: status === 'pending' ? 0 : 1,
    why: null,
    reason: null,
    cells_done: 0,
    cells_total: null,
    location: null,
    started: null,
    finished: null,
    duration: null,
    retry_at: null,
    error: null,
    outputs: [],
    notebook: null,
    resources: null,
    ...more
  };
}

/** A cell that was executed, or a line of it. */
export function location(cell: number, more: Partial<Location> = {}): Location {
  return {
    cell,
    id: `c${cell}`,
    execution_count: cell + 10,
    line: null,
    text: `x${cell} = ${cell}`,
    ...more
  };
}

/** A pipeline of named steps; edges as pairs of their numbers. */
export function graph(
  names: readonly string[],
  pairs: readonly (readonly [number, number])[]
): Graph {
  const nodes = names.map((name, n) => ({
    id: `n${n}`,
    name,
    cells: [location(2 * n + 1), location(2 * n + 2)],
    after: [],
    options: {},
    inputs: Object.fromEntries(
      pairs
        .filter(([, to]) => to === n)
        .map(([from]) => [`x${from}`, names[from] ?? ''])
    ),
    outputs: [`x${n}`],
    parameters: [],
    on_exit: false
  }));
  const edges = pairs.map(([from, to], n): GraphEdge => ({
    id: `e${n}`,
    source: `n${from}`,
    target: `n${to}`,
    names: [`x${from}`],
    files: [],
    explicit: false,
    found: false,
    why: `x${from}`
  }));
  const lines = [
    ...nodes.map(({ id }) => `\t${id} [label="${id}"]`),
    ...edges.map(
      ({ id, source, target, why }) =>
        `\t${source} -> ${target} [label="${why}" id=${id}]`
    )
  ];
  const dot = `digraph pipeline {\n\trankdir=TB\n${lines.join('\n')}\n}\n`;
  return {
    name: 'digits',
    notebook: 'digits.ipynb',
    options: {},
    parameters: [],
    volumes: [],
    dot,
    nodes,
    edges,
    diagnostics: []
  };
}

/** load → split → (fit, check) → report */
export const DIAMOND = graph(
  ['load', 'split', 'fit', 'check', 'report'],
  [
    [0, 1],
    [1, 2],
    [1, 3],
    [2, 4],
    [3, 4]
  ]
);

export const RUN: RunInfo = {
  id: '20261123-digits',
  title: '',
  notebook: 'digits.ipynb',
  target: 'local',
  parameters: { lr: 0.1 },
  created: 1_700_000_000
};

export function snapshot(
  steps: Record<string, StepState>,
  more: Partial<State> = {}
): State {
  return {
    seq: 1,
    at: 1_700_000_010,
    status: 'running',
    driver: 'alive',
    error: null,
    paused: 0,
    finished: null,
    steps,
    metrics: [],
    warnings: [],
    ...more
  };
}

export const UI: Ui = {
  tab: 'dag',
  only: false,
  selected: null,
  compare: [],
  height: null,
  ansi: true
};

export interface Page {
  readonly context: Context;
  readonly theme: Value<Theme>;
  readonly busy: Value<boolean>;
  readonly posted: ToKernel[];
}

export function page(): Page {
  const posted: ToKernel[] = [];
  const theme = new Value<Theme>('light');
  const busy = new Value(false);
  const context: Context = {
    trans: text => text,
    theme,
    busy,
    waiting: 'The test does not answer.',
    open: null,
    goTo: null,
    post: message => posted.push(message)
  };
  return { context, theme, busy, posted };
}

type Changed = Parameters<Source['onChanged']>[0];

/** A source whose messages the test sends. */
export class FakeSource implements Source {
  ui: Ui;
  readonly choices: Partial<Ui>[] = [];

  constructor(
    public graph: Graph,
    public run: RunInfo | null = null,
    public state: State | null = null,
    ui: Partial<Ui> = {}
  ) {
    this.ui = { ...UI, ...ui };
  }

  send(message: FromKernel): void {
    this.listeners.forEach(listener => listener(message));
  }

  set(traits: Partial<Pick<Source, 'graph' | 'run' | 'state'>>): void {
    Object.assign(this, traits);
    this.watchers.forEach(watcher => watcher('state'));
  }

  onMessage(listener: (message: FromKernel) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  onChanged(listener: Changed): () => void {
    this.watchers.add(listener);
    return () => this.watchers.delete(listener);
  }

  post(): void {
    // Requests go through the context.
  }

  keep(ui: Partial<Ui>): void {
    this.choices.push(ui);
    this.ui = { ...this.ui, ...ui };
  }

  private readonly listeners = new Set<(message: FromKernel) => void>();
  private readonly watchers = new Set<Changed>();
}

/** The model that anywidget gives a view, with the test as its kernel. */
export class FakeModel {
  readonly sent: { kind: string; [key: string]: unknown }[] = [];
  saved = 0;

  constructor(readonly traits: Record<string, unknown>) {}

  get(name: string): unknown {
    return this.traits[name];
  }

  set(name: string, value: unknown): void {
    this.traits[name] = value;
  }

  save_changes(): void {
    this.saved += 1;
  }

  on(event: string, callback: (...args: never[]) => void): void {
    this.handlers.push([event, callback]);
  }

  off(event: string, callback: (...args: never[]) => void): void {
    this.handlers = this.handlers.filter(
      ([e, c]) => e !== event || c !== callback
    );
  }

  send(content: unknown): void {
    this.sent.push(content as { kind: string });
  }

  trigger(event: string, ...args: unknown[]): void {
    for (const [name, callback] of this.handlers) {
      if (name === event) {
        (callback as (...all: unknown[]) => void)(...args);
      }
    }
  }

  get listening(): number {
    return this.handlers.length;
  }

  private handlers: [string, (...args: never[]) => void][] = [];
}

/** Hostile names. */
export const HOSTILE: readonly string[] = [
  '<img src=x onerror="globalThis.owned=1">',
  '<script>globalThis.owned=1</script>',
  '</text></svg><svg onload=globalThis.owned=1>',
  '"];evil[URL="javascript:globalThis.owned=1"',
  'javascript:globalThis.owned=1',
  '<<b>x</b>>',
  '&lt;b&gt; &#60;script&#62;',
  '\\" onmouseover=\\"globalThis.owned=1',
  '{{constructor.constructor("globalThis.owned=1")()}}',
  '${globalThis.owned=1}',
  '\u202egnp.exe\u202c',
  '\u0000\u0007\u001b[31mred',
  'a\nb\tc',
  '__proto__',
  'constructor',
  ']]><x>',
  'x'.repeat(300),
  '🧪👩‍🔬 会 träge'
];

/** Asserts that an element contains only text and shapes. */
export function expectInert(element: Element): void {
  for (const found of [element, ...element.querySelectorAll('*')]) {
    expect([
      'script',
      'img',
      'iframe',
      'object',
      'embed',
      'foreignobject',
      'image',
      'use'
    ]).not.toContain(found.localName.toLowerCase());
    for (const { name, value } of found.attributes) {
      expect(name).not.toMatch(/^on|srcdoc|xlink/i);
      if (name === 'href') {
        expect(value).toMatch(/^\//);
      }
    }
  }
  expect((globalThis as { owned?: unknown }).owned).toBeUndefined();
}
