/** One step in the drawing: a card with the status's shape, the name, and what is to be said. */

import type { Context } from '../context';
import { fill, s } from '../dom';
import { cells, visible } from '../format';
import type { GraphNode, StepState } from '../protocol';
import { fraction, phrase, shape } from '../status';
import type { Box, Size } from './geometry';
import { fitted, textWidth } from './measure';

const HEIGHT = 44;
const NARROWEST = 160;
const WIDEST = 248;
/** Before the texts: margin, shape, gap; and the margin after them. */
const LEFT = 36;
const RIGHT = 12;
const SHAPE = 16;

export interface Fonts {
  readonly name: string;
  readonly note: string;
}

export class NodeCard {
  readonly element: SVGGElement;
  /** What it takes, in the reader's font. */
  readonly size: Size;

  constructor(
    readonly step: GraphNode,
    private readonly context: Context,
    private readonly fonts: Fonts
  ) {
    const name = visible(step.name);
    const wanted = Math.ceil(textWidth(name, fonts.name)) + LEFT + RIGHT;
    this.size = [Math.min(WIDEST, Math.max(NARROWEST, wanted)), HEIGHT];
    const inner = this.size[0] - LEFT - RIGHT;
    this.element = s(
      'g',
      { class: 'kfnb-node', 'data-id': step.id, role: 'button', tabindex: -1 },
      this.ground,
      this.picture,
      s(
        'text',
        { class: 'kfnb-node-name', x: LEFT, y: 18.5 },
        fitted(name, inner, fonts.name)
      ),
      this.note
    );
    if (step.on_exit) {
      this.element.dataset.last = '';
    }
    const [width, height] = this.size;
    for (const [key, value] of Object.entries({ width, height, rx: 6 })) {
      this.ground.setAttribute(key, String(value));
    }
    this.update(null);
  }

  /** Puts the card's centre where the layout says. */
  place(box: Box): void {
    const [x, y] = [box.x - this.size[0] / 2, box.y - this.size[1] / 2];
    this.element.setAttribute(
      'transform',
      `translate(${x.toFixed(1)} ${y.toFixed(1)})`
    );
  }

  /** Shows a state; touches only what is another than before. */
  update(state: StepState | null): void {
    const { step, context } = this;
    const text = state
      ? phrase(state, context)
      : cells(step.cells, context.trans);
    const done = state?.status === 'running' ? fraction(state) : null;
    const look = state ? `${state.status} ${done ?? ''}` : '';
    if (look !== this.look) {
      this.look = look;
      this.element.dataset.status = state?.status ?? '';
      fill(this.picture, ...(state ? shape(state.status, done) : [dot()]));
    }
    if (text !== this.text) {
      this.text = text;
      this.note.textContent = fitted(
        text,
        this.size[0] - LEFT - RIGHT,
        this.fonts.note
      );
      this.element.setAttribute('aria-label', this.spoken(text));
    }
  }

  private spoken(text: string): string {
    const { step, context } = this;
    const sources = [
      ...new Set([...Object.values(step.inputs), ...step.after])
    ];
    const after = sources.length
      ? `, ${context.trans('after')} ${sources.join(', ')}`
      : '';
    return visible(`${step.name}, ${text}${after}`);
  }

  private readonly ground = s('rect', { class: 'kfnb-node-ground' });
  private readonly picture = s('g', {
    class: 'kfnb-node-shape',
    transform: `translate(12 ${(HEIGHT - SHAPE) / 2})`
  });
  private readonly note = s('text', {
    class: 'kfnb-node-note',
    x: LEFT,
    y: 34
  });
  private look: string | null = null;
  private text = '';
}

/** A pipeline that is only shown has no statuses. */
function dot(): SVGElement {
  return s('circle', { class: 'kfnb-full', cx: 8, cy: 8, r: 3 });
}
