/** One step in the graph: a card with the shape of its status, its name and a note. */

import type { Context } from '../context';
import { fill, s } from '../dom';
import { visible } from '../format';
import { cellsOf } from '../location';
import type { GraphNode, StepState } from '../protocol';
import { fraction, phrase, shape } from '../status';
import type { Box, Size } from './geometry';
import { fitted, textWidth } from './measure';

const HEIGHT = 44;
export const NAME_SIZE = 13;
const NARROWEST = 160;
const WIDEST = 248;
/** Room before the texts (margin, shape, gap) and after them. */
const LEFT = 36;
const RIGHT = 12;
/** Milliseconds in which a card moves to its place in a changed graph. */
const GLIDE = 200;

export interface Fonts {
  readonly name: string;
  readonly note: string;
}

export class NodeCard {
  readonly element: SVGGElement;
  /** Size in the reader's font. */
  readonly size: Size;

  constructor(
    private shownStep: GraphNode,
    private readonly context: Context,
    readonly fonts: Fonts
  ) {
    const step = shownStep;
    const name = visible(step.name);
    const wanted = Math.ceil(textWidth(name, fonts.name)) + LEFT + RIGHT;
    this.size = [Math.min(WIDEST, Math.max(NARROWEST, wanted)), HEIGHT];
    this.room = this.size[0] - LEFT - RIGHT;
    this.name.textContent = fitted(name, this.room, fonts.name);

    this.element = s(
      'g',
      { class: 'kfnb-node', 'data-id': step.id, role: 'button', tabindex: -1 },
      this.title,
      this.ground,
      this.picture,
      this.name,
      this.note
    );
    this.update(null);
  }

  get step(): GraphNode {
    return this.shownStep;
  }

  /** Shows the step as another version of the notebook has it; its name must be the same. */
  setStep(step: GraphNode): void {
    if (step !== this.shownStep) {
      this.shownStep = step;
      this.text = null;
      this.update(this.state);
    }
  }

  /**
   * Moves the centre of the card to its position in the layout.
   *
   * @param visibly - whether it glides there from where it was.
   */
  moveTo(box: Box, visibly = false): void {
    const [oldX, oldY] = [this.x, this.y];
    // Sets coordinates, because a thousand transforms would make every frame slow.
    [this.x, this.y] = [box.x - this.size[0] / 2, box.y - this.size[1] / 2];
    if (visibly && (oldX !== this.x || oldY !== this.y)) {
      glide(this.element, oldX - this.x, oldY - this.y);
    }
    const [width, height] = this.size;
    set(this.ground, { x: this.x, y: this.y, width, height, rx: 6 });
    const left = this.x + (this.state ? LEFT : RIGHT + 2);
    set(this.name, { x: left, y: this.y + 18.5 });
    set(this.note, { x: left, y: this.y + 34 });
    this.draw();
  }

  /** Draws the shape of the status larger, for zooms at which nothing else can be read. */
  enlarge(size: number): void {
    if (size !== this.enlarged) {
      this.enlarged = size;
      this.draw();
    }
  }

  /** Shows a state; changes only elements that differ. */
  update(state: StepState | null): void {
    const { step, context } = this;
    const text = state
      ? phrase(state, context)
      : cellsOf(step.cells, context.trans);
    const done = state?.status === 'running' ? fraction(state) : null;
    const look = state ? `${state.status} ${done ?? ''}` : '';
    this.state = state;
    if (look !== this.look) {
      this.look = look;
      this.element.dataset.status = state?.status ?? '';
      this.draw();
    }
    if (text !== this.text) {
      this.text = text;
      this.note.textContent = fitted(text, this.room, this.fonts.note);
      this.element.setAttribute('aria-label', this.spoken(text));
      const counted = cellsOf(step.cells, context.trans);
      const lines = [visible(step.name), text, state ? counted : ''];
      this.title.textContent = lines.filter(Boolean).join('\n');
    }
  }

  /** Draws the name in a larger font, so that it stays readable when the drawing is small. */
  setNameSize(pixels: number): void {
    if (pixels !== this.nameSize) {
      this.nameSize = pixels;
      const font = this.fonts.name.replace('13px', `${pixels}px`);
      this.name.style.fontSize = pixels === NAME_SIZE ? '' : `${pixels}px`;
      this.name.textContent = fitted(visible(this.step.name), this.room, font);
    }
  }

  private draw(): void {
    const { state, enlarged: size } = this;
    const done = state?.status === 'running' ? fraction(state) : null;
    // A pipeline without a run has no statuses.
    const spot = { x: this.x + 12 + 8, y: this.y + HEIGHT / 2, size };
    fill(this.picture, ...(state ? shape(state.status, done, spot) : []));
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
  private readonly picture = s('g', { class: 'kfnb-node-shape' });
  private readonly title = s('title');
  private readonly name = s('text', { class: 'kfnb-node-name' });
  private readonly note = s('text', { class: 'kfnb-node-note' });
  private readonly room: number;
  private state: StepState | null = null;
  private x = 0;
  private y = 0;
  private enlarged = 1;
  private nameSize = NAME_SIZE;
  private look: string | null = null;
  private text: string | null = null;
}

/** Shows an element move from an offset to its position, unless the reader wants no motion. */
function glide(element: SVGElement, x: number, y: number): void {
  if (!matchMedia('(prefers-reduced-motion: reduce)').matches) {
    element.animate(
      [{ transform: `translate(${x}px, ${y}px)` }, { transform: 'none' }],
      { duration: GLIDE, easing: 'ease-out' }
    );
  }
}

function set(
  element: SVGElement,
  numbers: Readonly<Record<string, number>>
): void {
  for (const [name, value] of Object.entries(numbers)) {
    element.setAttribute(name, String(Math.round(value * 10) / 10));
  }
}
