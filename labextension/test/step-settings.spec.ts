import type { CellText } from '../src/panel/outline';
import { parsed } from '../src/panel/parameter-values';
import {
  applied,
  differences,
  explicitAfter,
  withAfter,
  withOptions
} from '../src/panel/step-settings';

const cell = (more: Partial<CellText>): CellText => ({
  id: 'a',
  type: 'code',
  source: 'x = 1',
  tags: [],
  own: null,
  ...more
});

test('an option is written where it is declared already', () => {
  const change = (one: CellText, before: string | undefined) =>
    withOptions([one], before === undefined ? {} : { memory: before }, {
      memory: '4Gi'
    })[0];
  expect(change(cell({ tags: ['step:a', 'memory:2Gi'] }), '2Gi')?.tags).toEqual(
    ['step:a', 'memory:4Gi']
  );
  expect(
    change(cell({ source: '%%step a --memory 2Gi --retries 1\nx = 1' }), '2Gi')
      ?.source
  ).toBe('%%step a --retries 1 --memory 4Gi\nx = 1');
  expect(change(cell({ own: { step: 'a' } }), undefined)?.own).toEqual({
    step: 'a',
    options: { memory: '4Gi' }
  });
});

test('an option that was cleared is removed wherever it is declared', () => {
  const cells = [
    cell({
      tags: ['step:a', 'env:HOME:/x', 'other'],
      source: '%%step a --no-cache\n'
    }),
    cell({ id: 'b', own: { step: 'a', options: { env: { A: '1' } } } })
  ];
  const [first, second] = withOptions(
    cells,
    { env: { HOME: '/x', A: '1' }, cache: false },
    {}
  );
  expect(first?.tags).toEqual(['step:a', 'other']);
  expect(first?.source).toBe('%%step a\n');
  expect(second?.own).toEqual({ step: 'a' });
});

test('an option with several values goes into the metadata of the first cell', () => {
  const [first, second] = withOptions(
    [cell({ tags: ['step:a', 'env:A:1'] }), cell({ id: 'b' })],
    { env: { A: '1' } },
    { env: { A: '1', B: '2' } }
  );
  expect(first?.tags).toEqual(['step:a']);
  expect(first?.own).toEqual({ options: { env: { A: '1', B: '2' } } });
  expect(second).toEqual(cell({ id: 'b' }));
});

test('what a step comes after is read and written in every form', () => {
  const cells = [
    cell({ tags: ['step:a', 'after:x'] }),
    cell({ id: 'b', own: { step: 'a', after: ['y'] } }),
    cell({ id: 'c', source: '%%step a --after "z z"\n' })
  ];
  expect(explicitAfter(cells)).toEqual(['x', 'y', 'z z']);
  const changed = withAfter(cells, ['y', 'new']);
  expect(changed[0]?.tags).toEqual(['step:a', 'after:new']);
  expect(changed[1]).toBe(cells[1]);
  expect(changed[2]?.source).toBe('%%step a\n');
  const [line] = withAfter([cell({ source: '%%step a\nx' })], ['b c', 'd']);
  expect(line?.source).toBe('%%step a --after "b c,d"\nx');
});

test('edits are the differences, and give them back', () => {
  const before = [cell({}), cell({ id: 'b' })];
  const after = [cell({}), cell({ id: 'b', tags: ['skip'] })];
  const edits = differences(before, after);
  expect(edits).toEqual([{ id: 'b', tags: ['skip'] }]);
  expect(applied(before, edits)).toEqual(after);
});

test.each([
  ['3', 'int', 3],
  ['3.5', 'int', undefined],
  ['1e-3', 'float', 0.001],
  ['nothing', 'float', undefined],
  ['12', 'str', '12'],
  ['True', 'bool', true],
  ['[1]', 'list', [1]],
  ['rbf', 'list', undefined],
  ['rbf', 'Any', 'rbf']
])('the text %j as %s is %j', (text, type, value) => {
  expect(parsed(text, type)).toEqual(value);
});
