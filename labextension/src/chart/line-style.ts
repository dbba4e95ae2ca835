/** The looks of lines: colour, dash and shape of the points. */

export type Shape = 'disc' | 'square' | 'triangle' | 'diamond' | 'ring';

export interface LineStyle {
  /** Number of a colour in style/chart.css. */
  readonly color: number;
  readonly dash: readonly number[];
  readonly shape: Shape;
}

/** The colours and fonts that a canvas takes from the page's styles. */
export interface Inks {
  readonly text: string;
  readonly line: string;
  readonly font: string;
  readonly colors: readonly string[];
}

const COLORS = 8;
const DASHES: readonly (readonly number[])[] = [
  [],
  [7, 4],
  [2, 3],
  [10, 3, 2, 3],
  [14, 5]
];
const SHAPES: readonly Shape[] = [
  'disc',
  'square',
  'triangle',
  'diamond',
  'ring'
];

/** Eight colours and five dashes have no common divisor, so the first forty looks differ. */
export function look(n: number): LineStyle {
  return {
    color: n % COLORS,
    dash: DASHES[n % DASHES.length] ?? [],
    shape: SHAPES[n % SHAPES.length] ?? 'disc'
  };
}

/** Reads the colours of an element's theme. */
export function inks(element: Element): Inks {
  const style = getComputedStyle(element);
  const color = (name: string): string =>
    style.getPropertyValue(name).trim() || 'gray';
  return {
    text: color('--kfnb-fg2'),
    line: color('--kfnb-line'),
    font: `11px ${style.fontFamily || 'sans-serif'}`,
    colors: Array.from({ length: COLORS }, (_, n) => color(`--kfnb-chart-${n}`))
  };
}
