/** The legend of a plot: each name is a switch that hides its line. */

import type { Context } from '../context';
import { fill, h, s } from '../dom';
import { visible } from '../format';
import type { LineStyle, Shape } from './line-style';
import type { SeriesData } from './series-data';

export interface Entry {
  readonly track: SeriesData;
  readonly look: LineStyle;
  readonly label: string;
}

export class Legend {
  readonly node: HTMLElement;

  constructor(
    private readonly context: Context,
    private readonly onToggle: () => void
  ) {
    this.node = h('div', {
      class: 'kfnb-chart-legend',
      role: 'group',
      'aria-label': context.trans('Lines shown')
    });
  }

  /** Makes one switch for each list of entries: a line, or all lines of a run. */
  set(groups: readonly (readonly Entry[])[]): void {
    const drawn = JSON.stringify(
      groups.map(group =>
        group.map(({ track, look, label }) => [track.key, look, label])
      )
    );
    this.groups = groups;
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      // Rebuilt only if the entries changed, so that the reader's focus stays.
      this.buttons = groups.map((group, n) => this.button(group, n));
      fill(this.node, ...this.buttons);
    }
    this.update();
  }

  update(): void {
    this.buttons.forEach((button, n) => {
      const group = this.groups[n] ?? [];
      const hidden = group.filter(({ track }) => track.hidden).length;
      const some = hidden > 0 && hidden < group.length;
      button.setAttribute(
        'aria-pressed',
        some ? 'mixed' : String(hidden === 0)
      );
    });
  }

  private button(group: readonly Entry[], n: number): HTMLButtonElement {
    const [first] = group;
    const label = visible(first?.label ?? '');
    const made = h(
      'button',
      {
        type: 'button',
        class: 'kfnb-chart-entry',
        title: `${label}\n${this.context.trans('Click to hide or show')}`
      },
      first && sample(first.look),
      h('bdi', {}, label)
    );
    made.addEventListener('click', () => {
      const tracks = (this.groups[n] ?? []).map(({ track }) => track);
      const show = tracks.every(({ hidden }) => hidden);
      for (const track of tracks) {
        track.hidden = !show;
      }
      this.onToggle();
    });
    return made;
  }

  private drawn = '';
  private groups: readonly (readonly Entry[])[] = [];
  private buttons: readonly HTMLButtonElement[] = [];
}

/** A sample of the line with one point. */
export function sample({ color, dash, shape }: LineStyle): SVGSVGElement {
  const made = s(
    'svg',
    { class: 'kfnb-chart-sample', viewBox: '0 0 28 10', 'aria-hidden': 'true' },
    s('path', {
      d: 'M0 5h28',
      fill: 'none',
      stroke: 'currentColor',
      'stroke-width': 2,
      'stroke-dasharray': dash.join(' ') || null
    }),
    s('path', {
      d: SHAPES[shape],
      fill: shape === 'ring' ? 'none' : 'currentColor',
      stroke: 'currentColor',
      'stroke-width': shape === 'ring' ? 1.5 : 0
    })
  );
  made.style.color = `var(--kfnb-chart-${color})`;
  return made;
}

const ROUND = 'M11 5a3 3 0 0 1 6 0a3 3 0 0 1 -6 0z';
const SHAPES: Readonly<Record<Shape, string>> = {
  disc: ROUND,
  ring: ROUND,
  square: 'M11 2h6v6h-6z',
  triangle: 'M14 1l4 7h-8z',
  diamond: 'M14 1l4 4l-4 4l-4 -4z'
};
