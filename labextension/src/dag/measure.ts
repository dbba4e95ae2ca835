/** Measures texts in the reader's font and shortens them to fit. */

const widths = new Map<string, number>();
let pen: CanvasRenderingContext2D | null | undefined;

/** Width in pixels; an estimate if there is no canvas. */
export function textWidth(text: string, font: string): number {
  const key = `${font}\0${text}`;
  const known = widths.get(key);
  if (known !== undefined) {
    return known;
  }
  if (pen === undefined) {
    pen =
      'OffscreenCanvas' in globalThis
        ? document.createElement('canvas').getContext('2d')
        : null;
  }
  let width = 0;
  if (pen) {
    pen.font = font;
    width = pen.measureText(text).width;
  } else {
    for (const character of text) {
      width += character > '\u1100' ? 13 : 7;
    }
  }
  if (widths.size > 20_000) {
    widths.clear();
  }
  widths.set(key, width);
  return width;
}

/** Replaces the end of a text by an ellipsis if it is wider than `most`. */
export function fitted(text: string, most: number, font: string): string {
  if (textWidth(text, font) <= most) {
    return text;
  }
  const characters = Array.from(text);
  let fits = 0;
  let tooLong = Math.min(characters.length, 200);
  while (tooLong - fits > 1) {
    const middle = (fits + tooLong) >> 1;
    if (textWidth(`${characters.slice(0, middle).join('')}…`, font) <= most) {
      fits = middle;
    } else {
      tooLong = middle;
    }
  }
  return `${characters.slice(0, fits).join('').trimEnd()}…`;
}
