import { lanes } from '../src/panel/lanes';
import { absorbed, moved, type Proposal } from '../src/panel/outline';
import { fixes } from '../src/panel/quick-fix';
import { stepRows, visible } from '../src/panel/rows';
import type { Diagnostic } from '../src/protocol';

const edge = (source: string, target: string) => ({ source, target });

test('a chain has one lane', () => {
  const rows = lanes(['a', 'b', 'c'], [edge('a', 'b'), edge('b', 'c')]);
  expect(rows.map(row => row.lane)).toEqual([0, 0, 0]);
  expect(rows.map(row => row.goesOn)).toEqual([true, true, false]);
});

test('two branches have lanes of their own, and join again', () => {
  const rows = lanes(
    ['a', 'b', 'c', 'd'],
    [edge('a', 'b'), edge('a', 'c'), edge('b', 'd'), edge('c', 'd')]
  );
  expect(rows.map(row => row.lane)).toEqual([0, 1, 0, 0]);
  expect(rows[1]?.through).toEqual([0]);
  expect(rows[2]?.through).toEqual([1]);
  expect(rows[3]?.from).toEqual([0, 1]);
});

test('a lane is free again below the last step that needs it', () => {
  const names = Array.from({ length: 1000 }, (_, n) => `s${n}`);
  const edges = names.slice(1).map((name, n) => edge(names[n]!, name));
  expect(Math.max(...lanes(names, edges).map(row => row.lane))).toBe(0);
});

test('only rows in view and some around them are shown', () => {
  expect(visible(0, 480, 24, 1000)).toEqual([0, 28]);
  expect(visible(12_000, 480, 24, 1000)).toEqual([492, 528]);
  expect(visible(23_900, 480, 24, 1000)).toEqual([987, 1000]);
});

const outline = {
  steps: [
    { name: 'load', cells: ['a'], after: [] },
    { name: 'fit', cells: ['b'], after: [] }
  ],
  setup: [],
  parameters: [],
  metrics: [],
  skip: []
};
const problem = (more: Partial<Diagnostic>): Diagnostic => ({
  code: 'KFNB-E102',
  severity: 'error',
  message: 'step "fit" reads "model", which no earlier step defines',
  remedy: 'Did you mean "models"?',
  step: 'fit',
  location: { cell: 1, id: 'b', execution_count: null, line: 2, text: '' },
  ...more
});

test('a row counts the problems of its step', () => {
  const graph = {
    name: '',
    notebook: null,
    options: {},
    parameters: [],
    volumes: [],
    dot: '',
    nodes: [],
    edges: [],
    diagnostics: [problem({}), problem({ severity: 'warning' })]
  };
  const rows = stepRows(outline, graph, null, null);
  expect(rows.map(row => [row.errors, row.warnings])).toEqual([
    [0, 0],
    [1, 1]
  ]);
});

test('a quick fix replaces the misspelt name in its line only', () => {
  const source = 'model_2 = 1\nprint(x.model, model)\nmodel';
  const cell = { id: 'b', type: 'code', source, tags: [], own: null };
  expect(fixes(problem({}), [cell])).toEqual({
    replacement: 'models',
    edits: [{ id: 'b', source: 'model_2 = 1\nprint(x.model, models)\nmodel' }]
  });
  expect(fixes(problem({ remedy: 'Define it.' }), [cell])).toBeNull();
});

const proposal: Proposal = {
  steps: [
    { name: 'one', cells: ['a', 'b'], reason: '' },
    { name: 'two', cells: ['c', 'd'], reason: '' }
  ],
  setup: [],
  parameters: [],
  boundaries: [
    { cell: 'b', names: [], why_not: 'rows is a generator' },
    { cell: 'c', names: [], why_not: '' },
    { cell: 'd', names: [], why_not: '' }
  ]
};

test('the boundary of a proposed step moves, but not to where no step may begin', () => {
  expect(moved(proposal, 1, 1)?.steps.map(step => step.cells)).toEqual([
    ['a', 'b', 'c'],
    ['d']
  ]);
  expect(moved(proposal, 1, -1)).toBeNull();
  expect(moved(proposal, 0, 1)).toBeNull();
});

test('cells of a neighbour move into a proposed step, unless a boundary may not be there', () => {
  const proposal: Proposal = {
    steps: [
      { name: 'one', cells: ['a', 'b'], reason: '' },
      { name: 'two', cells: ['c'], reason: '' },
      { name: 'three', cells: ['d', 'e'], reason: '' }
    ],
    setup: [],
    parameters: [],
    boundaries: [{ cell: 'e', names: [], why_not: 'a connection is open' }]
  };
  const names = (given: Proposal | null) =>
    given?.steps.map(step => step.cells.join(''));
  expect(names(absorbed(proposal, ['b'], 'two'))).toEqual(['a', 'bc', 'de']);
  expect(names(absorbed(proposal, ['d', 'e'], 'two'))).toEqual(['ab', 'cde']);
  expect(absorbed(proposal, ['d'], 'two')).toBeNull();
});
