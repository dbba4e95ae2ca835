"""What becomes of the steps that will not execute, and of the run when nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kfnb.engine.core.commands import Record
from kfnb.engine.core.event_types import (
    FailureData,
    RunCancelled,
    RunError,
    RunFinished,
    StepCancelled,
    StepFailed,
    StepSkipped,
)
from kfnb.engine.core.state import DONE, RunState, StepState

_FAILURE_FIELDS = FailureData.__struct_fields__
_ENDED = {"failed": "failed", "skipped": "was skipped", "cancelled": "was cancelled"}


def cascade(
    ended: dict[int, None],
    steps: Sequence[StepState],
    dependents: Callable[[int], Iterable[int]],
    *,
    skip: int | None,
) -> list[Record]:
    """Record what follows for those that depend on steps which ended without a result.

    A step that has not begun is skipped. A step that used a result which no longer counts fails
    with it. Steps from which nothing follows any more are removed from ``ended``.

    Parameters
    ----------
    skip
        Position of the exit step, which executes whatever happened.
    """
    records: list[Record] = []
    seen: set[int] = set()
    # In the notebook's order, so that a driver that replayed the events records the same.
    for root in sorted(ended):
        step = steps[root]
        spent = step.status == "failed" and step.stale
        cause = step.because or step.name
        reason = step.reason if step.because else f'step "{step.name}" {_ENDED[step.status]}'
        ways, follows = [root], False
        while ways:
            for n in dependents(ways.pop()):
                if n == skip:
                    continue
                if n in seen:
                    # It follows from this step too, if what comes first is not recorded after all.
                    follows = True
                    continue
                record = _follow(steps[n], cause, reason or "", steps[root] if spent else None)
                if record is not None:
                    seen.add(n)
                    ways.append(n)
                    records.append(record)
                    follows = True
        if not follows:
            del ended[root]
    return records


def _follow(step: StepState, cause: str, reason: str, spent: StepState | None) -> Record | None:
    if step.status == "pending":
        skipped = StepSkipped(reason=reason, because=cause)
        return Record(skipped, step.name, step.index, step.round)
    if spent is None or (step.status != "running" and step.status not in DONE):
        return None
    failure = spent.failure or FailureData(kind="user")
    data = StepFailed(
        kind="user",
        summary=f'step "{step.name}" depends on step "{spent.name}", whose result was discarded: '
        f"{failure.summary or ''}",
        remedy=failure.remedy or "",
        code=failure.code,
        steps=failure.steps,
        stale=True,
    )
    return Record(data, step.name, step.index, step.round)


def cancelled(step: StepState, state: RunState, steps: Iterable[StepState]) -> Record:
    """Record the end of a step that a stop has kept from executing, or from going on."""
    if state.stops:
        stopped = StepCancelled(reason="the run was stopped")
        return Record(stopped, step.name, step.index, step.round)
    failed = next(other.name for other in steps if other.status == "failed")
    reason = f'step "{failed}" failed, and the run stops at the first failure'
    # A step that never began has done nothing that could be cancelled.
    kind = StepCancelled if step.attempts else StepSkipped
    return Record(kind(reason=reason, because=failed), step.name, step.index, step.round)


def finish(state: RunState, steps: Sequence[StepState], exit: int | None) -> Record:  # noqa: A002
    """Record the end of the run."""
    counts = state.counts
    exit_failed = exit is not None and steps[exit].status == "failed"
    # A stop that came when everything was done has cancelled nothing: such a run has its usual end.
    if state.stops and counts["cancelled"] and not exit_failed:
        return Record(RunCancelled(reason="the run was stopped"))
    if not counts["failed"]:
        return Record(RunFinished(status="succeeded"))
    step = next(step for step in steps if step.status == "failed")
    return Record(RunFinished(status="failed", error=_brief(step)))


def failed_for_good(step: StepState) -> Record:
    """Record the failure of a step whose last attempt has failed and that has no retry left."""
    data = StepFailed(**_fields(step.failure), attempts=step.attempts)
    return Record(data, step.name, step.index, step.round)


def _brief(step: StepState) -> RunError:
    # The step's own event has the traceback, which the journal need not hold twice.
    return RunError(**{**_fields(step.failure), "step": step.name, "traceback": None})


def _fields(failure: FailureData | None) -> dict[str, Any]:
    """Return the fields that all records of failures have."""
    failure = failure or FailureData(kind="user")
    return {name: getattr(failure, name) for name in _FAILURE_FIELDS}
