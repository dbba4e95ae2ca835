"""What becomes of the steps that will not execute, and of the run when nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kfnb.engine.core.commands import Record
from kfnb.engine.core.state import DONE, RunState, StepState

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
    for root in list(ended):
        step = steps[root]
        spent = step.status == "failed" and step.stale
        cause = step.because or step.name
        reason = step.reason if step.because else f'step "{step.name}" {_ENDED[step.status]}'
        ways, follows = [root], False
        while ways:
            for n in dependents(ways.pop()):
                if n in seen or n == skip:
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
        return Record(
            "StepSkipped",
            step.name,
            step.index,
            {"reason": reason, "because": cause},
            step.round,
        )
    if spent is None or (step.status != "running" and step.status not in DONE):
        return None
    failure = spent.failure or {}
    data = {
        "class": "user",
        "summary": f'step "{step.name}" depends on step "{spent.name}", whose result was '
        f"discarded: {failure.get('summary', '')}",
        "remedy": failure.get("remedy", ""),
        "code": failure.get("code"),
        "steps": list(failure.get("steps", ())),
        "stale": True,
    }
    return Record("StepFailed", step.name, step.index, data, step.round)


def cancelled(step: StepState, state: RunState, steps: Iterable[StepState]) -> Record:
    """Record the end of a step that a stop has kept from executing, or from going on."""
    if state.stops:
        return Record(
            "StepCancelled", step.name, step.index, {"reason": "the run was stopped"}, step.round
        )
    failed = next(other.name for other in steps if other.status == "failed")
    reason = f'step "{failed}" failed, and the run stops at the first failure'
    kind = "StepCancelled" if step.attempts else "StepSkipped"
    return Record(kind, step.name, step.index, {"reason": reason, "because": failed}, step.round)


def finish(state: RunState, steps: Sequence[StepState], exit: int | None) -> Record:  # noqa: A002
    """Record the end of the run."""
    counts = state.counts
    exit_failed = exit is not None and steps[exit].status == "failed"
    if state.stops and counts["cancelled"] and not exit_failed:
        return Record("RunCancelled", data={"reason": "the run was stopped"})
    if not counts["failed"]:
        return Record("RunFinished", data={"status": "succeeded"})
    step = next(step for step in steps if step.status == "failed")
    return Record("RunFinished", data={"status": "failed", "error": _brief(step)})


def _brief(step: StepState) -> Mapping[str, Any]:
    failure = {k: v for k, v in (step.failure or {}).items() if k != "traceback"}
    return {"step": step.name, **failure}
