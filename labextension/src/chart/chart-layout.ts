/** Arranges series in plots, and decides how lines look and which plots zoom together. */

import type { Entry } from './legend';
import { look } from './line-style';
import type { SeriesData } from './series-data';

/** One plot: a metric and the series that logged it. */
export interface Group {
  readonly name: string;
  readonly entries: readonly Entry[];
  /** Plots of the same window are zoomed together. */
  readonly window: string;
}

export interface ChartLayout {
  readonly groups: readonly Group[];
  /** The lines of each run. */
  readonly runs: readonly (readonly Entry[])[];
}

/**
 * Groups series by metric. A run looks the same in all plots; if several steps log the same metric,
 * each step has its own look.
 */
export function arrange(tracks: readonly SeriesData[]): ChartLayout {
  // Sorted by id (which begins with the date), so that a run keeps its colour when the page is
  // loaded again, whichever run's points arrive first.
  const runs = [...new Set(tracks.map(({ run }) => run))].sort();
  const sorted = runs.flatMap(run => tracks.filter(one => one.run === run));
  const byName = groupBy(sorted, ({ name }) => name);
  const windows = together([...byName.values()]);
  const names = [...new Set(tracks.map(({ name }) => name))];
  const groups = names.map((name): Group => {
    const own = byName.get(name) ?? [];
    const steps = [...new Set(own.map(({ step }) => step))];
    return {
      name,
      window: windows.get(own[0]?.step ?? '') ?? '',
      entries: own.map(track => ({
        track,
        look: look(
          runs.indexOf(track.run) + runs.length * steps.indexOf(track.step)
        ),
        label: [
          runs.length > 1 && track.runLabel,
          (runs.length === 1 || steps.length > 1) && track.step
        ]
          .filter(part => part !== false)
          .join(' · ')
      }))
    };
  });
  const ofRuns = groupBy(sorted, ({ run }) => run);
  return {
    groups,
    runs: [...ofRuns.values()].map((own, n) =>
      own.map(track => ({ track, look: look(n), label: track.runLabel }))
    )
  };
}

/**
 * The steps whose points are numbered alike. Epochs of one step and folds of another are different
 * numbers, so their plots do not zoom together.
 */
function together(
  groups: readonly (readonly SeriesData[])[]
): Map<string, string> {
  const windows = new Map<string, string>();
  for (const group of groups) {
    const steps = group.map(({ step }) => step);
    const window = steps.map(step => windows.get(step) ?? step)[0] ?? '';
    const merged = new Set(steps.map(step => windows.get(step) ?? step));
    for (const step of steps) {
      windows.set(step, window);
    }
    for (const [step, old] of windows) {
      if (merged.has(old)) {
        windows.set(step, window);
      }
    }
  }
  return windows;
}

function groupBy<T>(
  items: readonly T[],
  key: (item: T) => string
): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) {
      group.push(item);
    } else {
      groups.set(key(item), [item]);
    }
  }
  return groups;
}
