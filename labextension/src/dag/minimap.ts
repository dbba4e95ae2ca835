/** A small map of the graph, shown while the window shows only a part of it. */

import { fill, s } from '../dom';
import type { Scene } from './scene';
import type { Extent, Viewport } from './viewport';

const LARGEST: Extent = { width: 150, height: 100 };

export class Minimap {
  readonly node = s('svg', { class: 'kfnb-minimap', 'aria-hidden': 'true' });

  constructor(private readonly viewport: Viewport) {
    this.node.append(this.steps, this.seen);
    const moveTo = (event: PointerEvent): void => {
      const { left, top } = this.node.getBoundingClientRect();
      this.viewport.centre(
        (event.clientX - left) / this.scale,
        (event.clientY - top) / this.scale
      );
    };
    this.node.addEventListener('pointerdown', event => {
      event.preventDefault();
      this.node.setPointerCapture(event.pointerId);
      moveTo(event);
    });
    this.node.addEventListener('pointermove', event => {
      if (event.buttons & 1) {
        moveTo(event);
      }
    });
  }

  /** Draws the steps of a scene at the positions of their layout. */
  draw(scene: Scene, { width, height }: Extent): void {
    this.scale = Math.min(LARGEST.width / width, LARGEST.height / height);
    this.node.setAttribute('width', String(Math.ceil(width * this.scale)));
    this.node.setAttribute('height', String(Math.ceil(height * this.scale)));
    this.marks.clear();
    for (const [id, box] of scene.boxes) {
      const mark = s('rect', {
        x: (box.x - box.width / 2) * this.scale,
        y: (box.y - box.height / 2) * this.scale,
        width: Math.max(2, box.width * this.scale),
        height: Math.max(2, box.height * this.scale),
        rx: 1
      });
      this.marks.set(id, mark);
      this.mark(id, scene.cards.get(id)?.element.dataset.status ?? '');
    }
    fill(this.steps, ...this.marks.values());
  }

  /** Shows a step's status. */
  mark(id: string, status: string): void {
    const mark = this.marks.get(id);
    if (mark) {
      mark.dataset.status = status;
    }
  }

  /** Marks the visible part of the graph; hides the map if all of it is visible. */
  update(): void {
    const { viewport } = this;
    this.node.toggleAttribute('hidden', viewport.showsAll);
    const { x, y, width, height } = viewport.visible;
    for (const [name, value] of Object.entries({ x, y, width, height })) {
      this.seen.setAttribute(name, (value * this.scale).toFixed(1));
    }
  }

  private readonly steps = s('g');
  private readonly seen = s('rect', { class: 'kfnb-minimap-seen' });
  private readonly marks = new Map<string, SVGRectElement>();
  private scale = 1;
}
