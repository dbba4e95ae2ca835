import {
  cellsOf,
  fullLocation,
  locationElement,
  shortLocation
} from '../src/location';
import type { Location } from '../src/protocol';
import { location, page } from './samples';

const same = (text: string): string => text;
const fresh = { execution_count: null, text: 'fit(X)' };

describe('a location', () => {
  it.each([
    [location(2, { line: 3, text: 'fit(X)' }), '[12] line 3', '`fit(X)`'],
    [location(2, { text: 'fit(X)' }), '[12]', '`fit(X)`'],
    [location(2, { ...fresh, line: 3 }), 'line 3', '`fit(X)`'],
    [location(2, { line: 3, text: '' }), '[12] line 3', '']
  ])('is a count, a line and its text', (at, short, text) => {
    expect(shortLocation(at, same)).toBe(short);
    expect(fullLocation(at, same)).toBe(text ? `${short}: ${text}` : short);
  });

  it('is its text if the notebook has neither count nor line', () => {
    expect(shortLocation(location(2, fresh), same)).toBe('fit(X)');
    expect(fullLocation(location(2, fresh), same)).toBe('`fit(X)`');
    const empty = location(2, { ...fresh, text: '' });
    expect(shortLocation(empty, same)).toBe('a cell');
    expect(fullLocation(empty, same)).toBe('a cell');
  });

  it('never shows the index of the cell', () => {
    const at = location(777, { ...fresh, line: 1 });
    const element = locationElement(at, page().context);
    const texts = [
      fullLocation(at, same),
      element.outerHTML,
      cellsOf([at], same)
    ];
    expect(texts.join()).not.toContain('777');
  });
});

describe('the cells of a step', () => {
  const second = location(3, fresh);
  it.each<[readonly Location[], string]>([
    [[], 'no cells'],
    [[location(2)], '[12]: `x2 = 2`'],
    [[location(2), location(5)], '[12], [15]'],
    [[location(2), second], '2 cells, [12]: `x2 = 2`'],
    [[second, second], '2 cells, `fit(X)`'],
    [
      Array.from({ length: 9 }, (_, n) => location(n)),
      '[10], [11], [12], [13], [14], [15], +3'
    ]
  ])('are listed as the notebook shows them: %#', (cells, expected) => {
    expect(cellsOf(cells, same)).toBe(expected);
  });
});

describe('a location on the page', () => {
  it('is a link where the page shows the notebook', () => {
    const shown: Location[] = [];
    const goTo = (at: Location): void => void shown.push(at);
    const at = location(2, { line: 3, text: 'fit(X)' });
    const element = locationElement(at, { ...page().context, goTo });
    expect(element.textContent).toBe('[12] line 3fit(X)');
    element.querySelector('button')?.click();
    expect(shown).toEqual([at]);
    const plain = locationElement(location(2, fresh), {
      ...page().context,
      goTo
    });
    expect(plain.querySelector('button code')?.textContent).toBe('fit(X)');
  });

  it('is text where there is none', () => {
    const element = locationElement(location(2), page().context);
    expect(element.querySelector('button')).toBeNull();
    expect(element.textContent).toBe('[12] x2 = 2');
  });
});
