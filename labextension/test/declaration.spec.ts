import {
  accepted,
  clear,
  declared,
  fromKale,
  localOutline,
  rename,
  toRole,
  toStep
} from '../src/panel/declaration';
import type { CellText } from '../src/panel/outline';

function cell(id: string, more: Partial<CellText> = {}): CellText {
  return { id, type: 'code', source: 'x = 1', tags: [], own: null, ...more };
}

test('a %%step line counts more than metadata, and metadata more than a tag', () => {
  const tags = ['step:tag'];
  const own = { step: 'metadata' };
  const source = '%%step line --retries 2\nx = 1';
  expect(declared(cell('a', { tags })).step).toBe('tag');
  expect(declared(cell('a', { tags, own })).step).toBe('metadata');
  expect(declared(cell('a', { tags, own, source })).step).toBe('line');
  expect(declared(cell('a', { tags: ['imports'] })).role).toBe('setup');
});

test('a step is written where it was declared; foreign tags and metadata stay', () => {
  expect(toStep([cell('a')], 'fit')).toEqual([
    { id: 'a', own: { step: 'fit' } }
  ]);
  expect(toStep([cell('a', { tags: ['mine', 'block:x'] })], 'fit')).toEqual([
    { id: 'a', tags: ['mine', 'block:fit'] }
  ]);
  const own = { step: 'x', options: { retries: 2 } };
  expect(toStep([cell('a', { own })], 'fit')).toEqual([
    { id: 'a', own: { step: 'fit', options: { retries: 2 } } }
  ]);
  const source = '%%step "old name" --retries 2\nx = 1';
  expect(toStep([cell('a', { source })], 'new name')).toEqual([
    { id: 'a', source: '%%step "new name" --retries 2\nx = 1' }
  ]);
});

test('a role replaces the step, whatever declared it', () => {
  const source = '%%step one\nx = 1';
  const tags = ['mine', 'step:a', 'after:b'];
  expect(toRole([cell('a', { source, tags })], 'setup')).toEqual([
    { id: 'a', source: 'x = 1', tags: ['mine'], own: { role: 'setup' } }
  ]);
});

test('clearing leaves what is not declared here', () => {
  const tags = ['mine', 'step:a'];
  expect(clear([cell('a', { tags }), cell('b')])).toEqual([
    { id: 'a', tags: ['mine'], own: null }
  ]);
});

test('a rename changes every cell and every dependency', () => {
  const cells = [
    cell('a', { tags: ['step:one'] }),
    cell('b', { own: { step: 'one' } }),
    cell('c', { tags: ['step:two', 'after:one'] }),
    cell('d', { own: { step: 'three', after: ['two', 'one'] } }),
    cell('e', { source: '%%step four --after two,one\nx = 1' }),
    cell('f', { tags: ['step:oneself'] })
  ];
  expect(rename(cells, 'one', 'first')).toEqual([
    { id: 'a', tags: ['step:first'] },
    { id: 'b', own: { step: 'first' } },
    { id: 'c', tags: ['step:two', 'after:first'] },
    { id: 'd', own: { step: 'three', after: ['two', 'first'] } },
    { id: 'e', source: '%%step four --after two,first\nx = 1' }
  ]);
});

test("Kale's tags become those of kfnb", () => {
  const cells = [
    cell('a', { tags: ['imports'] }),
    cell('b', { tags: ['block:load', 'prev:start', 'mine:x'] }),
    cell('c', { tags: ['step:done'] })
  ];
  expect(fromKale(cells)).toEqual([
    { id: 'a', tags: ['setup'] },
    { id: 'b', tags: ['step:load', 'after:start', 'mine:x'] }
  ]);
});

test('an accepted proposal is one list of edits', () => {
  const cells = ['a', 'b', 'c'].map(id => cell(id));
  const proposal = {
    steps: [{ name: 'fit', cells: ['b', 'c'], reason: 'Why.' }],
    setup: ['a'],
    parameters: [],
    boundaries: []
  };
  expect(accepted(cells, proposal)).toEqual([
    { id: 'a', own: { role: 'setup' } },
    { id: 'b', own: { step: 'fit' } },
    { id: 'c', own: { step: 'fit' } }
  ]);
});

test('without a server untagged cells belong to the step above them', () => {
  const cells = [
    cell('a', { tags: ['setup'] }),
    cell('b'),
    cell('c', { tags: ['step:one'] }),
    cell('d'),
    cell('e', { tags: ['skip'] }),
    cell('f')
  ];
  const outline = localOutline(cells);
  expect(outline.setup).toEqual(['a', 'b']);
  expect(outline.skip).toEqual(['e']);
  expect(outline.steps).toEqual([
    { name: 'one', cells: ['c', 'd', 'f'], after: [] }
  ]);
});
