/** The part of the drawing that the window shows: pan, zoom, fit. */

export interface Extent {
  readonly width: number;
  readonly height: number;
}

/** A card of the drawing, around its middle. */
export interface Box extends Extent {
  readonly x: number;
  readonly y: number;
}

const MARGIN = 16;
const LARGEST = 2.5;
const SMALLEST = 0.02;
const STEP = 1.25;
const WHEEL_ZOOM = 0.0022;
/** The graph opens no smaller than this, so that names of 13 px have at least 11 px. */
export const READABLE = 11 / 13;

/** The scale at which a drawing opens: all of it if that is readable, else full size. */
export function openingScale(drawing: Extent, window: Extent): number {
  const scale = fittingScale(drawing, window);
  return scale >= READABLE ? scale : 1;
}

function fittingScale(drawing: Extent, window: Extent): number {
  const across = (window.width - 2 * MARGIN) / Math.max(1, drawing.width);
  const down = (window.height - 2 * MARGIN) / Math.max(1, drawing.height);
  return Math.max(SMALLEST, Math.min(1, across, down));
}

export class Viewport {
  /** Called after every change. */
  onChange: () => void = () => undefined;
  scale = 1;
  x = 0;
  y = 0;
  /** Whether the user has moved the drawing; from then on it does not move by itself. */
  chosen = false;
  /** A point of the drawing that must be seen when it opens, if not all of it fits. */
  anchor: { readonly x: number; readonly y: number } | null = null;

  constructor(private readonly canvas: SVGSVGElement) {}

  get transform(): string {
    return `translate(${this.x.toFixed(2)} ${this.y.toFixed(2)}) scale(${this.scale.toFixed(4)})`;
  }

  /**
   * Takes the sizes of the drawing and of the window.
   *
   * @param seen - must be seen also if the window has become smaller.
   */
  setSizes(drawing: Extent, window: Extent, seen: Box | null = null): void {
    const { x, y, scale, window: before } = this;
    this.drawing = drawing;
    this.window = window;
    if (!this.chosen) {
      this.open();
    }
    const resized =
      before.width !== window.width || before.height !== window.height;
    if (seen && resized && before.width && window.width) {
      if (!this.chosen && !this.showsAll && this.scale === scale) {
        [this.x, this.y] = [x, y]; // what was clicked stays under the pointer
        this.onChange();
      }
      this.reveal(seen);
    }
  }

  /** The part of the drawing in the window, in the drawing's coordinates. */
  get visible(): Extent & { readonly x: number; readonly y: number } {
    const { scale, window } = this;
    return {
      x: -this.x / scale,
      y: -this.y / scale,
      width: window.width / scale,
      height: window.height / scale
    };
  }

  get showsAll(): boolean {
    const { x, y, width, height } = this.visible;
    const { drawing } = this;
    return (
      x <= 1 &&
      y <= 1 &&
      x + width >= drawing.width - 1 &&
      y + height >= drawing.height - 1
    );
  }

  /** Shows the drawing at a readable size; from its anchor if it does not fit. */
  open(): void {
    const { drawing, window } = this;
    if (!window.width || !window.height) {
      return;
    }
    this.scale = openingScale(drawing, window);
    const { x, y } = this.anchor ?? { x: drawing.width / 2, y: 0 };
    this.x = this.opened(x, drawing.width, window.width);
    this.y = this.opened(y, drawing.height, window.height);
    this.onChange();
  }

  /** Centres the drawing along one side, or else the anchor without leaving empty space. */
  private opened(anchor: number, drawing: number, window: number): number {
    const size = drawing * this.scale;
    if (size + 2 * MARGIN <= window) {
      return (window - size) / 2;
    }
    const wanted = window / 2 - anchor * this.scale;
    return Math.min(MARGIN, Math.max(window - size - MARGIN, wanted));
  }

  /** Shows everything, however small, but never enlarged. */
  fit(): void {
    const { drawing, window } = this;
    if (!window.width || !window.height) {
      return;
    }
    this.scale = fittingScale(drawing, window);
    this.x = (window.width - drawing.width * this.scale) / 2;
    this.y = (window.height - drawing.height * this.scale) / 2;
    this.chosen = true;
    this.onChange();
  }

  /** Moves a point of the drawing to the middle of the window. */
  centre(x: number, y: number): void {
    const { scale, window } = this;
    this.move(
      window.width / 2 - x * scale,
      window.height / 2 - y * scale,
      scale
    );
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

  /** Zooms with Ctrl or Cmd; a wheel alone scrolls the notebook. */
  zoomByWheel(event: WheelEvent): void {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const { left, top } = this.canvas.getBoundingClientRect();
      const delta = Math.max(-100, Math.min(100, event.deltaY));
      const factor = Math.exp(-delta * WHEEL_ZOOM);
      this.zoom(factor, event.clientX - left, event.clientY - top);
    }
  }

  zoomIn(): void {
    this.zoom(STEP);
  }

  zoomOut(): void {
    this.zoom(1 / STEP);
  }

  /** Pans just as far as a box needs to be seen. */
  reveal(box: Box): void {
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

  /** Pans with the pressed pointer until it is released. */
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
        // Captured only now, because the click of a captured pointer does not reach the node.
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

  /** Whether the last press was a drag, so that its click has to be ignored. */
  dragged = false;

  private move(x: number, y: number, scale: number): void {
    // A part of the drawing always stays visible.
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

/** The height that shows a drawing at a readable size, within the height of the page. */
export function heightFor(drawing: Extent, width: number): number {
  const scale = openingScale(drawing, { width, height: Infinity });
  const needed = drawing.height * scale + 2 * MARGIN;
  return Math.round(Math.min(largestHeight(), Math.max(180, needed)));
}

/** Leaves room for the header, the tabs and a line of the notebook. */
export function largestHeight(): number {
  return Math.max(360, window.innerHeight - 240);
}
