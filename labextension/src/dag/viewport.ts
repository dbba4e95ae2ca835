/** Which part of a drawing is seen, and how large: pan, zoom, fit. */

export interface Extent {
  readonly width: number;
  readonly height: number;
}

const MARGIN = 16;
const LARGEST = 2.5;
const SMALLEST = 0.02;
const STEP = 1.25;

export class Viewport {
  /** Told after every change. */
  onChange: () => void = () => undefined;
  scale = 1;
  x = 0;
  y = 0;
  /** The reader chose what to see; from then on nothing moves by itself. */
  chosen = false;

  constructor(private readonly canvas: SVGSVGElement) {}

  get transform(): string {
    return `translate(${this.x.toFixed(2)} ${this.y.toFixed(2)}) scale(${this.scale.toFixed(4)})`;
  }

  setSizes(drawing: Extent, window: Extent): void {
    this.drawing = drawing;
    this.window = window;
    if (!this.chosen) {
      this.fit();
    }
  }

  /** Shows everything, never larger than it is. */
  fit(): void {
    const { drawing, window } = this;
    if (!window.width || !window.height) {
      return;
    }
    const across = (window.width - 2 * MARGIN) / Math.max(1, drawing.width);
    const down = (window.height - 2 * MARGIN) / Math.max(1, drawing.height);
    this.scale = Math.max(SMALLEST, Math.min(1, across, down));
    this.x = (window.width - drawing.width * this.scale) / 2;
    this.y = (window.height - drawing.height * this.scale) / 2;
    this.chosen = false;
    this.onChange();
  }

  pan(dx: number, dy: number): void {
    this.move(this.x + dx, this.y + dy, this.scale);
  }

  /** Zooms by a factor; what is at (`x`, `y`) of the window stays there. */
  zoom(
    factor: number,
    x = this.window.width / 2,
    y = this.window.height / 2
  ): void {
    const scale = Math.min(LARGEST, Math.max(SMALLEST, this.scale * factor));
    const change = scale / this.scale;
    this.move(x - (x - this.x) * change, y - (y - this.y) * change, scale);
  }

  zoomIn(): void {
    this.zoom(STEP);
  }

  zoomOut(): void {
    this.zoom(1 / STEP);
  }

  /** Pans just as far as a box needs to be seen. */
  reveal(box: { x: number; y: number; width: number; height: number }): void {
    const shift = (low: number, high: number, size: number): number =>
      low < MARGIN
        ? MARGIN - low
        : high > size - MARGIN
          ? size - MARGIN - high
          : 0;
    const { scale, window } = this;
    const [halfWidth, halfHeight] = [
      (box.width / 2) * scale,
      (box.height / 2) * scale
    ];
    const [x, y] = [this.x + box.x * scale, this.y + box.y * scale];
    const dx = shift(x - halfWidth, x + halfWidth, window.width);
    const dy = shift(y - halfHeight, y + halfHeight, window.height);
    if (dx || dy) {
      this.pan(dx, dy);
    }
  }

  /** Follows the mouse or finger that pressed; `clicked` is told when it did not move. */
  follow(event: PointerEvent): void {
    if (event.button !== 0) {
      return;
    }
    let [x, y] = [event.clientX, event.clientY];
    let moved = false;
    const onMove = (move: PointerEvent): void => {
      const [dx, dy] = [move.clientX - x, move.clientY - y];
      if (!moved && Math.hypot(dx, dy) < 4) {
        return;
      }
      if (!moved) {
        // Not before: a captured pointer's click would not reach the node below it.
        this.canvas.setPointerCapture(event.pointerId);
        this.canvas.dataset.dragging = '';
      }
      moved = true;
      [x, y] = [move.clientX, move.clientY];
      this.pan(dx, dy);
    };
    const onEnd = (): void => {
      this.canvas.removeEventListener('pointermove', onMove);
      this.canvas.removeEventListener('pointerup', onEnd);
      this.canvas.removeEventListener('pointercancel', onEnd);
      delete this.canvas.dataset.dragging;
      this.dragged = moved;
    };
    this.dragged = false;
    this.canvas.addEventListener('pointermove', onMove);
    this.canvas.addEventListener('pointerup', onEnd);
    this.canvas.addEventListener('pointercancel', onEnd);
  }

  /** Whether the last press was a drag, so that its click means nothing. */
  dragged = false;

  private move(x: number, y: number, scale: number): void {
    // Some of the drawing stays in sight.
    const { drawing, window } = this;
    const [width, height] = [drawing.width * scale, drawing.height * scale];
    const keep = 48;
    this.x = Math.min(window.width - keep, Math.max(keep - width, x));
    this.y = Math.min(window.height - keep, Math.max(keep - height, y));
    this.scale = scale;
    this.chosen = true;
    this.onChange();
  }

  private drawing: Extent = { width: 1, height: 1 };
  private window: Extent = { width: 0, height: 0 };
}

/** The height that shows a drawing as well as a width allows, within limits. */
export function heightFor(drawing: Extent, width: number): number {
  const scale = Math.min(1, (width - 2 * MARGIN) / Math.max(1, drawing.width));
  return Math.round(
    Math.min(440, Math.max(180, drawing.height * scale + 2 * MARGIN))
  );
}
