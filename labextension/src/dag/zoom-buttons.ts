/** The buttons that zoom the graph. */

import type { Context } from '../context';
import { h, s } from '../dom';
import type { Viewport } from './viewport';

export function zoomButtons(
  { trans }: Context,
  viewport: Viewport
): HTMLElement {
  const button = (label: string, d: string, act: () => void): HTMLElement => {
    const made = h(
      'button',
      {
        class: 'kfnb-tool',
        type: 'button',
        title: label,
        'aria-label': label
      },
      s(
        'svg',
        { viewBox: '0 0 16 16', 'aria-hidden': 'true' },
        s('path', { d })
      )
    );
    made.addEventListener('click', act);
    return made;
  };
  return h(
    'div',
    { class: 'kfnb-tools', role: 'group', 'aria-label': trans('Zoom') },
    button(trans('Zoom in (+)'), 'M3 8h10M8 3v10', () => viewport.zoomIn()),
    button(trans('Zoom out (-)'), 'M3 8h10', () => viewport.zoomOut()),
    button(trans('Fit (0)'), 'M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3', () =>
      viewport.fit()
    )
  );
}
