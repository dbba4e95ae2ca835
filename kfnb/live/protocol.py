"""The protocol from kernel to page: the traits of a view and the messages that it is sent.

:mod:`kfnb.live.request_types` has the other direction. ``labextension/src/protocol.ts`` declares
both for the page, and a test compares them.
Everything is JSON. A step is identified by its name and an edge by the names of its steps, so that
a view survives an inserted step; only the DOT numbers them (``n0`` is the first node). In a run, a
step also has an ``index`` (empty unless it is one instance of a step) and a ``round`` (how often it
was begun anew). Times are seconds since the epoch. Numbers without a JSON form are text
(``"nan"``).
"""

from __future__ import annotations

import json
from typing import Literal, TypedDict, get_args

from kfnb.live.graph_types import (
    Diagnostic,
    Graph,
    GraphEdge,
    GraphNode,
    GraphParameter,
    Json,
    Location,
    Volume,
)

__all__ = ["Diagnostic", "Graph", "GraphEdge", "GraphNode", "GraphParameter", "Location", "Volume"]

Tab = Literal["dag", "table", "metrics", "logs", "outputs", "runs", "compare"]
TABS: tuple[Tab, ...] = get_args(Tab)


def step_id(step: str, index: str = "") -> str:
    """Return the id of a step, or of one of its instances.

    >>> step_id("fit"), step_id("fit", "3")
    ('fit', '["fit", "3"]')
    """
    return json.dumps([step, index]) if index else step


Point = tuple[float, "int | None", "float | str | None"]
"""Time, step of a training loop (or None), value."""


class RunInfo(TypedDict):
    """The trait ``run``; None if the view shows a pipeline without a run."""

    id: str
    title: str
    """The name that a person gave the run; empty if nobody did."""
    notebook: str | None
    target: str
    parameters: dict[str, Json]
    created: float


# The functional form, because `class` is a keyword of Python.
StepError = TypedDict(
    "StepError",
    {
        "ename": "str | None",
        "evalue": "str | None",
        "location": "Location | None",
        "summary": str,
        "remedy": "str | None",
        "class": "str | None",
    },
)
"""Why a step failed or is retried."""


class StepOutput(TypedDict):
    """A value that a step published, described."""

    name: str
    type: str | None
    shape: Json
    size: int | None
    repr: str | None


class StepState(TypedDict):
    """The state of a step in a run, or of one of its instances.

    ``location`` is the cell that executes now.
    """

    step: str
    index: str
    round: int
    again: str
    """Why the step was begun anew; empty in its first round."""
    status: str
    attempts: int
    why: str | None
    reason: str | None
    cells_done: int
    cells_total: int | None
    location: Location | None
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
    index: str
    name: str
    points: list[Point]


class State(TypedDict):
    """The trait ``state``: a snapshot for pages that are opened later, without metrics."""

    seq: int
    at: float
    status: str
    driver: str
    error: str | None
    paused: float
    """Seconds between an end and a resume, in which the run had no driver."""
    finished: float | None
    steps: dict[str, StepState]
    """By the id of the step's node, or of an instance; see :func:`step_id`."""
    metrics: list[Series]
    warnings: list[Json]


class Ui(TypedDict):
    """The trait ``ui``: what the user chose in the view."""

    tab: Tab
    only: bool
    selected: str | None
    compare: list[str]
    height: int | None
    ansi: bool


# kernel → page


class ScriptMessage(TypedDict):
    """A script of the views, as the message's only buffer."""

    kind: Literal["engine", "layout-script"]
    hash: str


class _StateMessage(TypedDict):
    kind: Literal["state"]
    seq: int
    at: float
    status: str
    driver: str
    error: str | None
    paused: float
    finished: float | None
    steps: dict[str, StepState]


class StateMessage(_StateMessage, total=False):
    """Changes of a run; with ``edges`` and ``dot`` if the run added a dependency."""

    edges: list[GraphEdge]
    dot: str
    warnings: list[Json]


class _MetricsMessage(TypedDict):
    kind: Literal["metrics"]
    points: list[Series]


class MetricsMessage(_MetricsMessage, total=False):
    """New points; with ``reset`` all points."""

    reset: bool


# The functional form, because `from` is a keyword of Python.
LogMessage = TypedDict(
    "LogMessage",
    {
        "kind": 'Literal["log"]',
        "step": str,
        "index": str,
        "attempt": int,
        "from": int,
        "to": int,
        "total": int,
        "text": str,
        "reset": bool,
        "attempts": "list[int]",
    },
)
"""A chunk of a log; ``from``, ``to`` and ``total`` count bytes of the file."""


class CellOutputs(TypedDict):
    """A cell of an executed notebook: outputs as in the notebook's format."""

    location: Location
    source: str
    outputs: list[dict[str, Json]]


class OutputsMessage(TypedDict):
    """The outputs of a step's cells."""

    kind: Literal["outputs"]
    step: str
    index: str
    attempt: int
    cells: list[CellOutputs]


class NotebookMessage(TypedDict):
    """The executed notebook of a step, for pages that cannot open it on disk."""

    kind: Literal["notebook"]
    step: str
    index: str
    attempt: int
    name: str
    text: str


class ComparedStep(TypedDict):
    """A step in a comparison of runs."""

    status: str
    duration: float | None


class ComparedRun(TypedDict):
    """A run in a comparison of runs."""

    id: str
    title: str
    status: str
    created: float
    duration: float | None
    parameters: dict[str, Json]
    metrics: dict[str, Json]
    steps: dict[str, ComparedStep]


class CodeLine(TypedDict):
    """A line of code of two runs beside each other; ``gap`` stands for equal lines left out."""

    left: str | None
    right: str | None
    kind: Literal["equal", "changed", "gap"]


class CodeDifference(TypedDict):
    """How the code of a step differs; ``step`` is empty for code that belongs to no step."""

    step: str
    lines: list[CodeLine]


class CompareMessage(TypedDict):
    """The comparison of runs; ``code`` compares the first two."""

    kind: Literal["compare"]
    runs: list[ComparedRun]
    code: list[CodeDifference]


class ListedRun(TypedDict):
    """A run in the list of those that can be chosen."""

    id: str
    title: str
    notebook: str | None
    status: str
    created: float
    duration: float | None
    parameters: dict[str, Json]
    metrics: dict[str, Json]


class RunsMessage(TypedDict):
    """The newest runs; ``more`` counts older ones that are not listed."""

    kind: Literal["runs"]
    runs: list[ListedRun]
    more: int


Sample = list[float | None]
"""Time, CPU seconds so far, bytes of memory."""


class ResourcesMessage(TypedDict):
    """What an attempt of a step used over time, and the requests that would have been enough."""

    kind: Literal["resources"]
    step: str
    index: str
    attempt: int
    samples: list[Sample]
    cpu: str | None
    memory: str | None


class NoticeMessage(TypedDict):
    """A sentence for the user: the result of a command, or why a request failed."""

    kind: Literal["notice"]
    text: str
    level: Literal["info", "warning", "error"]


FromKernel = (
    ScriptMessage
    | StateMessage
    | MetricsMessage
    | LogMessage
    | OutputsMessage
    | NotebookMessage
    | CompareMessage
    | RunsMessage
    | ResourcesMessage
    | NoticeMessage
)
