/** Draws one plot on a canvas: grid, axes, lines and points. */

import type { Stroke } from './decimate';
import type { Inks, LineStyle, Shape } from './line-style';

export interface Tick {
  readonly at: number;
  readonly text: string;
}

/** The area of the lines, in pixels of the page. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface Line {
  /** Whether it stands behind its smoothed form. */
  readonly faint: boolean;
  readonly stroke: Stroke;
  readonly look: LineStyle;
}

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly box: Box;
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly xTicks: readonly Tick[];
  /** What the horizontal axis shows; the metric's name stands above the plot. */
  readonly xTitle: string;
  readonly yTicks: readonly Tick[];
  readonly lines: readonly Line[];
}

type Pen = CanvasRenderingContext2D;

/** Pixels for each point below which only the line is drawn. */
const ROOM = 12;
/** Number of points from which lines overlap so much that they are drawn thinner. */
const DENSE = 5000;
const RADIUS = 2.5;

export function draw(pen: Pen, picture: Picture, inks: Inks): void {
  pen.clearRect(0, 0, picture.width, picture.height);
  axes(pen, picture, inks);
  const { box } = picture;
  pen.save();
  pen.beginPath();
  // Otherwise points at the edge would be cut off.
  pen.rect(
    box.left - 5,
    box.top - 5,
    box.right - box.left + 10,
    box.bottom - box.top + 10
  );
  pen.clip();
  for (const line of picture.lines) {
    const color = inks.colors[line.look.color] ?? inks.text;
    pen.strokeStyle = pen.fillStyle = color;
    lines(pen, picture, line);
    if (!line.faint) {
      points(pen, picture, line);
      crosses(pen, picture, line.stroke.odd);
    }
  }
  pen.restore();
}

function axes(
  pen: Pen,
  { box, x, y, xTicks, xTitle, yTicks, width, height }: Picture,
  inks: Inks
): void {
  pen.font = inks.font;
  pen.fillStyle = inks.text;
  pen.strokeStyle = inks.line;
  pen.lineWidth = 1;
  pen.setLineDash([]);
  pen.beginPath();
  pen.textAlign = 'right';
  pen.textBaseline = 'middle';
  for (const { at, text } of yTicks) {
    // A line of one pixel's width is sharp only at half a pixel.
    const row = Math.round(y(at)) + 0.5;
    pen.moveTo(box.left, row);
    pen.lineTo(box.right, row);
    pen.fillText(text, box.left - 6, row);
  }
  pen.textBaseline = 'top';
  let free = -Infinity;
  for (const { at, text } of xTicks) {
    const half = pen.measureText(text).width / 2;
    const column = Math.round(x(at)) + 0.5;
    pen.moveTo(column, box.bottom);
    pen.lineTo(column, box.bottom + 4);
    const middle = Math.min(column, width - half - 1);
    if (middle - half > free) {
      pen.textAlign = 'center';
      pen.fillText(text, middle, box.bottom + 6);
      free = middle + half + 8;
    }
  }
  pen.textAlign = 'center';
  pen.textBaseline = 'bottom';
  pen.fillText(xTitle, (box.left + box.right) / 2, height - 2);
  pen.moveTo(box.left, box.bottom + 0.5);
  pen.lineTo(box.right, box.bottom + 0.5);
  pen.stroke();
}

function lines(
  pen: Pen,
  { x, y }: Picture,
  { stroke, look, faint }: Line
): void {
  pen.lineWidth = faint ? 1 : 1.75;
  pen.lineJoin = 'round';
  // Noisy lines are transparent, so that none hides the others.
  pen.globalAlpha = faint ? 0.35 : stroke.count > DENSE ? 0.7 : 1;
  pen.setLineDash([...look.dash]);
  pen.beginPath();
  let broken = true;
  stroke.ys.forEach((value, n) => {
    if (Number.isNaN(value)) {
      broken = true;
      return;
    }
    const [across, down] = [x(stroke.xs[n] ?? NaN), y(value)];
    if (broken) {
      pen.moveTo(across, down);
    } else {
      pen.lineTo(across, down);
    }
    broken = false;
  });
  pen.stroke();
  pen.globalAlpha = 1;
  pen.setLineDash([]);
}

/** Draws points if there is room, and those between gaps in any case, because they have no line. */
function points(pen: Pen, picture: Picture, { stroke, look }: Line): void {
  const { box, x, y } = picture;
  const { xs, ys, count } = stroke;
  const all = count * ROOM < box.right - box.left;
  const there = (n: number): boolean => !Number.isNaN(ys[n] ?? NaN);
  pen.lineWidth = 1.5;
  pen.beginPath();
  ys.forEach((value, n) => {
    if (there(n) && (all || (!there(n - 1) && !there(n + 1)))) {
      mark(pen, look.shape, x(xs[n] ?? NaN), y(value));
    }
  });
  if (look.shape === 'ring') {
    pen.stroke();
  } else {
    pen.fill();
  }
}

/** Marks at the bottom where a value is not a number; a gap alone is easily overlooked. */
function crosses(pen: Pen, { box, x }: Picture, odd: readonly number[]): void {
  const middle = box.bottom - 4;
  pen.lineWidth = 1.5;
  pen.beginPath();
  for (const at of odd) {
    const column = x(at);
    pen.moveTo(column - 3, middle - 3);
    pen.lineTo(column + 3, middle + 3);
    pen.moveTo(column - 3, middle + 3);
    pen.lineTo(column + 3, middle - 3);
  }
  pen.stroke();
}

/** Adds a point's shape to the path. */
function mark(pen: Pen, shape: Shape, x: number, y: number): void {
  const r = RADIUS;
  switch (shape) {
    case 'square':
      pen.rect(x - r, y - r, 2 * r, 2 * r);
      break;
    case 'triangle':
    case 'diamond':
      pen.moveTo(x, y - 1.4 * r);
      pen.lineTo(x + 1.3 * r, shape === 'diamond' ? y : y + r);
      if (shape === 'diamond') {
        pen.lineTo(x, y + 1.4 * r);
      }
      pen.lineTo(x - 1.3 * r, shape === 'diamond' ? y : y + r);
      pen.closePath();
      break;
    default:
      pen.moveTo(x + r, y);
      pen.arc(x, y, r, 0, 2 * Math.PI);
  }
}
