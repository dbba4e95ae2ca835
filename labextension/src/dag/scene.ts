/** The SVG elements of a graph: created once, moved by a layout, restyled by states. */

import type { Context } from '../context';
import { fill, s } from '../dom';
import { visible } from '../format';
import type { Graph, GraphEdge, StepStates } from '../protocol';
import type { Box, Geometry, Label, Line, Sizes } from './geometry';
import { fitted, textWidth } from './measure';
import { NAME_SIZE, NodeCard, type Fonts } from './node';
import { joined } from './placeholder';
import { READABLE } from './viewport';

const WIDEST_LABEL = 150;
/** Most labels that are drawn; in larger graphs the details of a step have the reasons. */
const MOST_LABELS = 60;
/** Most cards that are shown moving when the graph changes. */
const MOST_MOVING = 200;

export class Scene {
  /** Cards and lines are in separate layers, so that a change of a card redraws no line. */
  readonly nodes: SVGGElement;
  readonly edges = s('g', { class: 'kfnb-edges' });
  readonly cards: ReadonlyMap<string, NodeCard>;
  /** The positions of the cards; empty before the first layout. */
  boxes: ReadonlyMap<string, Box> = new Map();

  /**
   * @param before - the scene that is drawn now. The cards of steps that are in both go on to be
   *   used: they are where they were until this scene has a layout.
   */
  constructor(
    readonly graph: Graph,
    context: Context,
    private readonly fonts: Fonts,
    private before: Scene | null = null
  ) {
    this.nodes = before?.nodes ?? s('g', { class: 'kfnb-nodes' });
    this.cards = new Map(
      graph.nodes.map(step => {
        const old = before?.cards.get(step.id);
        const same =
          old?.step.name === step.name && old.fonts.name === fonts.name;
        return [
          step.id,
          old && same ? old : new NodeCard(step, context, fonts)
        ];
      })
    );
    this.touching = new Map(graph.nodes.map(({ id }) => [id, []]));
    for (const edge of graph.edges) {
      const drawn = this.drawn(edge);
      this.lines.set(edge.id, drawn);
      this.touching.get(edge.source)?.push(drawn);
      this.touching.get(edge.target)?.push(drawn);
    }
    this.edges.append(...this.lines.values());
  }

  get sizes(): Sizes {
    return new Map([...this.cards].map(([id, card]) => [id, card.size]));
  }

  /** Moves everything to its position in a layout. */
  applyLayout(geometry: Geometry): void {
    const { before } = this;
    this.boxes = geometry.nodes;
    this.placeCards();
    const visibly = before !== null && this.cards.size <= MOST_MOVING;
    for (const [id, card] of this.cards) {
      const box = geometry.nodes.get(id);
      if (box) {
        card.moveTo(box, visibly && before.cards.get(id) === card);
      }
    }
    const labels = this.graph.edges.length <= MOST_LABELS;
    for (const edge of this.graph.edges) {
      const line = geometry.edges.get(edge.id) ?? this.straight(edge);
      const drawn = this.lines.get(edge.id);
      if (line && drawn) {
        fill(
          drawn,
          s('path', { class: 'kfnb-edge-line', d: line.path }),
          s('path', { class: 'kfnb-edge-head', d: line.head }),
          labels && line.label && this.label(edge, line.label)
        );
      }
    }
  }

  /** Replaces the cards of the scene before; those of both keep their elements and the focus. */
  private placeCards(): void {
    for (const [id, card] of this.before?.cards ?? []) {
      if (this.cards.get(id) !== card) {
        card.element.remove();
      }
    }
    this.before = null;
    let at = this.nodes.firstChild;
    for (const step of this.graph.nodes) {
      const card = this.cards.get(step.id);
      if (card?.element === at) {
        at = card.element.nextSibling;
      } else if (card) {
        this.nodes.insertBefore(card.element, at);
      }
      card?.setStep(step);
    }
  }

  /** Shows states; unchanged ones cost nothing. */
  update(states: StepStates): void {
    for (const [id, state] of Object.entries(states)) {
      if (this.shown.get(id) !== state) {
        this.shown.set(id, state);
        this.cards.get(id)?.update(state);
      }
    }
  }

  /**
   * Draws only what can be read at a zoom: names have at least 11 px on the screen.
   *
   * @returns the level of detail, for the style sheet.
   */
  zoomTo(scale: number): 'all' | 'names' | 'shapes' {
    const detail =
      scale > READABLE - 0.01 ? 'all' : scale > 0.35 ? 'names' : 'shapes';
    // Only a few sizes, because each requires shortening all names again.
    const factor = Math.max(1, Math.ceil((4 * READABLE) / scale) / 4);
    const size = detail === 'names' ? Math.ceil(NAME_SIZE * factor) : NAME_SIZE;
    for (const card of this.cards.values()) {
      card.enlarge(detail === 'shapes' ? 2.3 : 1);
      card.setNameSize(size);
    }
    return detail;
  }

  /** Highlights the edges of a step; null highlights none. */
  emphasise(id: string | null): void {
    for (const line of this.near) {
      line.classList.remove('kfnb-near');
    }
    this.near = (id !== null && this.touching.get(id)) || [];
    for (const line of this.near) {
      line.classList.add('kfnb-near');
    }
  }

  /** Creates the elements of an edge. */
  path(id: string): string | null {
    const line = this.lines.get(id)?.querySelector('.kfnb-edge-line');
    return line?.getAttribute('d') ?? null;
  }

  /** Highlights one edge; null highlights none. */
  point(id: string | null): void {
    this.pointed?.classList.remove('kfnb-pointed');
    this.pointed = (id !== null && this.lines.get(id)) || null;
    this.pointed?.classList.add('kfnb-pointed');
  }

  private drawn(edge: GraphEdge): SVGGElement {
    const carries = edge.names.length > 0 || edge.files.length > 0;
    const kind = edge.found ? 'found' : carries ? 'data' : 'order';
    return s('g', {
      class: 'kfnb-edge',
      'data-id': edge.id,
      'data-kind': kind
    });
  }

  private label(edge: GraphEdge, { x, y, room }: Label): SVGElement {
    const why = visible(edge.why);
    const { note } = this.fonts;
    const text = fitted(
      why,
      Math.min(WIDEST_LABEL, textWidth(room, note) + 1),
      note
    );
    return s(
      'text',
      {
        class: 'kfnb-edge-label',
        x: (x + 3).toFixed(1),
        y: (y + 3.5).toFixed(1)
      },
      text,
      text !== why && s('title', {}, why)
    );
  }

  /** A straight line, for an edge that the run added after the layout. */
  private straight(edge: GraphEdge): Line | null {
    const [from, to] = [
      this.boxes.get(edge.source),
      this.boxes.get(edge.target)
    ];
    return from && to ? joined(from, to) : null;
  }

  private readonly lines = new Map<string, SVGGElement>();
  private readonly touching: ReadonlyMap<string, SVGGElement[]>;
  private readonly shown = new Map<string, unknown>();
  private pointed: SVGGElement | null = null;
  private near: readonly SVGGElement[] = [];
}
