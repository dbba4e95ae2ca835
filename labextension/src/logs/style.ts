/** The style of text, and the escape sequences that change it (SGR). */

/** 0 to 255 for a colour of the palette; from RGB on, red, green and blue in three bytes. */
export type Color = number;
export const RGB = 0x1000000;

export interface Style {
  readonly color: Color | null;
  readonly background: Color | null;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly strike: boolean;
  readonly inverse: boolean;
}

export const PLAIN: Style = {
  color: null,
  background: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  strike: false,
  inverse: false
};

const CHANGES: Readonly<Record<number, Partial<Style>>> = {
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  9: { strike: true },
  21: { underline: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  29: { strike: false },
  39: { color: null },
  49: { background: null }
};

/**
 * Returns the style after an SGR sequence.
 *
 * @param parameters - the text between `ESC [` and `m`: `1;31`, `38;5;208`, `4:0`.
 */
export function selected(style: Style, parameters: string): Style {
  const groups = parameters.split(';');
  let next = style;
  for (let at = 0; at < groups.length; at += 1) {
    // Parameters joined by colons are one group.
    const parts = (groups[at] ?? '').split(':');
    const code = Number(parts[0]);
    if (code === 38 || code === 48 || code === 58) {
      const own = parts.length > 1;
      const values = own ? parts.slice(1) : groups.slice(at + 1, at + 5);
      const [color, taken] = extended(values, own);
      at += own ? 0 : taken;
      if (color !== null && code !== 58) {
        next = { ...next, [code === 38 ? 'color' : 'background']: color };
      }
    } else if (code === 0) {
      next = PLAIN;
    } else if (code === 4 && parts[1] === '0') {
      next = { ...next, underline: false };
    } else {
      const change = CHANGES[code] ?? simple(code);
      next = change ? { ...next, ...change } : next;
    }
  }
  // One object for each style, so that styles can be compared by identity.
  return same(next, style) ? style : same(next, PLAIN) ? PLAIN : next;
}

function simple(code: number): Partial<Style> | null {
  const tens = Math.floor(code / 10);
  const bright = tens >= 9 ? 8 : 0;
  const color = (code % 10) + bright;
  if (code % 10 > 7) {
    return null;
  }
  switch (tens) {
    case 3:
    case 9:
      return { color };
    case 4:
    case 10:
      return { background: color };
    default:
      return null;
  }
}

/** Reads a colour by number (`5;n`) or by red, green and blue (`2;r;g;b`), and counts its values. */
function extended(
  values: readonly string[],
  joined: boolean
): readonly [Color | null, number] {
  const kind = Number(values[0]);
  if (kind === 5) {
    const color = Number(values[1] || 0);
    return [color <= 255 ? color : null, 2];
  }
  if (kind === 2) {
    // With colons, a colour space (mostly empty) may come first.
    const from = joined && values.length > 4 ? 2 : 1;
    const [red = 0, green = 0, blue = 0] = values
      .slice(from, from + 3)
      .map(value => Number(value || 0) & 255);
    return [RGB + (red << 16) + (green << 8) + blue, 4];
  }
  return [null, 1];
}

export function same(a: Style, b: Style): boolean {
  return (
    a === b ||
    (a.color === b.color &&
      a.background === b.background &&
      a.bold === b.bold &&
      a.dim === b.dim &&
      a.italic === b.italic &&
      a.underline === b.underline &&
      a.strike === b.strike &&
      a.inverse === b.inverse)
  );
}
