/** The rows of the panel's list: one for each step, with its status and what is wrong with it. */

import type { Diagnostic, Graph, StepState } from '../protocol';
import { lanes, type LaneRow } from './lanes';
import type { Outline, Proposal } from './outline';

export interface Need {
  readonly source: string;
  readonly names: readonly string[];
  readonly why: string;
}

export interface StepRow {
  readonly name: string;
  readonly cells: readonly string[];
  readonly lanes: LaneRow;
  /** Names of values that flow in. */
  readonly flows: readonly string[];
  /** The steps that this one needs, with what flows and why. */
  readonly needs: readonly Need[];
  readonly state: StepState | null;
  readonly errors: number;
  readonly warnings: number;
  /** Why the step is proposed; null for a step that is declared. */
  readonly proposed: string | null;
}

export function stepRows(
  outline: Outline,
  graph: Graph | null,
  steps: { readonly [id: string]: StepState } | null,
  proposal: Proposal | null
): StepRow[] {
  const shown = proposal ? proposal.steps : outline.steps;
  const names = shown.map(step => step.name);
  const edges = proposal ? [] : (graph?.edges ?? []);
  const explicit = outline.steps.flatMap(step =>
    step.after.map(source => ({ source, target: step.name }))
  );
  const rows = lanes(names, edges.length ? edges : explicit);
  const bySteps = new Map<string, Diagnostic[]>();
  for (const one of proposal ? [] : (graph?.diagnostics ?? [])) {
    if (one.step !== null) {
      bySteps.set(one.step, [...(bySteps.get(one.step) ?? []), one]);
    }
  }
  const needs = new Map<string, Need[]>();
  for (const { source, target, names: values, files, why } of edges) {
    const one = { source, names: [...values, ...files], why };
    needs.set(target, [...(needs.get(target) ?? []), one]);
  }
  const into = (name: string): readonly Need[] => needs.get(name) ?? [];
  return shown.map((step, number) => ({
    name: step.name,
    cells: step.cells,
    lanes: rows[number] ?? { lane: 0, through: [], from: [], goesOn: false },
    flows: [...new Set(into(step.name).flatMap(need => need.names))],
    needs: into(step.name),
    state: proposal ? null : (steps?.[step.name] ?? null),
    errors: count(bySteps.get(step.name), 'error'),
    warnings: count(bySteps.get(step.name), 'warning'),
    proposed: 'reason' in step ? step.reason : null
  }));
}

/** Numbers of the first and one past the last row that are in view, with a margin. */
export function visible(
  top: number,
  height: number,
  rowHeight: number,
  count: number
): [number, number] {
  const first = Math.max(0, Math.floor(top / rowHeight) - 8);
  return [first, Math.min(count, Math.ceil((top + height) / rowHeight) + 8)];
}

function count(
  diagnostics: readonly Diagnostic[] | undefined,
  severity: Diagnostic['severity']
): number {
  return (diagnostics ?? []).filter(one => one.severity === severity).length;
}
