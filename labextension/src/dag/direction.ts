/** Whether a graph is drawn from top to bottom or from left to right. */

import type { Graph } from '../protocol';
import type { Sizes } from './geometry';
import { layersOf } from './placeholder';
import { openingScale, type Extent } from './viewport';

export type Direction = 'TB' | 'LR';

/** Approximate gaps that Graphviz leaves between layers and within one. */
const BETWEEN_LAYERS = { TB: 44, LR: 70 };
const WITHIN_LAYER = 22;

/** Chooses the direction in which more of the graph is readable at once; downwards if both are equal. */
export function directionFor(
  graph: Graph,
  sizes: Sizes,
  window: Extent
): Direction {
  if (!window.width) {
    return 'TB';
  }
  const layers = layersOf(graph).map(layer =>
    layer.map(id => sizes.get(id) ?? ([0, 0] as const))
  );
  const sum = (values: readonly number[]): number =>
    values.reduce((total, value) => total + value + WITHIN_LAYER, 0);
  const widths = layers.map(layer => sum(layer.map(([width]) => width)));
  const heights = layers.map(layer => sum(layer.map(([, height]) => height)));
  const deepest = layers.map(layer => Math.max(0, ...layer.map(([, y]) => y)));
  const widest = layers.map(layer => Math.max(0, ...layer.map(([x]) => x)));
  const gaps = layers.length - 1;
  const down: Extent = {
    width: Math.max(0, ...widths),
    height: sum(deepest) + gaps * (BETWEEN_LAYERS.TB - WITHIN_LAYER)
  };
  const across: Extent = {
    width: sum(widest) + gaps * (BETWEEN_LAYERS.LR - WITHIN_LAYER),
    height: Math.max(0, ...heights)
  };
  const shown = (extent: Extent): number => {
    const scale = openingScale(extent, window);
    return (
      Math.min(1, window.width / (extent.width * scale)) *
      Math.min(1, window.height / (extent.height * scale))
    );
  };
  return shown(across) > 1.2 * shown(down) ? 'LR' : 'TB';
}
