/** Detects whether the page is light or dark, in JupyterLab, VS Code, Colab and other pages. */

import { Value, type Signal, type Theme } from './context';

let page: Value<Theme> | undefined;

/** The theme of the page; all views share one observer. */
export function pageTheme(): Signal<Theme> {
  if (!page) {
    const signal = (page = new Value(current()));
    const look = (): void => {
      signal.value = current();
    };
    const observer = new MutationObserver(look);
    for (const element of [document.documentElement, document.body]) {
      observer.observe(element, { attributes: true });
    }
    window
      .matchMedia('(prefers-color-scheme: dark)')
      .addEventListener('change', look);
  }
  return page;
}

function current(): Theme {
  const { body, documentElement: root } = document;
  const jupyter = body.dataset.jpThemeLight;
  if (jupyter !== undefined) {
    return jupyter === 'false' ? 'dark' : 'light';
  }
  const code = body.dataset.vscodeThemeKind ?? body.className;
  if (code.includes('vscode-')) {
    return /vscode-(dark|high-contrast(?!-light))/.test(code)
      ? 'dark'
      : 'light';
  }
  const colab = root.getAttribute('theme');
  if (colab !== null) {
    return colab === 'dark' ? 'dark' : 'light';
  }
  for (const element of [body, root]) {
    const light = lightness(getComputedStyle(element).backgroundColor);
    if (light !== null) {
      return light < 0.5 ? 'dark' : 'light';
    }
  }
  // A page without a background is white, unless it follows the system's colour scheme.
  const follows = getComputedStyle(root).colorScheme.includes('dark');
  return follows && window.matchMedia('(prefers-color-scheme: dark)').matches
    ? 'dark'
    : 'light';
}

/** Lightness from 0 (black) to 1; null for a transparent colour. */
function lightness(color: string): number | null {
  const [red = 0, green = 0, blue = 0, alpha = 1] = (
    color.match(/[\d.]+/g) ?? ['0', '0', '0', '0']
  ).map(Number);
  return alpha < 0.5
    ? null
    : (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
}
