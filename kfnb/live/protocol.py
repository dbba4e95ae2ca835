"""What the kernel and the page say to each other: traits and messages of a view.

``labextension/src/protocol.ts`` says the same to the page; a test holds the two together.
Everything is JSON. Steps are ``n0``, ``n1`` … and edges ``e0``, ``e1`` …, as in the DOT; times
are seconds since the epoch; numbers that JSON has no form for are text (``"nan"``).
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict, get_args

Json = Any
Tab = Literal["dag", "table", "metrics", "logs", "outputs", "compare"]
TABS: tuple[Tab, ...] = get_args(Tab)

Point = tuple[float, "int | None", "float | str | None"]
"""Time, step of a training loop, value."""


class GraphNode(TypedDict):
    """A step as it was read."""

    id: str
    name: str
    cells: list[int]
    after: list[str]
    options: dict[str, Json]
    inputs: dict[str, str]
    outputs: list[str]
    parameters: list[str]
    on_exit: bool


class GraphEdge(TypedDict):
    """A dependency; ``found``: only the run showed it."""

    id: str
    source: str
    target: str
    names: list[str]
    files: list[str]
    explicit: bool
    found: bool
    why: str


class Diagnostic(TypedDict):
    """A finding, as :class:`kfnb.Diagnostic`."""

    code: str
    severity: Literal["error", "warning"]
    message: str
    remedy: str
    step: str | None
    cell: int | None
    line: int | None


class Graph(TypedDict):
    """The trait ``graph``."""

    name: str
    notebook: str | None
    dot: str
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    diagnostics: list[Diagnostic]


class RunInfo(TypedDict):
    """The trait ``run``; None where a pipeline is shown that was not run."""

    id: str
    title: str
    """What a person called the run; empty where nobody did."""
    notebook: str | None
    target: str
    parameters: dict[str, Json]
    created: float


StepError = TypedDict(
    "StepError",
    {
        "ename": "str | None",
        "evalue": "str | None",
        "cell": "int | None",
        "line": "int | None",
        "summary": str,
        "remedy": "str | None",
        "class": "str | None",
    },
)
"""Why a step failed, or is to be tried again."""


class StepOutput(TypedDict):
    """A value that a step published, described."""

    name: str
    type: str | None
    shape: Json
    size: int | None
    repr: str | None


class StepState(TypedDict):
    """A step of a run as it is now."""

    status: str
    attempts: int
    why: str | None
    reason: str | None
    cells_done: int
    cells_total: int | None
    cell: int | None
    started: float | None
    finished: float | None
    duration: float | None
    retry_at: float | None
    error: StepError | None
    outputs: list[StepOutput]
    notebook: str | None
    resources: dict[str, Json] | None


class Series(TypedDict):
    """A metric of one step of one run; ``step`` is the step's name."""

    run: str
    title: str
    step: str
    name: str
    points: list[Point]


class State(TypedDict):
    """The trait ``state``: a snapshot, for pages that come later. Metrics have their messages."""

    seq: int
    at: float
    status: str
    driver: str
    error: str | None
    paused: float
    """Seconds in which nobody drove the run: between an end and a resume."""
    steps: dict[str, StepState]
    metrics: list[Series]
    warnings: list[Json]


class Ui(TypedDict):
    """The trait ``ui``: what the reader chose."""

    tab: Tab
    only: bool
    selected: str | None
    compare: list[str]
    height: int | None
    ansi: bool


# kernel → page


class EngineMessage(TypedDict):
    """The engine's bundle comes as the message's one buffer."""

    kind: Literal["engine"]
    hash: str


class _StateMessage(TypedDict):
    kind: Literal["state"]
    seq: int
    at: float
    status: str
    driver: str
    error: str | None
    paused: float
    steps: dict[str, StepState]


class StateMessage(_StateMessage, total=False):
    """What changed; ``edges`` and ``dot`` where the run showed a dependency."""

    edges: list[GraphEdge]
    dot: str
    warnings: list[Json]


class _MetricsMessage(TypedDict):
    kind: Literal["metrics"]
    points: list[Series]


class MetricsMessage(_MetricsMessage, total=False):
    """New points; with ``reset`` all that there are."""

    reset: bool


LogMessage = TypedDict(
    "LogMessage",
    {
        "kind": 'Literal["log"]',
        "step": str,
        "attempt": int,
        "from": int,
        "to": int,
        "total": int,
        "text": str,
        "reset": bool,
        "attempts": "list[int]",
    },
)
"""A piece of a log: ``from``, ``to`` and ``total`` count bytes of the file."""


class CellOutputs(TypedDict):
    """A cell of an executed notebook: outputs as in the notebook's format."""

    cell: int
    source: str
    outputs: list[dict[str, Json]]


class OutputsMessage(TypedDict):
    """What the cells of a step put out."""

    kind: Literal["outputs"]
    step: str
    attempt: int
    cells: list[CellOutputs]


class NotebookMessage(TypedDict):
    """The executed notebook of a step, for a page that cannot open it where it lies."""

    kind: Literal["notebook"]
    step: str
    attempt: int
    name: str
    text: str


class ComparedStep(TypedDict):
    """A step of a run that is compared."""

    status: str
    duration: float | None


class ComparedRun(TypedDict):
    """A run beside others."""

    id: str
    title: str
    status: str
    created: float
    duration: float | None
    parameters: dict[str, Json]
    metrics: dict[str, Json]
    steps: dict[str, ComparedStep]


class CompareMessage(TypedDict):
    """Runs side by side."""

    kind: Literal["compare"]
    runs: list[ComparedRun]


class SaidMessage(TypedDict):
    """The answer to a command."""

    kind: Literal["said"]
    text: str
    level: Literal["info", "warning", "error"]


FromKernel = (
    EngineMessage
    | StateMessage
    | MetricsMessage
    | LogMessage
    | OutputsMessage
    | NotebookMessage
    | CompareMessage
    | SaidMessage
)

# page → kernel


class Hello(TypedDict):
    """A page shows the view; ``have``: it has the engine."""

    kind: Literal["hello"]
    have: bool


FollowLog = TypedDict(
    "FollowLog",
    {"kind": 'Literal["follow-log"]', "step": str, "attempt": "int | None", "from": int},
)
"""Send what a step printed, and go on; without ``attempt`` always the last one's."""


class UnfollowLog(TypedDict):
    """Send no more of what a step prints."""

    kind: Literal["unfollow-log"]
    step: str


class AskOutputs(TypedDict):
    """Send what the cells of a step put out."""

    kind: Literal["outputs"]
    step: str
    attempt: int | None


class AskNotebook(TypedDict):
    """Send the executed notebook of a step."""

    kind: Literal["notebook"]
    step: str
    attempt: int | None


class AskMetrics(TypedDict):
    """Send all points again."""

    kind: Literal["metrics"]


class AskCompare(TypedDict):
    """Send runs side by side."""

    kind: Literal["compare"]
    runs: list[str]


class Command(TypedDict):
    """Stop or resume the run."""

    kind: Literal["command"]
    name: Literal["stop", "resume"]


class Select(TypedDict):
    """The reader chose a step."""

    kind: Literal["select"]
    id: str | None


ToKernel = (
    Hello
    | FollowLog
    | UnfollowLog
    | AskOutputs
    | AskNotebook
    | AskMetrics
    | AskCompare
    | Command
    | Select
)
