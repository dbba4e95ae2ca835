/** The lanes at the left of the list of steps, as in the graph of a commit history. */

export interface LaneEdge {
  readonly source: string;
  readonly target: string;
}

export interface LaneRow {
  /** The lane of the step's dot, from 0. */
  readonly lane: number;
  /** Lanes whose line goes through the whole row. */
  readonly through: readonly number[];
  /** Lanes of the steps that this one needs: their lines come from above. */
  readonly from: readonly number[];
  /** Whether a later step needs this one, so that a line goes on below. */
  readonly goesOn: boolean;
}

/**
 * Gives each step a lane. The lane of a step is free again below the last step that needs it.
 *
 * @param names - the steps in the order of their rows.
 */
export function lanes(
  names: readonly string[],
  edges: readonly LaneEdge[]
): LaneRow[] {
  const row = new Map(names.map((name, number) => [name, number]));
  const last = new Map<string, number>();
  const sources = new Map<string, string[]>();
  for (const { source, target } of edges) {
    const [from, to] = [row.get(source), row.get(target)];
    // A line up, which an explicit order can ask for, has no lane.
    if (from === undefined || to === undefined || from >= to) {
      continue;
    }
    last.set(source, Math.max(last.get(source) ?? 0, to));
    sources.set(target, [...(sources.get(target) ?? []), source]);
  }
  const held: (string | null)[] = [];
  const lane = new Map<string, number>();
  return names.map((name, number) => {
    const needed = sources.get(name) ?? [];
    const from = needed
      .map(source => lane.get(source) ?? 0)
      .sort((a, b) => a - b);
    held.forEach((holder, at) => {
      if (holder !== null && (last.get(holder) ?? -1) <= number) {
        held[at] = null;
      }
    });
    const through = held.flatMap((holder, at) => (holder === null ? [] : [at]));
    let own = from.find(at => held[at] === null) ?? held.indexOf(null);
    own = own < 0 ? held.length : own;
    lane.set(name, own);
    const goesOn = last.has(name);
    held[own] = goesOn ? name : null;
    return { lane: own, through, from, goesOn };
  });
}
