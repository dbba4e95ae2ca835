/** Reads the layout that Graphviz computes. Only numbers are taken from its answer, never text. */

import type { Graph } from '../protocol';

export interface Box {
  /** The centre. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Line {
  /** Path data, made of numbers. */
  readonly path: string;
  /** Path data of the arrow's head; empty if there is none. */
  readonly head: string;
  readonly label: Label | null;
}

/** The centre of a label, and its text. */
export interface Label {
  readonly x: number;
  readonly y: number;
  readonly room: string;
}

export interface Geometry {
  readonly width: number;
  readonly height: number;
  readonly nodes: ReadonlyMap<string, Box>;
  readonly edges: ReadonlyMap<string, Line>;
}

export type Size = readonly [width: number, height: number];
export type Sizes = ReadonlyMap<string, Size>;

const POINTS_PER_INCH = 72;

/** Adds the sizes of the nodes on this page and a direction to the DOT, which numbers its nodes. */
export function sized(
  dot: string,
  sizes: Sizes,
  direction: 'TB' | 'LR' = 'TB'
): string {
  const [begin, end] = [dot.indexOf('{') + 1, dot.lastIndexOf('}')];
  if (begin === 0 || end < begin) {
    return dot;
  }
  const lines = [
    `graph [label="", bgcolor="transparent", margin=0, pad=0, size="", ratio="", dpi=72, rankdir=${direction}]`
  ];
  [...sizes.values()].forEach(([width, height], index) => {
    const inches = [width, height].map(side =>
      (side / POINTS_PER_INCH).toFixed(4)
    );
    lines.push(
      `n${index} [shape=box, fixedsize=true, margin=0, label="", width=${inches[0] ?? ''}, height=${inches[1] ?? ''}]`
    );
  });
  // Graphviz knows the widths of few fonts; this one is closest to the page's.
  const font = 'edge [fontname="Verdana"]';
  return `${dot.slice(0, begin)}\n${font}\n${dot.slice(begin, end)}\n${lines.join('\n')}\n}\n`;
}

type GraphvizEdge = Partial<
  Record<'tail' | 'head' | 'pos' | 'lp' | 'label', unknown>
>;

interface GraphvizOutput {
  readonly bb?: string;
  readonly objects?: readonly Partial<
    Record<'_gvid' | 'name' | 'pos' | 'width' | 'height', unknown>
  >[];
  readonly edges?: readonly GraphvizEdge[];
}

/** Reads Graphviz's `json0`; null if it lacks a node of the graph. */
export function read(json: string, graph: Graph): Geometry | null {
  const graphviz = JSON.parse(json) as GraphvizOutput;
  const [, , width = 0, height = 0] = numbers(graphviz.bb);
  const nodes = new Map<string, Box>();
  const ids = new Map<unknown, string>();
  for (const object of graphviz.objects ?? []) {
    const [x, y] = numbers(object.pos);
    const id = nodeId(object.name, graph);
    if (id === undefined || x === undefined || y === undefined) {
      continue; // a cluster
    }
    const [wide = 0, high = 0] = [
      ...numbers(object.width),
      ...numbers(object.height)
    ];
    ids.set(object._gvid, id);
    nodes.set(id, {
      x,
      y: height - y,
      width: wide * POINTS_PER_INCH,
      height: high * POINTS_PER_INCH
    });
  }
  if (!graph.nodes.every(({ id }) => nodes.has(id))) {
    return null;
  }
  const edgeIds = new Map(
    graph.edges.map(edge => [
      JSON.stringify([edge.source, edge.target]),
      edge.id
    ])
  );
  const edges = new Map<string, Line>();
  for (const edge of graphviz.edges ?? []) {
    const id = edgeIds.get(
      JSON.stringify([ids.get(edge.tail), ids.get(edge.head)])
    );
    const line = id === undefined ? null : spline(edge.pos, height);
    if (id !== undefined && line) {
      edges.set(id, { ...line, label: labelOf(edge, height) });
    }
  }
  return { width, height, nodes, edges };
}

function nodeId(name: unknown, graph: Graph): string | undefined {
  const index = typeof name === 'string' ? /^n(\d+)$/.exec(name)?.[1] : null;
  return index ? graph.nodes[Number(index)]?.id : undefined;
}

/** Reads numbers from a text; an empty list if it contains anything else. */
function numbers(text: unknown): number[] {
  if (typeof text !== 'string' || text === '') {
    return [];
  }
  const all = text.split(/[ ,]+/).map(Number);
  return all.every(Number.isFinite) ? all : [];
}

/** `e,x,y x,y x,y …`: the arrow's tip, the start, then three points a curve. */
function spline(pos: unknown, height: number): Line | null {
  if (typeof pos !== 'string') {
    return null;
  }
  let path = '';
  let head = '';
  for (const part of pos.split(';')) {
    const points = part.trim().split(/\s+/);
    const tip = points[0]?.startsWith('e,')
      ? numbers(points.shift()?.slice(2))
      : [];
    if (points[0]?.startsWith('s,')) {
      points.shift();
    }
    const flipped = points
      .map(numbers)
      .map(([x = 0, y = 0]): Size => [x, height - y]);
    const [start, ...rest] = flipped;
    if (!start || rest.length % 3) {
      return null;
    }
    path += `M${pair(start)}${rest.length ? `C${rest.map(pair).join(' ')}` : ''}`;
    const last = flipped.at(-1);
    const [x, y] = tip;
    if (last && x !== undefined && y !== undefined) {
      head += arrow(last, [x, height - y]);
    }
  }
  return { path, head, label: null };
}

function labelOf({ lp, label }: GraphvizEdge, height: number): Label | null {
  const [x, y] = numbers(lp);
  const room = typeof label === 'string' ? label : '';
  return x === undefined || y === undefined ? null : { x, y: height - y, room };
}

function pair([x, y]: Size): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

/** A triangle from the end of a line to the arrow's tip. */
export function arrow(from: Size, tip: Size): string {
  const [dx, dy] = [tip[0] - from[0], tip[1] - from[1]];
  const length = Math.hypot(dx, dy) || 1;
  const [sideX, sideY] = [(-dy / length) * 3.2, (dx / length) * 3.2];
  const left: Size = [from[0] + sideX, from[1] + sideY];
  const right: Size = [from[0] - sideX, from[1] - sideY];
  return `M${pair(left)}L${pair(tip)}L${pair(right)}z`;
}
