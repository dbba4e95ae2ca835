/** Shows the reason for an edge when the user points at it or reaches it by Tab. */

import type { Context } from '../context';
import { fill, h, s } from '../dom';
import { visible } from '../format';
import type { GraphEdge } from '../protocol';
import type { Scene } from './scene';

/** Most edges that have a tooltip; in larger graphs the details of a step list its edges. */
const MOST = 600;

export class Reasons {
  /** Broad invisible lines to point at; above the cards, which would otherwise take the pointer. */
  readonly lines = s('g', { class: 'kfnb-reasons' });
  readonly tip = h('div', {
    class: 'kfnb-reason',
    role: 'tooltip',
    hidden: true
  });

  constructor(
    private readonly host: HTMLElement,
    private readonly context: Context
  ) {
    this.lines.addEventListener('pointermove', event =>
      this.show(event.target, [event.clientX, event.clientY])
    );
    this.lines.addEventListener('pointerleave', () => this.hide());
    // Not on the group of lines, because an SVG group with a focus listener becomes focusable.
    host.addEventListener('focusin', event => this.show(event.target));
    host.addEventListener('focusout', () => this.hide());
  }

  /** Takes over the lines of a new layout. */
  set(scene: Scene): void {
    this.hide();
    this.scene = scene;
    const { edges, nodes } = scene.graph;
    const names = new Map(nodes.map(({ id, name }) => [id, visible(name)]));
    const name = (id: string): string => names.get(id) ?? id;
    this.texts = new Map(
      edges.map(edge => [
        edge.id,
        [
          `${name(edge.source)} → ${name(edge.target)}`,
          reason(edge, this.context)
        ]
      ])
    );
    fill(
      this.lines,
      ...(edges.length > MOST ? [] : edges).map(edge => this.line(edge))
    );
  }

  /** Lets Tab lead from a step to its edges. */
  makeReachable(id: string): void {
    for (const line of this.lines.children) {
      const ends = JSON.parse(
        line.getAttribute('data-ends') ?? '[]'
      ) as string[];
      line.setAttribute('tabindex', ends.includes(id) ? '0' : '-1');
    }
  }

  private line(edge: GraphEdge): SVGElement {
    return s('path', {
      d: this.scene?.path(edge.id) ?? '',
      'data-edge': edge.id,
      'data-ends': JSON.stringify([edge.source, edge.target]),
      role: 'img',
      tabindex: -1,
      'aria-label': this.texts.get(edge.id)?.join(': ') ?? ''
    });
  }

  private show(target: EventTarget | null, at?: [number, number]): void {
    const line = target instanceof Element ? target : null;
    const id = line?.getAttribute('data-edge') ?? '';
    const texts = this.texts.get(id);
    if (!line || !texts) {
      this.hide();
      return;
    }
    this.scene?.point(id);
    fill(this.tip, h('b', {}, texts[0]), h('span', {}, texts[1]));
    this.tip.hidden = false;
    const own = this.host.getBoundingClientRect();
    const box = line.getBoundingClientRect();
    const [x, y] = at ?? [box.x + box.width / 2, box.y + box.height / 2];
    const most = own.width - this.tip.offsetWidth - 4;
    const below = y - own.top + 14;
    const fits = below + this.tip.offsetHeight <= own.height;
    const top = fits ? below : y - own.top - this.tip.offsetHeight - 8;
    this.tip.style.left = `${Math.max(4, Math.min(x - own.left + 8, most))}px`;
    this.tip.style.top = `${Math.max(0, top)}px`;
  }

  private hide(): void {
    this.tip.hidden = true;
    this.scene?.point(null);
  }

  private scene: Scene | null = null;
  private texts: ReadonlyMap<string, readonly [string, string]> = new Map();
}

function reason(edge: GraphEdge, { trans }: Context): string {
  const why = visible(edge.why);
  return edge.found ? `${why} (${trans('seen in the run')})` : why;
}
