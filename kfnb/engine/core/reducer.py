"""How each event changes a step or the run: one small function per type.

Late and repeated events are normal after a crash, so each function checks whether its event
still counts.
"""
# ruff: noqa: ARG001 (all functions have the same arguments)

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kfnb.engine.core.event_types import (
    AttemptFailed,
    AttemptStarted,
    Body,
    CellFinished,
    CellStarted,
    DriverStarted,
    EdgeAdded,
    GroupFormed,
    KernelEnded,
    MetricLogged,
    ResourceSampled,
    RunCancelled,
    RunCreated,
    RunFinished,
    RunResumed,
    StepCached,
    StepCancelled,
    StepExpanded,
    StepFailed,
    StepInvalidated,
    StepReady,
    StepSkipped,
    StepSucceeded,
    StopRequested,
    TrialAsked,
)
from kfnb.engine.core.event_types import (
    Warning as WarningData,
)
from kfnb.engine.core.events import Event
from kfnb.engine.core.state import (
    DONE,
    HELD_UP,
    OPEN,
    Metric,
    RunState,
    RuntimeEdge,
    RunWarning,
    StepState,
)


def fold_step(step: StepState, event: Event) -> None:
    """Fold an event that belongs to a step."""
    kind = type(event.data)
    act = _STEP.get(kind)
    # An attempt of an earlier round may still end; nothing else of that round counts.
    if act is not None and (event.round == step.round or kind in _ENDS):
        act(step, event, event.data)


def fold_run(state: RunState, event: Event) -> None:
    """Fold what an event says about the run as a whole."""
    state.run = state.run or event.run
    state.seq = event.seq
    act = _RUN.get(type(event.data))
    if act is not None:
        act(state, event, event.data)
    state.updated = event.time


def _ready(step: StepState, event: Event, data: StepReady | StepCached) -> None:
    if step.status != "pending" or step.active:
        return
    step.ready = True
    step.inputs = data.inputs
    step.key = data.key
    step.why = data.why


def _cached(step: StepState, event: Event, data: StepCached) -> None:
    if step.status != "pending" or step.active:
        return
    _ready(step, event, data)
    step.kernel = None
    step.status = "cached"
    step.stale = False
    step.failure = step.retry_at = None
    step.started = step.finished = event.time
    step.result = data
    # The earlier run logged them; a reused result shows them as well.
    step.metrics = [Metric(*row) for row in data.metrics]


def _attempt_started(step: StepState, event: Event, data: AttemptStarted) -> None:
    attempt = event.attempt or 0
    if step.status != "pending" or step.active or attempt <= step.attempts:
        return
    step.attempts = step.active = attempt
    step.active_round = event.round
    step.kernel = data.kernel or (step.name, step.index, attempt)
    step.status = "running"
    step.retry_at = step.running_since = step.finished = None
    step.started = event.time
    # Files are compared by when executions began, and a failed attempt may have written some.
    step.begun[attempt] = event.seq
    step.cells_done, step.cells_total, step.cell = 0, None, None
    step.resources = None
    step.held = ""
    step.metrics = []


def _cell_started(step: StepState, event: Event, data: CellStarted) -> None:
    if step.active != event.attempt:
        return
    if step.running_since is None:
        # The time limit counts from the first cell, not from the start of the kernel.
        step.running_since = event.time
    step.held = ""
    step.cell = data.cell
    step.cells_total = data.total


def _cell_finished(step: StepState, event: Event, data: CellFinished) -> None:
    if step.active != event.attempt:
        return
    step.cell = None
    step.cells_done += 1


def _metric(step: StepState, event: Event, data: MetricLogged) -> None:
    # The last metrics of an attempt may arrive after its end, and still count.
    if step.attempts != event.attempt:
        return
    step.metrics.append(Metric(event.time, data.name, data.value, data.step))


def _resources(step: StepState, event: Event, data: ResourceSampled) -> None:
    if step.active == event.attempt:
        step.resources = data


def _attempt_failed(step: StepState, event: Event, data: AttemptFailed) -> None:
    if step.active != event.attempt:
        return
    step.active = 0
    step.cell = None
    # The step may have ended already, through another attempt or because of a finding.
    if step.status == "running":
        step.status = "pending"
        step.failure = data
        step.finished = event.time


def _succeeded(step: StepState, event: Event, data: StepSucceeded) -> None:
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
    step.result = data


def _failed(step: StepState, event: Event, data: StepFailed) -> None:
    if step.status not in OPEN and not (data.stale and step.status in DONE):
        return
    # The result, if there is one, was made from a value that was too old.
    if data.stale:
        step.reopen(stale=True)
    step.status = "failed"
    step.failure = data
    step.retry_at = None
    # A step that failed through its last attempt ended when that attempt did.
    step.finished = step.finished or event.time


def _skipped(step: StepState, event: Event, data: StepSkipped) -> None:
    if step.status == "pending":
        step.status = "skipped"
        step.reason = data.reason
        step.because = data.because
        step.retry_at = None


def _cancelled(step: StepState, event: Event, data: StepCancelled) -> None:
    if step.status == "pending":
        step.status = "cancelled"
        step.reason = data.reason
        step.retry_at = None


def _created(state: RunState, event: Event, data: RunCreated) -> None:
    state.info = data
    state.settings = data.settings
    state.created = event.time


def _driver(state: RunState, event: Event, data: DriverStarted) -> None:
    state.driver = data
    if state.status == "pending":
        state.status = "running"
        state.started = event.time
    elif not state.ended and state.updated is not None:
        state.paused += max(0.0, event.time - state.updated)  # the driver before was lost


def _resumed(state: RunState, event: Event, data: RunResumed) -> None:
    state.settings = state.settings.changed(data.settings)
    state.stops = 0
    state.stop_exit = False
    state.status = "running"
    if state.finished is not None:
        state.paused += max(0.0, event.time - state.finished)
    state.finished = state.error = None
    state.started = state.started or event.time
    for step in state.steps.values():
        # A resumed run executes again only what is not done.
        if step.status not in DONE:
            step.reopen(stale=False)
    last = state.steps[state.exit] if state.exit is not None else None
    if last is not None and last.status in DONE:
        others = (s for s in state.steps.values() if s is not last)
        if any(step.status not in DONE for step in others):
            # It executed for the end of a run that now continues; there will be another end.
            last.reopen(stale=True)


def _stop(state: RunState, event: Event, data: StopRequested) -> None:
    last = state.steps[state.exit] if state.exit is not None else None
    # The first request lets the exit step run; the second one, or one while it executes, stops it.
    state.stop_exit = state.stop_exit or state.stops > 0 or bool(last and last.active)
    state.stops += 1


def _edge(state: RunState, event: Event, data: EdgeAdded) -> None:
    source, target = data.ends(event.index)
    edge = state.edges.setdefault(
        (source, target), RuntimeEdge(source[0], target[0], source[1], target[1])
    )
    # A later event may name further values of the same dependency, or repeat the first.
    edge.names = tuple(dict.fromkeys((*edge.names, *data.names)))
    edge.files = tuple(dict.fromkeys((*edge.files, *data.files)))
    edge.why = edge.why or data.why


def _invalidated(state: RunState, event: Event, data: StepInvalidated) -> None:
    for name, index, number in data.voids:
        step = state.steps.get((name, index))
        if step is not None and step.round < number:
            because = data.because
            together = (name, index) in state.groups.get(data.group, ())
            if (name, index) != data.target and not together:
                because = f'step "{data.target[0]}" was executed again'
            step.void(number, because, group=bool(data.group))
            step.uncached = step.uncached or together


def _group_formed(state: RunState, event: Event, data: GroupFormed) -> None:
    members = list(data.members)
    reasons: list[str] = []
    # Groups that share a member are one: it has the id of the event, which names all of them.
    for name, others in list(state.groups.items()):
        if name == data.id or not set(others).isdisjoint(members):
            members += [key for key in state.groups.pop(name) if key not in members]
            reasons.append(state.group_reasons.pop(name, ""))
    state.groups[data.id] = tuple(sorted(members))
    state.group_reasons[data.id] = "; ".join(dict.fromkeys(filter(None, [*reasons, data.why])))


def _kernel_ended(state: RunState, event: Event, data: KernelEnded) -> None:
    state.kernels.discard((event.step or "", event.index, event.attempt or 0))


def _expanded(state: RunState, event: Event, data: StepExpanded) -> None:
    name = event.step or ""
    if (name, event.index) not in state.steps:
        return
    state.items[name] = data.items
    for number in range(data.items):
        # A repeated event must not reset an instance that has begun.
        state.steps.setdefault((name, str(number)), StepState(name, str(number)))


def _trial_asked(state: RunState, event: Event, data: TrialAsked) -> None:
    state.trials.setdefault(event.index, data.parameters)


def _warning(state: RunState, event: Event, data: WarningData) -> None:
    state.warnings.append(RunWarning(event.step, event.index, data))
    step = state.steps.get((event.step or "", event.index))
    if step is not None and data.code == HELD_UP and step.active == event.attempt:
        # The next cell that starts clears it.
        step.held = data.message


def _finished(state: RunState, event: Event, data: RunFinished) -> None:
    state.status = data.status
    state.error = data.error
    state.finished = event.time


def _run_cancelled(state: RunState, event: Event, data: RunCancelled) -> None:
    state.status = "cancelled"
    state.finished = event.time


_ENDS = frozenset({AttemptFailed, StepSucceeded})
_STEP: Mapping[type[Body], Callable[[StepState, Event, Any], None]] = {
    StepReady: _ready,
    StepCached: _cached,
    AttemptStarted: _attempt_started,
    CellStarted: _cell_started,
    CellFinished: _cell_finished,
    MetricLogged: _metric,
    ResourceSampled: _resources,
    AttemptFailed: _attempt_failed,
    StepSucceeded: _succeeded,
    StepFailed: _failed,
    StepSkipped: _skipped,
    StepCancelled: _cancelled,
}
_RUN: Mapping[type[Body], Callable[[RunState, Event, Any], None]] = {
    RunCreated: _created,
    DriverStarted: _driver,
    RunResumed: _resumed,
    StopRequested: _stop,
    EdgeAdded: _edge,
    StepInvalidated: _invalidated,
    GroupFormed: _group_formed,
    KernelEnded: _kernel_ended,
    StepExpanded: _expanded,
    TrialAsked: _trial_asked,
    WarningData: _warning,
    RunFinished: _finished,
    RunCancelled: _run_cancelled,
}
