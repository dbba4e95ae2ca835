"""What each type of event holds: one struct for its ``data``, named as the type.

The JSON Schema (``kfnb/engine/events.schema.json``) and the types for the browser are made from
this file by ``python -m kfnb.engine.event_schema``. Unknown fields are ignored when an event is
read, and every field that a later version added has a default, so older journals stay readable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct, field

from kfnb.engine.core.events import Event
from kfnb.engine.core.identity import Key
from kfnb.engine.core.settings import Settings

Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]
SourceData = Annotated[
    str | tuple[str, str, Count] | None,
    Meta(description="[step, index, round]; older journals: the step's name; null: absent"),
]
Inputs = Annotated[
    dict[str, SourceData], Meta(description="Name to the execution that the value comes from.")
]
KeyData = tuple[str, str]
"""[step, index]"""

Scope = Literal["run", "step", "attempt", "any"]


class Body(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The data of an event. ``scope`` says which parts of its identity the event must have."""

    scope: ClassVar[Scope] = "run"


class StepBody(Body, frozen=True, kw_only=True):
    """The data of an event that belongs to a step."""

    scope: ClassVar[Scope] = "step"


class AttemptBody(Body, frozen=True, kw_only=True):
    """The data of an event that belongs to an attempt."""

    scope: ClassVar[Scope] = "attempt"


class RunCreated(Body, frozen=True, kw_only=True):
    """The run exists. Views find more fields here, such as its trigger."""

    settings: Settings
    name: str = ""
    notebook: str | None = None
    target: str = "local"
    parameters: dict[str, Any] = field(default_factory=dict)


class DriverStarted(Body, frozen=True, kw_only=True):
    """A driver has begun."""

    pid: int
    host: str = ""


class RunResumed(Body, frozen=True, kw_only=True):
    """A person resumed the run; ``settings`` are those that differ from now on."""

    settings: Settings | None = None


class StopRequested(Body, frozen=True, kw_only=True):
    """A person asked for the end of the run."""

    by: str = ""


class StepReady(StepBody, frozen=True, kw_only=True):
    """The step must execute, with these inputs; ``why`` no earlier result was used."""

    inputs: Inputs
    key: str | None = None
    why: str | None = None


class OutputData(Struct, frozen=True, kw_only=True):
    """A published name: where its value is, and how it looks."""

    bundle: str | None = None
    hash: str | None = None
    changed: bool = True
    absent: bool = False
    type: str | None = None
    shape: list[Any] | None = None
    size: int | None = None
    repr: str | None = None


class StepSucceeded(AttemptBody, frozen=True, kw_only=True):
    """An attempt published the step's result: what its manifest says."""

    outputs: dict[str, OutputData]
    manifest: str | None = None
    aliases: list[list[str]] = field(default_factory=list)
    unexpected: dict[str, str] = field(default_factory=dict)
    files_written: dict[str, str | None] = field(default_factory=dict)
    files_read: dict[str, str | None] = field(default_factory=dict)
    duration: Seconds | None = None
    left: dict[str, list[str]] = field(default_factory=dict)


class StepCached(StepSucceeded, frozen=True, kw_only=True):
    """An earlier result was used. Metrics are [time, name, value, step of a training loop]."""

    scope: ClassVar[Scope] = "step"

    inputs: Inputs
    key: str | None = None
    why: str | None = None
    metrics: list[Annotated[list[Any], Meta(min_length=3, max_length=4)]] = field(
        default_factory=list
    )
    source: str | None = field(name="from", default=None)


class AttemptStarted(AttemptBody, frozen=True, kw_only=True):
    """An attempt is about to begin; it may have begun."""

    inputs: Inputs = field(default_factory=dict)


class CellStarted(AttemptBody, frozen=True, kw_only=True):
    """A cell executes: its index in the notebook, and its position among those of the step."""

    cell: int
    position: int = 0
    total: int | None = None


class CellFinished(AttemptBody, frozen=True, kw_only=True):
    """A cell has ended."""

    cell: int
    duration: float = 0.0
    ok: bool = True


class CellOutput(AttemptBody, frozen=True, kw_only=True):
    """A cell printed or displayed something; the text is in the attempt's log."""

    cell: int | None
    kind: Literal["stream", "result", "display", "error"]
    name: str | None = None
    offset: int | None = None
    length: int | None = None
    mime: list[str] | None = None


class MetricLogged(AttemptBody, frozen=True, kw_only=True):
    """A number was logged; ``step`` is that of a training loop."""

    name: str
    value: float | str | bool | None
    step: float | str | None = None


class ResourceSampled(AttemptBody, frozen=True, kw_only=True):
    """What the attempt uses: CPU seconds so far, bytes of memory now."""

    cpu_seconds: float | None = None
    memory: float | None = None


class Warning(Body, frozen=True, kw_only=True):  # noqa: A001 (the event's name)
    """A diagnostic of the run, a step or an attempt."""

    scope: ClassVar[Scope] = "any"

    message: str
    code: str | None = None
    remedy: str | None = None
    steps: list[str] = field(default_factory=list)


class EdgeAdded(StepBody, frozen=True, kw_only=True):
    """The event's step depends on another, which only the run showed."""

    source: str
    target: str
    names: list[str]
    files: list[str]
    source_index: str | None = None
    target_index: str | None = None
    why: str = ""


class StepInvalidated(StepBody, frozen=True, kw_only=True):
    """The target used something old. All of ``voids`` begin anew, each in the given round."""

    target: KeyData
    because: str
    voids: list[tuple[str, str, Annotated[int, Meta(ge=1)]]]
    edge: EdgeAdded | None = None


class GroupFormed(Body, frozen=True, kw_only=True):
    """These steps share a kernel; groups that share a member are one."""

    id: str
    members: list[KeyData]


class StepExpanded(StepBody, frozen=True, kw_only=True):
    """A mapped step has this many instances."""

    items: Count


class TrialAsked(Body, frozen=True, kw_only=True):
    """A sweep asked for a trial, whose number is the event's index."""

    parameters: dict[str, Any]


class FailureData(Body, frozen=True, kw_only=True):
    """Why an attempt or a step failed."""

    kind: Literal[
        "user", "memory", "disk", "timeout", "infrastructure", "configuration", "cancelled"
    ] = field(name="class")
    ename: str | None = None
    evalue: str | None = None
    cell: int | None = None
    line: int | None = None
    summary: str | None = None
    remedy: str | None = None
    traceback: Any = None
    code: str | None = None
    steps: list[str] = field(default_factory=list)


class AttemptFailed(FailureData, frozen=True, kw_only=True):
    """An attempt ended without a result; ``began``: its first cell may have begun."""

    scope: ClassVar[Scope] = "attempt"

    began: bool = False


class StepFailed(FailureData, frozen=True, kw_only=True):
    """The step has failed; ``stale``: its result was made from a value that was too old."""

    scope: ClassVar[Scope] = "step"

    attempts: Count = 0
    stale: bool = False


class StepSkipped(StepBody, frozen=True, kw_only=True):
    """The step will not execute, because of another one."""

    reason: str
    because: str | None = None


class StepCancelled(StepBody, frozen=True, kw_only=True):
    """A stop kept the step from executing, or from going on."""

    reason: str
    because: str | None = None


class RunError(Struct, frozen=True, kw_only=True):
    """The first step that failed; the failure's own fields stand beside it."""

    step: str


class RunFinished(Body, frozen=True, kw_only=True):
    """Nothing is left to do."""

    status: Literal["succeeded", "failed"]
    error: RunError | None = None


class RunCancelled(Body, frozen=True, kw_only=True):
    """The run was stopped, and all of its attempts have ended."""

    reason: str = ""


BODIES: Mapping[str, type[Body]] = {
    body.__name__: body
    for body in (
        RunCreated,
        DriverStarted,
        RunResumed,
        StopRequested,
        StepReady,
        StepCached,
        AttemptStarted,
        CellStarted,
        CellFinished,
        CellOutput,
        MetricLogged,
        ResourceSampled,
        Warning,
        EdgeAdded,
        StepInvalidated,
        GroupFormed,
        StepExpanded,
        TrialAsked,
        AttemptFailed,
        StepSucceeded,
        StepFailed,
        StepSkipped,
        StepCancelled,
        RunFinished,
        RunCancelled,
    )
}
"""Every type of event, by name."""


def invalidated(event: Event) -> StepInvalidated:
    """Return the data of a ``StepInvalidated``."""
    return msgspec.convert(event.data, StepInvalidated)


def edge_ends(event: Event) -> tuple[Key, Key]:
    """Return source and target of an ``EdgeAdded``; older ones have the target's index only."""
    edge = msgspec.convert(event.data, EdgeAdded)
    return (
        (edge.source, event.index if edge.source_index is None else edge.source_index),
        (edge.target, event.index if edge.target_index is None else edge.target_index),
    )
