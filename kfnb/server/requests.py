"""What pages may ask the server for, and what it answers: checked as these types say.

The OpenAPI document is made from the same types, so the two cannot differ.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

import msgspec
from msgspec import Meta

from kfnb.live import protocol
from kfnb.live.protocol import CompareMessage, LogMessage, NotebookMessage, OutputsMessage
from kfnb.server.operations import RUN_ID

__all__ = ["CompareMessage", "LogMessage", "NotebookMessage", "OutputsMessage", "kind_of"]

Anything = dict[str, Any]

Status = Literal["pending", "running", "succeeded", "failed", "cancelled", "unreadable"]

FilePath = Annotated[
    str, Meta(min_length=1, max_length=1000, description="A path of the contents manager.")
]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256 of the file.")]
RunName = Annotated[str, Meta(min_length=1, max_length=300)]
StepName = Annotated[str, Meta(min_length=1, max_length=1000)]
RunId = Annotated[str, Meta(pattern=RUN_ID)]
Duration = Annotated[
    str, Meta(pattern=r"^[0-9]{1,6}(\.[0-9]{1,3})?(s|m|h|d)$", description="As 90s, 30m or 2h.")
]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A request's body; a misspelt name is an error."""


class NewRun(Body, frozen=True):
    """A run to start; ``sha256`` is that of the notebook that the page shows."""

    path: FilePath
    sha256: Sha256 | None = None
    parameters: dict[str, Any] = {}
    target: Annotated[str, Meta(min_length=1, max_length=100)] = "local"
    target_options: dict[str, Any] = {}
    name: RunName | None = None
    from_step: StepName | None = msgspec.field(name="from", default=None)
    only_step: StepName | None = msgspec.field(name="only", default=None)
    cache: bool = True
    parallel: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    retries: Annotated[int, Meta(ge=0, le=1000)] | None = None
    timeout: Duration | None = None
    on_failure: Literal["finish", "stop"] = "finish"
    on_mutation: Literal["fail", "warn"] = "fail"


class CheckRequest(Body, frozen=True):
    """A notebook to read."""

    path: FilePath
    target: Annotated[str, Meta(min_length=1, max_length=100)] = "local"


class ExamineRequest(Body, frozen=True):
    """A workspace to look at, by the options of its target."""

    target_options: dict[str, Any] = {}


class SuggestRequest(Body, frozen=True):
    """A notebook to suggest steps for."""

    path: FilePath


class RunChange(Body, frozen=True):
    """What of a run can be changed."""

    name: RunName


class RunsQuery(msgspec.Struct, frozen=True):
    """Which runs to list."""

    notebook: FilePath | None = None
    status: Status | None = None
    cursor: RunId | None = None
    limit: Annotated[int, Meta(ge=1, le=50)] = 50


class StepQuery(msgspec.Struct, frozen=True):
    """Which instance and attempt of a step; by default a plain step's newest attempt."""

    index: Annotated[str, Meta(max_length=100)] = ""
    attempt: Annotated[int, Meta(ge=0, le=100_000)] | None = None


class LogQuery(StepQuery, frozen=True):
    """Which piece of a log; ``begin`` is the offset of its first byte."""

    begin: Annotated[int, Meta(ge=0, le=2**53)] = 0


class CompareQuery(msgspec.Struct, frozen=True):
    """The ids of two to fifty runs, with commas between them."""

    runs: Annotated[str, Meta(pattern=f"^{RUN_ID[1:-1]}(,{RUN_ID[1:-1]}){{1,49}}$")]


class LimitValues(TypedDict):
    """The limits that a page should know."""

    notebook_bytes: int
    message_bytes: int
    channels: int


class ServerStatus(TypedDict):
    """What this server is."""

    version: str
    protocol: int
    reads_files: bool
    """False if the notebooks are no files on the server's disk, so that it cannot run them."""
    limits: LimitValues


class TargetOption(TypedDict):
    """An option of a target."""

    name: str
    help: str
    kind: Literal["text", "list", "table", "number"]
    choices: list[str]


class TargetInfo(TypedDict):
    """Where runs can execute."""

    name: str
    title: str
    remote: bool
    options: list[TargetOption]


class Targets(TypedDict):
    """All targets."""

    targets: list[TargetInfo]


class WorkspaceInfo(TypedDict):
    """A Kubernetes context with its namespace."""

    context: str
    namespace: str
    current: bool


class Workspaces(TypedDict):
    """The workspaces of a target."""

    workspaces: list[WorkspaceInfo]


class TargetFinding(TypedDict):
    """The result of one check of a workspace, with the commands that repair it."""

    check: str
    status: Literal["ok", "missing", "warning", "unknown", "optional", "fixed"]
    sentence: str
    commands: list[str]


class Examined(TypedDict):
    """What ``kfnb doctor`` prints about a workspace."""

    findings: list[TargetFinding]


class SuggestedStep(TypedDict):
    """A step that is suggested; ``cells`` are ids."""

    name: str
    cells: list[str]
    reason: str


class SuggestedBoundary(TypedDict):
    """The gap above a cell: the values that would flow there, and why no step may begin there."""

    cell: str
    names: list[str]
    why_not: str


class Suggestion(TypedDict):
    """Steps that are suggested for a notebook; all cells are named by their ids."""

    steps: list[SuggestedStep]
    setup: list[str]
    parameters: list[str]
    boundaries: list[SuggestedBoundary]


class RunPage(TypedDict):
    """A page of runs; ``cursor`` asks for the next one, and is null on the last."""

    runs: list[protocol.ListedRun]
    cursor: str | None


class RunStatus(TypedDict):
    """What ``kfnb status RUN --json`` prints; ``notebook`` is its path on this server."""

    id: str
    name: str
    notebook: str | None
    target: str
    status: Literal["pending", "running", "succeeded", "failed", "cancelled"]
    driver: str
    created: float
    duration: float | None
    parameters: dict[str, Any]
    steps: dict[str, dict[str, Any]]
    metrics: dict[str, Any]


class ForecastStep(TypedDict):
    """What a run would do with a step, and why.

    ``execute`` is an upper bound, because a step whose inputs turn out to be the same comes from
    the cache. ``unknown`` if the results of earlier runs are on another machine.
    """

    name: str
    action: Literal["execute", "cached", "unknown"]
    why: str


class RunForecast(TypedDict):
    """What a run would do; ``summary`` is like "3 steps run, 4 from the cache"."""

    summary: str
    steps: list[ForecastStep]


class Checked(TypedDict):
    """A notebook as it was read; ``ok`` if it has no errors."""

    path: str
    sha256: str
    ok: bool
    graph: protocol.Graph


class Problem(TypedDict, total=False):
    """An error as RFC 9457 has it."""

    title: str
    status: int
    detail: str
    findings: list[protocol.Diagnostic]
    sha256: str


def kind_of(name: str) -> Any:
    """Return a type of this module by its name."""
    return globals()[name]
