"""What each type of event holds: one struct for its ``data``, named as the type.

The JSON Schema (``kfnb/engine/events.schema.json``) and the types for the browser are made from
this file by ``python -m kfnb.engine.event_schema``. Unknown fields are ignored when an event is
read, and every field that a later version added has a default, so older journals stay readable.
An event is made with a struct of its type (:class:`kfnb.engine.core.events.Event`), and the reducer
reads the struct's attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType, field

from kfnb.engine.core.identity import Attempt, Key, Source
from kfnb.engine.core.settings import Settings
from kfnb.pipeline import Diagnostic

Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]
Inputs = Annotated[
    dict[str, Source | None],
    Meta(description="Name to the execution that the value comes from; null: the name is absent."),
]
Texts = tuple[str, ...]
KeyData = tuple[str, str]
"""[step, index]"""

FailureClass = Literal[
    "user", "memory", "disk", "timeout", "infrastructure", "configuration", "cancelled"
]
FAILURE_CLASSES = get_args(FailureClass)
Scope = Literal["run", "step", "attempt", "any"]


class Body(Struct, frozen=True, kw_only=True, gc=False):
    """The data of an event. ``scope`` says which parts of its identity the event must have."""

    scope: ClassVar[Scope] = "run"

    @property
    def type(self) -> str:
        """The name of the event's type."""
        return type(self).__name__


class StepBody(Body, frozen=True, kw_only=True):
    """The data of an event that belongs to a step."""

    scope: ClassVar[Scope] = "step"


class AttemptBody(Body, frozen=True, kw_only=True):
    """The data of an event that belongs to an attempt."""

    scope: ClassVar[Scope] = "attempt"


class ReportBody(AttemptBody, frozen=True, kw_only=True):
    """What an attempt reports while it executes; ``n`` numbers its reports from 1."""

    # Unset, and so left out of the JSON, for what the driver itself reports about an attempt.
    n: Count | UnsetType = UNSET


class RunCreated(Body, frozen=True, kw_only=True):
    """The run exists. ``options`` are those of the call, ``facts`` what its target notes."""

    settings: Settings
    id: str = ""
    name: str = ""
    notebook: str | None = None
    target: str = "local"
    kernel: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    created: float | None = None


class DriverStarted(Body, frozen=True, kw_only=True):
    """A driver has begun."""

    pid: int
    host: str = ""


class RunResumed(Body, frozen=True, kw_only=True):
    """A person resumed the run; ``settings`` has the fields that differ from now on."""

    settings: dict[str, Any] = field(default_factory=dict)
    request: str | UnsetType = UNSET


class StopRequested(Body, frozen=True, kw_only=True):
    """A person asked for the end of the run; ``request`` names the request in a remote store."""

    by: str = ""
    request: str | UnsetType = UNSET


class StepReady(StepBody, frozen=True, kw_only=True):
    """The step must execute, with these inputs; ``why`` no earlier result was used."""

    inputs: Inputs
    key: str | None = None
    why: str | None = None


class OutputData(Struct, frozen=True, kw_only=True, gc=False):
    """A published name: how its value looks, and where it is; it may be only ``in_kernel``."""

    bundle: str | None = None
    hash: str | None = None
    changed: bool = True
    absent: bool = False
    in_kernel: bool = False
    type: str | None = None
    shape: tuple[Any, ...] | None = None
    size: int | None = None
    repr: str | None = None


class StepSucceeded(AttemptBody, frozen=True, kw_only=True):
    """An attempt published its manifest; ``kernel_lives``: its kernel executes the next step."""

    outputs: dict[str, OutputData]
    manifest: str | None = None
    aliases: tuple[Texts, ...] = ()
    unexpected: dict[str, str] = field(default_factory=dict)
    files_written: dict[str, str | None] = field(default_factory=dict)
    files_read: dict[str, str | None] = field(default_factory=dict)
    files_looked: dict[str, bool] = field(default_factory=dict)
    duration: Seconds | None = None
    state: dict[str, Texts] = field(default_factory=dict)
    kernel_lives: bool = False


class StepCached(StepSucceeded, frozen=True, kw_only=True):
    """An earlier result was used. Metrics are [time, name, value, step of a training loop]."""

    # A cached result has the fields of an attempt's result, but no attempt belongs to it.
    scope: ClassVar[Scope] = "step"

    inputs: Inputs
    key: str | None = None
    why: str | None = None
    metrics: tuple[Annotated[tuple[Any, ...], Meta(min_length=3, max_length=4)], ...] = ()
    # `from` is a keyword of Python.
    source: str | None = field(name="from", default=None)


class AttemptStarted(AttemptBody, frozen=True, kw_only=True):
    """An attempt is about to begin, in its own kernel or in that of the attempt ``kernel``."""

    inputs: Inputs = field(default_factory=dict)
    kernel: Attempt | None = None


class KernelEnded(AttemptBody, frozen=True, kw_only=True):
    """The kernel of a group has ended; the event's attempt is the one that had started it."""

    reason: str = ""


class CellStarted(ReportBody, frozen=True, kw_only=True):
    """A cell executes: its index in the notebook, and its position among those of the step."""

    cell: int
    position: int = 0
    total: int | None = None


class CellFinished(ReportBody, frozen=True, kw_only=True):
    """A cell has ended."""

    cell: int
    duration: float = 0.0
    ok: bool = True


class CellOutput(ReportBody, frozen=True, kw_only=True):
    """A cell printed or displayed something; the text is in the attempt's log."""

    cell: int | None
    kind: Literal["stream", "result", "display", "error"]
    name: str | None = None
    offset: int | None = None
    length: int | None = None
    mime: Texts | None = None


class MetricLogged(ReportBody, frozen=True, kw_only=True):
    """A number was logged; ``step`` is that of a training loop, ``at`` when it was logged."""

    name: str
    value: int | float | str | bool | None
    step: int | float | str | None = None
    at: float | None = None


class ResourceSampled(ReportBody, frozen=True, kw_only=True):
    """What the attempt uses: CPU seconds so far, bytes of memory now."""

    cpu_seconds: float | None = None
    memory: int | float | None = None
    threads: int | None = None


class Warning(ReportBody, frozen=True, kw_only=True):  # noqa: A001 (the event's name)
    """A diagnostic of the run, a step or an attempt."""

    scope: ClassVar[Scope] = "any"

    message: str
    code: str | None = None
    remedy: str | None = None
    steps: Texts = ()


class EdgeAdded(StepBody, frozen=True, kw_only=True):
    """The event's step depends on another, which only a run showed; ``learned``: an earlier one."""

    source: str
    target: str
    names: Texts
    files: Texts
    source_index: str | None = None
    target_index: str | None = None
    why: str = ""
    learned: bool = False

    def ends(self, index: str) -> tuple[Key, Key]:
        """Return source and target; an edge of 0.1 has only the index of its event."""
        source = index if self.source_index is None else self.source_index
        target = index if self.target_index is None else self.target_index
        return (self.source, source), (self.target, target)


class StepInvalidated(StepBody, frozen=True, kw_only=True):
    """The target used something old, or its ``group`` needs a new kernel: ``voids`` begin anew."""

    target: KeyData
    because: str
    remedy: str = ""
    voids: tuple[tuple[str, str, Annotated[int, Meta(ge=1)]], ...]
    edge: EdgeAdded | None = None
    group: str = ""


class GroupFormed(Body, frozen=True, kw_only=True):
    """These steps share a kernel, for the reason ``why``; groups that share a member are one."""

    id: str
    members: tuple[KeyData, ...]
    why: str = ""


class StepExpanded(StepBody, frozen=True, kw_only=True):
    """A mapped step has this many instances."""

    items: Count


class TrialAsked(Body, frozen=True, kw_only=True):
    """A sweep asked for a trial, whose number is the event's index."""

    parameters: dict[str, Any]


class FailureData(Body, frozen=True, kw_only=True):
    """Why an attempt or a step failed."""

    # `class` is a keyword of Python; journals have had this name since version 0.1.
    kind: FailureClass = field(name="class")
    ename: str | None = None
    evalue: str | None = None
    cell: int | None = None
    line: int | None = None
    summary: str | None = None
    remedy: str | None = None
    traceback: Any = None
    code: str | None = None
    steps: Texts = ()
    executed: str | None = None
    log: str | None = None


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


class RunError(FailureData, frozen=True, kw_only=True):
    """The first step that failed, and why."""

    step: str = ""


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
        KernelEnded,
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


class Unknown(Body, frozen=True, kw_only=True):
    """The data of a type that a later version of kfnb added; nothing is known about it."""

    name: str
    fields: dict[str, Any]

    @property
    def type(self) -> str:
        """The name of the event's type."""
        return self.name


def warning(diagnostic: Diagnostic) -> Warning:
    """Return a diagnostic as the data of a warning."""
    return Warning(code=diagnostic.code, message=diagnostic.message, remedy=diagnostic.remedy)
