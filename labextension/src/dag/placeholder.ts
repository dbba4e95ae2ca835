/** A simple layout that needs no Graphviz: shown until Graphviz has answered, or if it fails. */

import {
  arrow,
  type Box,
  type Geometry,
  type Line,
  type Sizes
} from './geometry';
import type { Graph } from '../protocol';

const BETWEEN = 24;
const BELOW = 44;
const SWEEPS = 4;

/** Arranges steps in layers by the longest path to them, and each layer by its sources' positions. */
export function placeholder(graph: Graph, sizes: Sizes): Geometry {
  const sources = sourcesOf(graph);
  const layers = layered(graph, sources);
  order(layers, sources);
  const nodes = placed(layers, sizes);
  const edges = new Map<string, Line>();
  for (const { id, source, target } of graph.edges) {
    const [from, to] = [nodes.get(source), nodes.get(target)];
    if (from && to) {
      edges.set(id, joined(from, to));
    }
  }
  const all = [...nodes.values()];
  return {
    width: Math.max(0, ...all.map(box => box.x + box.width / 2)),
    height: Math.max(0, ...all.map(box => box.y + box.height / 2)),
    nodes,
    edges
  };
}

/** The steps in layers, in the order of the notebook. */
export function layersOf(graph: Graph): string[][] {
  return layered(graph, sourcesOf(graph));
}

function sourcesOf(graph: Graph): Map<string, string[]> {
  const sources = new Map<string, string[]>(
    graph.nodes.map(({ id }) => [id, []])
  );
  for (const { source, target } of graph.edges) {
    sources.get(target)?.push(source);
  }
  return sources;
}

function layered(
  graph: Graph,
  sources: ReadonlyMap<string, readonly string[]>
): string[][] {
  const depth = new Map<string, number>();
  const layers: string[][] = [];
  // In the notebook's order, so that a cycle, which is an error in the notebook, ends the loop.
  for (const { id, on_exit: last } of graph.nodes) {
    const above = (sources.get(id) ?? []).map(
      source => depth.get(source) ?? -1
    );
    const level = last ? layers.length : 1 + Math.max(-1, ...above);
    depth.set(id, level);
    (layers[level] ??= []).push(id);
  }
  return layers;
}

function order(
  layers: string[][],
  sources: ReadonlyMap<string, readonly string[]>
): void {
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const position = new Map<string, number>();
    for (const layer of layers) {
      const weight = new Map(
        layer.map((id, n) => {
          const above = (sources.get(id) ?? []).map(
            source => position.get(source) ?? 0
          );
          const mean = above.reduce((sum, at) => sum + at, 0) / above.length;
          return [id, above.length ? mean : (n + 0.5) / layer.length];
        })
      );
      layer.sort((a, b) => (weight.get(a) ?? 0) - (weight.get(b) ?? 0));
      layer.forEach((id, n) => position.set(id, (n + 0.5) / layer.length));
    }
  }
}

function placed(
  layers: readonly (readonly string[])[],
  sizes: Sizes
): Map<string, Box> {
  const widths = layers.map(
    layer =>
      layer.reduce((sum, id) => sum + (sizes.get(id)?.[0] ?? 0) + BETWEEN, 0) -
      BETWEEN
  );
  const widest = Math.max(0, ...widths);
  const nodes = new Map<string, Box>();
  let y = 0;
  layers.forEach((layer, level) => {
    let x = (widest - (widths[level] ?? 0)) / 2;
    let tallest = 0;
    for (const id of layer) {
      const [width, height] = sizes.get(id) ?? [0, 0];
      nodes.set(id, { x: x + width / 2, y: y + height / 2, width, height });
      x += width + BETWEEN;
      tallest = Math.max(tallest, height);
    }
    y += tallest + BELOW;
  });
  return nodes;
}

/** A line from the bottom of one box to the top of another. */
export function joined(from: Box, to: Box): Line {
  const [x1, y1] = [from.x, from.y + from.height / 2];
  const [x2, y2] = [to.x, to.y - to.height / 2];
  const end = y2 - 7;
  const bend = Math.max(12, (end - y1) / 2);
  const path = [
    `M${x1.toFixed(1)} ${y1.toFixed(1)}`,
    `C${x1.toFixed(1)} ${(y1 + bend).toFixed(1)}`,
    `${x2.toFixed(1)} ${(end - bend).toFixed(1)}`,
    `${x2.toFixed(1)} ${end.toFixed(1)}`
  ].join(' ');
  return { path, head: arrow([x2, end], [x2, y2]), label: null };
}
