"""How each event changes a step or the run: one small function per type.

Late and repeated events are normal after a crash, so each function checks whether its event
still counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from kfnb.engine.core.event_types import GroupFormed, edge_ends, invalidated
from kfnb.engine.core.events import Event
from kfnb.engine.core.identity import Key, inputs_from_plain
from kfnb.engine.core.state import DONE, HELD_UP, OPEN, Metric, RunState, RuntimeEdge, StepState


def fold_step(step: StepState, event: Event) -> None:
    """Fold an event that belongs to a step."""
    act = _STEP.get(event.type)
    # An attempt of an earlier round may still end; nothing else of that round counts.
    if act is not None and (event.round == step.round or event.type in _ENDS):
        act(step, event)


def fold_run(state: RunState, event: Event) -> None:
    """Fold what an event says about the run as a whole."""
    state.run = state.run or event.run
    state.seq = event.seq
    act = _RUN.get(event.type)
    if act is not None:
        act(state, event)
    state.updated = event.time


def _ready(step: StepState, event: Event) -> None:
    if step.status != "pending" or step.active:
        return
    step.ready = True
    step.inputs = inputs_from_plain(event.data.get("inputs", {}))
    step.key = event.data.get("key")
    step.why = event.data.get("why", step.why)


def _cached(step: StepState, event: Event) -> None:
    if step.status != "pending" or step.active:
        return
    _ready(step, event)
    step.status = "cached"
    step.stale = False
    step.failure = step.retry_at = None
    step.started = step.finished = event.time
    step.result = event.data
    step.metrics = [Metric(*row) for row in event.data.get("metrics", ())]


def _attempt_started(step: StepState, event: Event) -> None:
    attempt = event.attempt or 0
    if step.status != "pending" or step.active or attempt <= step.attempts:
        return
    step.attempts = step.active = attempt
    step.active_round = event.round
    step.status = "running"
    step.retry_at = step.running_since = step.finished = None
    step.started = event.time
    step.begun[attempt] = event.seq
    step.cells_done, step.cells_total, step.cell = 0, None, None
    step.resources = None
    step.held = ""
    step.metrics = []


def _cell_started(step: StepState, event: Event) -> None:
    if step.active != event.attempt:
        return
    if step.running_since is None:
        step.running_since = event.time
    step.held = ""
    step.cell = event.data.get("cell")
    step.cells_total = event.data.get("total")


def _cell_finished(step: StepState, event: Event) -> None:
    if step.active != event.attempt:
        return
    step.cell = None
    step.cells_done += 1


def _metric(step: StepState, event: Event) -> None:
    if step.attempts != event.attempt:
        return
    data = event.data
    step.metrics.append(Metric(event.time, data["name"], data["value"], data.get("step")))


def _resources(step: StepState, event: Event) -> None:
    if step.active == event.attempt:
        step.resources = event.data


def _attempt_failed(step: StepState, event: Event) -> None:
    if step.active != event.attempt:
        return
    step.active = 0
    step.cell = None
    if step.status == "running":
        step.status = "pending"
        step.failure = event.data
        step.finished = event.time


def _succeeded(step: StepState, event: Event) -> None:
    attempt = event.attempt or 0
    if step.active == attempt:
        step.active = 0
        step.cell = None
    # The first attempt to publish wins, also one that was believed to be lost.
    counts = event.round == step.round and step.floor < attempt <= step.attempts
    if step.status not in OPEN or not counts:
        return
    step.status = "succeeded"
    step.stale = False
    step.failure = step.retry_at = None
    step.permanent = False
    step.finished = event.time
    step.result = event.data


def _failed(step: StepState, event: Event) -> None:
    stale = bool(event.data.get("stale"))
    if step.status not in OPEN and not (stale and step.status in DONE):
        return
    if stale:
        step.reopen(stale=True)
    step.status = "failed"
    step.failure = event.data
    step.retry_at = None
    step.finished = step.finished or event.time


def _skipped(step: StepState, event: Event) -> None:
    if step.status == "pending":
        step.status = "skipped"
        step.reason = event.data.get("reason")
        step.because = event.data.get("because")
        step.retry_at = None


def _cancelled(step: StepState, event: Event) -> None:
    if step.status == "pending":
        step.status = "cancelled"
        step.reason = event.data.get("reason")
        step.retry_at = None


def _created(state: RunState, event: Event) -> None:
    state.info = event.data
    state.settings = state.settings.changed(event.data.get("settings", {}))
    state.created = event.time


def _driver(state: RunState, event: Event) -> None:
    state.driver = event.data
    if state.status == "pending":
        state.status = "running"
        state.started = event.time
    elif not state.ended and state.updated is not None:
        state.paused += max(0.0, event.time - state.updated)  # the driver before was lost


def _resumed(state: RunState, event: Event) -> None:
    state.settings = state.settings.changed(event.data.get("settings", {}))
    state.stops = 0
    state.stop_exit = False
    state.status = "running"
    if state.finished is not None:
        state.paused += max(0.0, event.time - state.finished)
    state.finished = state.error = None
    state.started = state.started or event.time
    for step in state.steps.values():
        if step.status not in DONE:
            step.reopen(stale=False)
    last = state.steps[state.exit] if state.exit is not None else None
    if last is not None and last.status in DONE:
        others = (s for s in state.steps.values() if s is not last)
        if any(step.status not in DONE for step in others):
            # It executed for the end of a run that now continues; there will be another end.
            last.reopen(stale=True)


def _stop(state: RunState, event: Event) -> None:  # noqa: ARG001 (one shape for all)
    last = state.steps[state.exit] if state.exit is not None else None
    state.stop_exit = state.stop_exit or state.stops > 0 or bool(last and last.active)
    state.stops += 1


def _edge(state: RunState, event: Event) -> None:
    data = event.data
    source, target = edge_ends(event)
    edge = state.edges.setdefault(
        (source, target), RuntimeEdge(source[0], target[0], source[1], target[1])
    )
    edge.names = _joined(edge.names, data, "names")
    edge.files = _joined(edge.files, data, "files")
    edge.why = edge.why or data.get("why", "")


def voids(event: Event) -> list[tuple[Key, int]]:
    """Return what a ``StepInvalidated`` voids: (step, index), and the round that begins."""
    return [((step, index), number) for step, index, number in invalidated(event).voids]


def _invalidated(state: RunState, event: Event) -> None:
    for key, number in voids(event):
        step = state.steps.get(key)
        if step is not None and step.round < number:
            step.void(number)


def _group_formed(state: RunState, event: Event) -> None:
    group = msgspec.convert(event.data, GroupFormed)
    members = list(group.members)
    # Groups that share a member are one: it has the id of the event, which names all of them.
    for name, others in list(state.groups.items()):
        if name == group.id or not set(others).isdisjoint(members):
            members += [key for key in state.groups.pop(name) if key not in members]
    state.groups[group.id] = tuple(sorted(members))


def _expanded(state: RunState, event: Event) -> None:
    state.items[event.step or ""] = int(event.data["items"])


def _trial_asked(state: RunState, event: Event) -> None:
    state.trials.setdefault(event.index, dict(event.data["parameters"]))


def _joined(before: tuple[str, ...], data: Mapping[str, object], key: str) -> tuple[str, ...]:
    more = data.get(key) or ()
    assert isinstance(more, (list, tuple))
    return tuple(dict.fromkeys((*before, *more)))


def _warning(state: RunState, event: Event) -> None:
    state.warnings.append({**event.data, "step": event.step, "index": event.index})
    step = state.steps.get((event.step or "", event.index))
    if step is not None and event.data.get("code") == HELD_UP and step.active == event.attempt:
        step.held = str(event.data.get("message") or "")


def _finished(state: RunState, event: Event) -> None:
    state.status = "succeeded" if event.data.get("status") == "succeeded" else "failed"
    state.error = event.data.get("error")
    state.finished = event.time


def _run_cancelled(state: RunState, event: Event) -> None:
    state.status = "cancelled"
    state.finished = event.time


_ENDS = frozenset({"AttemptFailed", "StepSucceeded"})
_STEP: Mapping[str, Callable[[StepState, Event], None]] = {
    "StepReady": _ready,
    "StepCached": _cached,
    "AttemptStarted": _attempt_started,
    "CellStarted": _cell_started,
    "CellFinished": _cell_finished,
    "MetricLogged": _metric,
    "ResourceSampled": _resources,
    "AttemptFailed": _attempt_failed,
    "StepSucceeded": _succeeded,
    "StepFailed": _failed,
    "StepSkipped": _skipped,
    "StepCancelled": _cancelled,
}
_RUN: Mapping[str, Callable[[RunState, Event], None]] = {
    "RunCreated": _created,
    "DriverStarted": _driver,
    "RunResumed": _resumed,
    "StopRequested": _stop,
    "EdgeAdded": _edge,
    "StepInvalidated": _invalidated,
    "GroupFormed": _group_formed,
    "StepExpanded": _expanded,
    "TrialAsked": _trial_asked,
    "Warning": _warning,
    "RunFinished": _finished,
    "RunCancelled": _run_cancelled,
}
