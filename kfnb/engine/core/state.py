"""The state of a run: what every view shows, and what decisions are based on.

Only :class:`~kfnb.engine.core.scheduler.Engine` changes it. It folds events in place, so that each
costs the same however long the run is, and two folds of the same events are equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kfnb.engine.core.event_types import (
    DriverStarted,
    FailureData,
    OutputData,
    ResourceSampled,
    RunCreated,
    RunError,
    StepCached,
    StepSucceeded,
)
from kfnb.engine.core.event_types import (
    Warning as WarningData,
)
from kfnb.engine.core.identity import Attempt, Key, Source
from kfnb.engine.core.settings import Settings

StepStatus = Literal["pending", "running", "succeeded", "cached", "failed", "skipped", "cancelled"]
RunStatus = Literal["pending", "running", "succeeded", "failed", "cancelled"]
DONE: frozenset[str] = frozenset({"succeeded", "cached"})
OPEN: frozenset[str] = frozenset({"pending", "running"})


@dataclass(slots=True)
class Metric:
    """One logged number: when (seconds since the epoch), what, and the step of a training loop."""

    time: float
    name: str
    value: Any
    step: Any = None


@dataclass(slots=True)
class StepState:
    """One step, or one instance of it.

    Attributes
    ----------
    round, again
        How often the step was begun anew because its result turned out to be wrong, and why the
        last time; empty in round 0.
    repairs
        How often it was begun anew because of a finding: a group that gets another kernel does
        not count.
    kernel
        The attempt that has started the kernel in which the last attempt executes; None if the
        step was cached.
    uncached
        Its group executes, so it executes too.
    status
        As shown. Between two attempts a step is ``pending`` and ``retry_at`` is set.
    attempts, active
        Attempts begun so far (numbers are never used twice), and the one that has not ended, or
        0; ``active_round`` is that attempt's. A step that has ended can still have an active
        attempt: one whose result is no longer needed.
    own_failures, infrastructure_failures
        Failed attempts since the run was created or last resumed, by the budget that pays.
    failure
        The record of the last failed attempt, or of the step's failure.
    ready, inputs
        The step may start, with these versions: name to producing step (None: absent).
    started, finished
        Of the last attempt, seconds since the epoch.
    begun
        Attempt to the number of the event that began it.
    reason, because
        Why a step was skipped or cancelled, and the step that this goes back to.
    result
        Data of ``StepSucceeded`` or ``StepCached``.
    stale
        An execution of this step, up to attempt ``floor``, used a value that was too old (or
        was the exit step of an earlier end of the run): what it published does not count.
    cells_done, cells_total, cell
        Progress of the last attempt; ``cell`` is the one that executes now.
    held
        What keeps the last attempt from executing, in a sentence; empty if nothing does.
    """

    name: str
    index: str = ""
    round: int = 0
    again: str = ""
    repairs: int = 0
    kernel: Attempt | None = None
    uncached: bool = False
    status: StepStatus = "pending"
    attempts: int = 0
    active: int = 0
    active_round: int = 0
    own_failures: int = 0
    infrastructure_failures: int = 0
    retry_at: float | None = None
    failure: FailureData | None = None
    permanent: bool = False
    ready: bool = False
    inputs: Mapping[str, Source | None] = field(default_factory=dict)
    key: str | None = None
    why: str | None = None
    reason: str | None = None
    because: str | None = None
    started: float | None = None
    begun: dict[int, int] = field(default_factory=dict)
    running_since: float | None = None
    finished: float | None = None
    result: StepSucceeded | StepCached | None = None
    stale: bool = False
    floor: int = 0
    cells_done: int = 0
    cells_total: int | None = None
    cell: int | None = None
    held: str = ""
    resources: ResourceSampled | None = None
    metrics: list[Metric] = field(default_factory=list)

    @property
    def outputs(self) -> Mapping[str, OutputData]:
        """Name to type, shape, size, repr … of what the step published; empty before."""
        return self.result.outputs if self.result else {}

    @property
    def duration(self) -> float | None:
        """Seconds of the attempt that counts; of a cached step, of the one that made the entry."""
        if self.result and self.result.duration is not None:
            return self.result.duration
        if self.started is None or self.finished is None:
            return None
        # The clock may have been set back meanwhile.
        return max(0.0, self.finished - self.started)

    @property
    def error(self) -> FailureData | None:
        """The failure record of a step that failed, or that is to be tried again."""
        return None if self.status in DONE else self.failure

    def reopen(self, *, stale: bool) -> None:
        """Make the step pending with fresh budgets; ``stale``: nothing published so far counts."""
        # An attempt that outlived its driver, or a stop, still counts unless its inputs were too
        # old.
        self.status = "running" if self.active > self.floor and not stale else "pending"
        self.own_failures = self.infrastructure_failures = 0
        self.retry_at = self.failure = self.reason = self.because = self.result = self.finished = (
            None
        )
        self.permanent = self.ready = False
        if stale:
            self.stale = True
            self.floor = self.attempts

    def void(self, round: int, because: str, *, group: bool = False) -> None:  # noqa: A002 (the word of events)
        """Take back all that earlier rounds added, and begin ``round``.

        An attempt that executes stays active until it has ended, but counts no more. ``group``:
        only its group begins anew, which gives nobody new retries.
        """
        budgets = self.own_failures, self.infrastructure_failures
        if self.result is not None:
            self.begun = {}
        # Otherwise nothing is known about what those attempts wrote, only when they began.
        self.reopen(stale=True)
        if group:
            self.own_failures, self.infrastructure_failures = budgets
        else:
            self.repairs += 1
        # Results of earlier rounds are recognised by their round from here on.
        self.stale = False
        self.round = round
        self.again = because
        self.started = self.running_since = self.resources = self.cells_total = self.cell = None
        self.cells_done = 0
        self.held = ""
        self.metrics = []


HELD_UP = "KFNB-W710"
"""The code of the warning that says what keeps an attempt from executing."""


@dataclass(slots=True)
class RuntimeEdge:
    """A dependency that only the run showed, from one step or instance to another."""

    source: str
    target: str
    source_index: str = ""
    target_index: str = ""
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class RunWarning:
    """A warning of the run (``step`` is None), of a step or of one of its instances."""

    step: str | None
    index: str
    data: WarningData


@dataclass(slots=True)
class RunState:
    """A run. ``info`` is the data of ``RunCreated``; times are seconds since the epoch.

    Attributes
    ----------
    stops
        How often a stop was asked for since the run was created or last resumed.
    stop_exit
        The exit step is to end as well: a stop came while it executed, or a second one.
    edges
        Dependencies that only the run showed, by source and target.
    groups
        Steps that share a kernel, by the group's id.
    group_reasons
        Why they do, by the group's id.
    kernels
        Kernels that wait for the next step of a group, or execute it, as far as is known: each by
        the attempt that has started it.
    steps
        The steps of the plan, and the instances that it has grown by.
    items
        Number of instances of each mapped step whose head has been evaluated.
    trials
        Parameters of each trial that was asked for, by its index.
    paused
        Seconds without a driver: from an end, or the loss of a driver, until the next one began.
    error
        What ``RunFinished`` says went wrong.
    """

    run: str = ""
    status: RunStatus = "pending"
    seq: int = 0
    info: RunCreated = field(default_factory=lambda: RunCreated(settings=Settings()))
    settings: Settings = field(default_factory=Settings)
    steps: dict[Key, StepState] = field(default_factory=dict)
    exit: Key | None = None
    created: float | None = None
    started: float | None = None
    finished: float | None = None
    updated: float | None = None
    paused: float = 0.0
    driver: DriverStarted | None = None
    stops: int = 0
    stop_exit: bool = False
    edges: dict[tuple[Key, Key], RuntimeEdge] = field(default_factory=dict)
    groups: dict[str, tuple[Key, ...]] = field(default_factory=dict)
    group_reasons: dict[str, str] = field(default_factory=dict)
    kernels: set[Attempt] = field(default_factory=set)
    items: dict[str, int] = field(default_factory=dict)
    trials: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    warnings: list[RunWarning] = field(default_factory=list)
    error: RunError | None = None

    @classmethod
    def of(cls, keys: Iterable[Key], exit: Key | None = None) -> RunState:  # noqa: A002
        """Give the state before the first event."""
        return cls(steps={key: StepState(*key) for key in keys}, exit=exit)

    def instances(self, step: str) -> dict[str, StepState]:
        """Return the instances of a mapped step by index; empty for a plain step."""
        numbers = (str(number) for number in range(self.items.get(step, 0)))
        return {index: self.steps[step, index] for index in numbers}

    @property
    def ended(self) -> bool:
        """Whether the run has ended; only a resume starts it again."""
        return self.status not in ("pending", "running")

    @property
    def counts(self) -> Counter[str]:
        """How many steps have each status; the instances of a step are parts of it."""
        return Counter(step.status for step in self.steps.values() if not step.index)

    @property
    def metrics(self) -> dict[str, Any]:
        """Last value of each metric."""
        return {m.name: m.value for m in self._metrics()}

    def metric_history(self, name: str) -> list[tuple[float, Any, Any]]:
        """Give (time, step of the training loop, value) of a metric, oldest first.

        Attempts that were repeated are left out: the journal has them.
        """
        return [(m.time, m.step, m.value) for m in self._metrics() if m.name == name]

    def _metrics(self) -> Iterator[Metric]:
        logged = [m for step in self.steps.values() for m in step.metrics]
        # Steps execute side by side, so the metrics of the steps interleave in time.
        yield from sorted(logged, key=lambda metric: metric.time)
