/** Finds the step that an arrow key leads to: along the edges, or beside it in the same layer. */

import type { GraphEdge } from '../protocol';
import type { Box } from './geometry';

export class ArrowKeys {
  constructor(
    boxes: ReadonlyMap<string, Box>,
    edges: readonly GraphEdge[],
    private readonly direction: 'TB' | 'LR' = 'TB'
  ) {
    // A drawing from left to right is treated as one from the top, seen from its side.
    this.boxes =
      direction === 'TB'
        ? boxes
        : new Map([...boxes].map(([id, box]) => [id, transposed(box)]));
    for (const { source, target } of edges) {
      this.add(this.below, source, target);
      this.add(this.above, target, source);
    }
    this.reading = [...boxes.keys()].sort((a, b) => this.compare(a, b));
  }

  /** All steps from top to bottom and left to right. */
  readonly reading: readonly string[];

  /** Returns the step that a key leads to, or null if there is none. */
  from(id: string, key: string): string | null {
    const here = this.boxes.get(id);
    if (!here) {
      return this.reading[0] ?? null;
    }
    switch (this.direction === 'LR' ? (TRANSPOSED[key] ?? key) : key) {
      case 'ArrowDown':
        return this.nearest(here, this.below.get(id) ?? []);
      case 'ArrowUp':
        return this.nearest(here, this.above.get(id) ?? []);
      case 'ArrowLeft':
        return this.beside(here, -1);
      case 'ArrowRight':
        return this.beside(here, 1);
      case 'Home':
        return this.reading[0] ?? null;
      case 'End':
        return this.reading.at(-1) ?? null;
      default:
        return null;
    }
  }

  private nearest(here: Box, ids: readonly string[]): string | null {
    return this.least(
      ids,
      box => Math.abs(box.x - here.x) + Math.abs(box.y - here.y)
    );
  }

  private beside(here: Box, side: 1 | -1): string | null {
    const row = this.reading.filter(id => {
      const box = this.boxes.get(id);
      return (
        box &&
        Math.abs(box.y - here.y) < here.height / 2 &&
        (box.x - here.x) * side > 1
      );
    });
    return this.least(row, box => Math.abs(box.x - here.x));
  }

  private least(
    ids: readonly string[],
    distance: (box: Box) => number
  ): string | null {
    let best: string | null = null;
    let shortest = Infinity;
    for (const id of ids) {
      const box = this.boxes.get(id);
      const far = box ? distance(box) : Infinity;
      if (far < shortest) {
        [best, shortest] = [id, far];
      }
    }
    return best;
  }

  private compare(a: string, b: string): number {
    const [one, two] = [this.boxes.get(a), this.boxes.get(b)];
    return one && two ? one.y - two.y || one.x - two.x : 0;
  }

  private add(map: Map<string, string[]>, key: string, value: string): void {
    const known = map.get(key);
    if (known) {
      known.push(value);
    } else {
      map.set(key, [value]);
    }
  }

  private readonly boxes: ReadonlyMap<string, Box>;
  private readonly above = new Map<string, string[]>();
  private readonly below = new Map<string, string[]>();
}

const TRANSPOSED: Readonly<Record<string, string>> = {
  ArrowDown: 'ArrowRight',
  ArrowRight: 'ArrowDown',
  ArrowUp: 'ArrowLeft',
  ArrowLeft: 'ArrowUp'
};

function transposed({ x, y, width, height }: Box): Box {
  return { x: y, y: x, width: height, height: width };
}
