"""A list of runs with what tells them apart: parameters that differ, and metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kfnb.api.run_handle import Run
from kfnb.errors import InfrastructureError, UsageError

MAIN_METRICS = 3
"""How many metrics a list has room for."""


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run in a list.

    Parameters
    ----------
    title
        The name that a person gave the run; empty if it has its pipeline's name.
    notebook
        Its absolute path; empty if it is not known.
    status
        That of the run, or ``unreadable``.
    created, duration
        Seconds since the epoch, and seconds; the duration is None if the run never started.
    """

    id: str
    title: str
    name: str
    notebook: str
    status: str
    driver: str
    created: float
    duration: float | None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


def listed(run: Run) -> ListedRun:
    """Describe a run for a list; one that cannot be read hides no other."""
    path = str(run.path) if run.path else ""
    try:
        title = "" if run.name == run.pipeline.name else run.name
        return ListedRun(
            id=run.id,
            title=title,
            name=run.name,
            notebook=path,
            status=run.status,
            driver=run.driver,
            created=run.created,
            duration=run.duration,
            parameters=dict(run.parameters),
            metrics=run.metrics,
        )
    except InfrastructureError:
        return ListedRun(
            id=run.id,
            title="",
            name=run.name,
            notebook=path,
            status="unreadable",
            driver="ended",
            created=0.0,
            duration=None,
        )


def differing_parameters(runs: Iterable[ListedRun]) -> list[str]:
    """Return the parameters that differ between runs of one notebook, in the notebook's order."""
    by_notebook: dict[str, list[ListedRun]] = {}
    for run in runs:
        if run.status != "unreadable":
            by_notebook.setdefault(run.notebook, []).append(run)
    names: dict[str, None] = {}
    for group in by_notebook.values():
        for name in dict.fromkeys(name for run in group for name in run.parameters):
            # By their text, because a set cannot hold lists and mappings.
            if len({repr(run.parameters.get(name)) for run in group}) > 1:
                names[name] = None
    return list(names)


def main_metrics(runs: Iterable[ListedRun]) -> list[str]:
    """Return the metrics that most runs have."""
    counts: dict[str, int] = {}
    for run in runs:
        for name in run.metrics:
            counts[name] = counts.get(name, 0) + 1
    # The sort is stable: among equals the order is that in which they were logged.
    return sorted(counts, key=lambda name: -counts[name])[:MAIN_METRICS]


def ordered(runs: Sequence[ListedRun], key: str) -> list[ListedRun]:
    """Sort runs by ``started`` (newest first), ``took``, ``status``, a parameter or a metric.

    Numbers are sorted from the smallest; runs without the value come last.

    Raises
    ------
    UsageError
        If no run has such a parameter or metric.
    """
    if key == "started":
        return sorted(runs, key=lambda run: -run.created)

    def read(run: ListedRun) -> Any:
        fixed = {"took": run.duration, "status": run.status}
        return fixed[key] if key in fixed else run.metrics.get(key, run.parameters.get(key))

    if key not in ("took", "status") and all(read(run) is None for run in runs):
        known = dict.fromkeys(name for run in runs for name in (*run.metrics, *run.parameters))
        raise UsageError(
            f'No run has a parameter or metric "{key}" to sort by. There are: started, took, '
            f"status{''.join(f', {name}' for name in known)}."
        )
    return sorted(runs, key=lambda run: _sortable(read(run)))


def _sortable(value: Any) -> tuple[int, float, str]:
    if isinstance(value, (int, float)) and value == value:  # NaN is equal to nothing
        return 0, float(value), ""
    return (2, 0.0, "") if value is None else (1, 0.0, str(value))
