/** The colours of a terminal's text on a light and on a dark page. */

import { RGB, type Color, type Style } from './style';

type Rgb = readonly [red: number, green: number, blue: number];

/** Contrast to the background that text needs (WCAG AA). */
const READABLE = 4.5;
const WHITE: Rgb = [255, 255, 255];
const BLACK: Rgb = [0, 0, 0];
/** Background of a log, slightly less bright or dark than that of the themes. */
const BEHIND: Readonly<Record<'light' | 'dark', Rgb>> = {
  light: [243, 244, 246],
  dark: [33, 38, 44]
};
const SIXTEEN: readonly Rgb[] = [
  [36, 41, 47],
  [190, 38, 32],
  [22, 128, 60],
  [150, 106, 0],
  [14, 96, 204],
  [140, 56, 172],
  [16, 122, 134],
  [208, 212, 217],
  [101, 109, 118],
  [232, 72, 62],
  [46, 164, 79],
  [201, 152, 14],
  [56, 139, 253],
  [184, 98, 214],
  [40, 166, 180],
  [255, 255, 255]
];
const CUBE = [0, 95, 135, 175, 215, 255];

/** Sets the style of an element. */
export function dress(element: HTMLElement, style: Style): void {
  const { classList } = element;
  for (const name of FLAGS) {
    classList.toggle(`kfnb-is-${name}`, style[name]);
  }
  const { inverse } = style;
  const color = inverse ? style.background : style.color;
  const background = inverse ? style.color : style.background;
  if (background !== null) {
    const behind = rgb(background);
    const text = color === null ? opposite(behind) : rgb(color);
    element.style.backgroundColor = css(behind);
    element.style.color = css(readable(text, behind));
  } else if (inverse) {
    classList.add('kfnb-is-inverse');
    if (color !== null) {
      paint(element, rgb(color), 'dark', 'light');
    }
  } else if (color !== null) {
    paint(element, rgb(color), 'light', 'dark');
  }
}

const FLAGS = ['bold', 'dim', 'italic', 'underline', 'strike'] as const;

/** Sets the colours for both themes; the style sheet chooses, also when the theme changes. */
function paint(
  element: HTMLElement,
  color: Rgb,
  light: 'light' | 'dark',
  dark: 'light' | 'dark'
): void {
  element.classList.add('kfnb-is-colored');
  element.style.setProperty('--kfnb-l', css(readable(color, BEHIND[light])));
  element.style.setProperty('--kfnb-d', css(readable(color, BEHIND[dark])));
}

function rgb(color: Color): Rgb {
  if (color >= RGB) {
    return [(color >> 16) & 255, (color >> 8) & 255, color & 255];
  }
  const named = SIXTEEN[color];
  if (named) {
    return named;
  }
  if (color >= 232) {
    const grey = 8 + 10 * (color - 232);
    return [grey, grey, grey];
  }
  const at = color - 16;
  const [red = 0, green = 0, blue = 0] = [
    Math.floor(at / 36),
    Math.floor(at / 6) % 6,
    at % 6
  ].map(level => CUBE[level] ?? 0);
  return [red, green, blue];
}

/** Darkens or lightens a colour until it has enough contrast. */
export function readable(color: Rgb, behind: Rgb): Rgb {
  const end = opposite(behind);
  for (let share = 0; share < 1; share += 0.05) {
    const mixed = mix(color, end, share);
    if (contrast(mixed, behind) >= READABLE) {
      return mixed;
    }
  }
  return end;
}

function opposite(behind: Rgb): Rgb {
  return contrast(WHITE, behind) > contrast(BLACK, behind) ? WHITE : BLACK;
}

function mix(from: Rgb, to: Rgb, share: number): Rgb {
  const [red = 0, green = 0, blue = 0] = from.map((value, n) =>
    Math.round(value + ((to[n] ?? 0) - value) * share)
  );
  return [red, green, blue];
}

export function contrast(a: Rgb, b: Rgb): number {
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

function luminance(color: Rgb): number {
  const [red = 0, green = 0, blue = 0] = color.map(value => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function css([red, green, blue]: Rgb): string {
  return `rgb(${red}, ${green}, ${blue})`;
}
