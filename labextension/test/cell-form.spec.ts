import { CellForm } from '../src/lab/cells/cell-form';
import type { CellEdit, CellText } from '../src/panel/outline';

const cell = (id: string, ...tags: string[]): CellText => ({
  id,
  type: 'code',
  source: '',
  tags,
  own: null
});

/** Opens the form of cells of a notebook with the steps one (a, b) and two (c). */
function opened(scope: readonly string[], isNew = false) {
  const cells = [
    { ...cell('m'), type: 'markdown', source: '## 1. Load the data' },
    cell('a', 'step:one'),
    cell('b'),
    cell('c', 'step:two', 'retries:1')
  ];
  const edits: CellEdit[] = [];
  const executed: unknown[] = [];
  const step = (name: string, ...ids: string[]) => ({
    name,
    cells: ids,
    after: []
  });
  const session = {
    trans: { __: (text: string) => text },
    edit: (_: unknown, made: readonly CellEdit[]) => edits.push(...made)
  };
  const open = {
    host: { panel: { content: { activate: () => undefined } } },
    book: {
      cells,
      proposal: null,
      outline: { steps: [step('one', 'a', 'b'), step('two', 'c')] },
      state: { steps: { two: { status: 'failed' } } },
      graph: {
        nodes: [
          { id: 'one', options: {} },
          { id: 'two', options: { retries: 1 } }
        ],
        edges: [
          {
            source: 'one',
            target: 'two',
            names: ['x'],
            files: [],
            explicit: false,
            why: 'x'
          }
        ]
      }
    }
  };
  const commands = { execute: (...given: unknown[]) => executed.push(given) };
  const form = new CellForm(
    session as never,
    commands as never,
    open as never,
    scope,
    isNew
  );
  form.openAt(document.body);
  const { node } = form;
  const labelled = (text: string) =>
    [...node.querySelectorAll('label')]
      .find(one => one.textContent?.startsWith(text))!
      .querySelector<HTMLInputElement>('input, select, textarea')!;
  const press = (text: string) =>
    [...node.querySelectorAll('button')]
      .find(one => one.textContent === text)!
      .click();
  return { form, node, edits, executed, labelled, press };
}

afterEach(() => document.body.replaceChildren());

test('a new name renames the step, and nothing is written before Done', () => {
  const { form, edits, labelled, press } = opened(['a', 'b']);
  expect(labelled('Name').value).toBe('one');
  labelled('Name').value = 'first';
  expect(edits).toEqual([]);
  press('Done');
  expect(edits).toEqual([{ id: 'a', tags: ['step:first'] }]);
  expect(form.isDisposed).toBe(true);
});

test('cells of a step become a step of their own, with the heading as its name', () => {
  const first = opened(['a', 'b'], true);
  expect(first.labelled('Name').value).toBe('load the data');
  const { edits, labelled, press } = opened(['b'], true);
  labelled('Name').value = 'new';
  press('Done');
  expect(edits).toEqual([{ id: 'b', own: { step: 'new' } }]);
});

test('options are checked, and written where they are declared', () => {
  const { edits, labelled, node, press } = opened(['c']);
  labelled('Retries').value = 'many';
  press('Done');
  expect(edits).toEqual([]);
  expect(node.querySelector('[aria-invalid="true"]')).toBe(labelled('Retries'));
  labelled('Retries').value = '4';
  labelled('Memory').value = '2Gi';
  press('Done');
  expect(edits).toEqual([
    {
      id: 'c',
      tags: ['step:two', 'retries:4'],
      own: { options: { memory: '2Gi' } }
    }
  ]);
});

test('what a step runs after is shown with its reason, added and removed', () => {
  const { edits, node, press } = opened(['c']);
  const list = () => node.querySelector('fieldset ul')!.textContent;
  expect(list()).toBe('one x');
  const add = node.querySelector<HTMLSelectElement>('fieldset select')!;
  add.value = 'one';
  add.dispatchEvent(new Event('change'));
  expect(list()).toBe('one xone ×');
  press('Done');
  expect(edits).toEqual([
    { id: 'c', tags: ['step:two', 'retries:1', 'after:one'] }
  ]);
});

test('another role takes the place of the step', () => {
  const { edits, labelled, press } = opened(['c']);
  labelled('Role').value = 'skip';
  labelled('Role').dispatchEvent(new Event('change'));
  press('Done');
  expect(edits).toEqual([
    { id: 'c', tags: ['retries:1'], own: { role: 'skip' } }
  ]);
});

test('the step is run and debugged from the form, and Escape closes it', () => {
  const { executed, press } = opened(['c']);
  press('Debug here');
  expect(executed).toEqual([
    ['kfnb:debug-step', { step: 'two', cells: ['c'] }]
  ]);
  const { form, edits, node } = opened(['a', 'b']);
  node.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }));
  expect(form.isDisposed).toBe(true);
  expect(edits).toEqual([]);
});
