/** What the server and this page know of a notebook as it is edited; cells are named by their ids. */

import type { Json } from '../protocol';

export interface OutlineStep {
  readonly name: string;
  readonly cells: readonly string[];
  readonly after: readonly string[];
}

export interface Outline {
  readonly steps: readonly OutlineStep[];
  readonly setup: readonly string[];
  readonly parameters: readonly string[];
  readonly metrics: readonly string[];
  readonly skip: readonly string[];
}

export interface Proposal {
  readonly steps: readonly {
    readonly name: string;
    readonly cells: readonly string[];
    readonly reason: string;
  }[];
  readonly setup: readonly string[];
  readonly parameters: readonly string[];
  readonly boundaries: readonly {
    readonly cell: string;
    readonly names: readonly string[];
    readonly why_not: string;
  }[];
}

export type Role = 'setup' | 'parameters' | 'metrics' | 'skip';

/** A cell as it is written: what declares its step, and its code. */
export interface CellText {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly tags: readonly string[];
  /** `metadata.kfnb`, if it is an object. */
  readonly own: { readonly [key: string]: Json } | null;
}

/** New contents of parts of a cell; null removes `metadata.kfnb`. */
export interface CellEdit {
  readonly id: string;
  readonly source?: string;
  readonly tags?: readonly string[];
  readonly own?: { readonly [key: string]: Json } | null;
}

/** Boundaries of a proposal move by one cell: returns the proposal with the changed steps. */
export function moved(
  proposal: Proposal,
  step: number,
  by: 1 | -1
): Proposal | null {
  const above = proposal.steps[step - 1];
  const here = proposal.steps[step];
  if (!above || !here) {
    return null;
  }
  const cells = [...above.cells, ...here.cells];
  const cut = above.cells.length + by;
  const first = cells[cut];
  const gap = proposal.boundaries.find(({ cell }) => cell === first);
  if (cut < 1 || cut >= cells.length || !gap || gap.why_not) {
    return null;
  }
  const steps = [...proposal.steps];
  steps[step - 1] = { ...above, cells: cells.slice(0, cut) };
  steps[step] = { ...here, cells: cells.slice(cut) };
  return { ...proposal, steps };
}

/** Cells of neighbours move into a proposed step; null if a boundary cannot be there. */
export function absorbed(
  proposal: Proposal,
  cells: readonly string[],
  step: string
): Proposal | null {
  const at = proposal.steps.findIndex(one => one.name === step);
  const [above, here, below] = [
    proposal.steps[at - 1],
    proposal.steps[at],
    proposal.steps[at + 1]
  ];
  const first = above?.cells.findIndex(id => cells.includes(id)) ?? -1;
  const last =
    below?.cells.reduce((at, id, n) => (cells.includes(id) ? n : at), -1) ?? -1;
  if (!here || (first < 0 && last < 0)) {
    return null;
  }
  const taken = {
    above: first < 0 ? [] : (above?.cells.slice(first) ?? []),
    below: below?.cells.slice(0, last + 1) ?? []
  };
  const steps = proposal.steps
    .map(one =>
      one === here
        ? { ...one, cells: [...taken.above, ...one.cells, ...taken.below] }
        : {
            ...one,
            cells: one.cells.filter(
              id => !taken.above.includes(id) && !taken.below.includes(id)
            )
          }
    )
    .filter(one => one.cells.length);
  const starts = new Set(steps.slice(1).map(one => one.cells[0]));
  const bad = proposal.boundaries.some(
    gap => gap.why_not !== '' && starts.has(gap.cell)
  );
  return bad ? null : { ...proposal, steps };
}
