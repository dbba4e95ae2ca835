"""The operations of the server: which request calls what, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BASE = "/kfnb/v1"
RUN_ID = "^[0-9]{8}-[0-9]{6}-[a-z0-9-]{1,40}-[0-9a-f]{4}$"
Process = Literal["server", "check", "follow"]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A request that the server answers.

    Parameters
    ----------
    method, path
        The path has its parameters in braces.
    call
        The function that answers it, in the process that ``process`` names.
    action
        What a user needs the right to do: ``read``, ``write`` or ``execute``.
    query, body, answer
        Types of :mod:`kfnb.server.requests`, by name, so that the server starts without that
        module; None for an empty body or answer.
    status
        The status of a success.
    errors
        Statuses of the problems that this operation may answer besides those of all operations.
    """

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    call: str
    summary: str
    answer: str | None
    process: Process = "follow"
    action: Literal["read", "write", "execute"] = "read"
    query: str | None = None
    body: str | None = None
    status: int = 200
    errors: tuple[int, ...] = ()
    idempotent_by_key: bool = False


_RUN = "/runs/{run}"
_STEP = "/runs/{run}/steps/{step}"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/status",
        call="server_status",
        process="server",
        summary="What this server is, and its limits",
        answer="ServerStatus",
    ),
    Operation(
        method="GET",
        path="/schemas/{schema}",
        call="schema",
        process="server",
        summary="A JSON schema: of a cell's metadata, a notebook's metadata, or a run's events",
        answer="Anything",
        errors=(404,),
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        call="openapi",
        process="server",
        summary="This document",
        answer="Anything",
    ),
    Operation(
        method="GET",
        path="/targets",
        call="targets",
        summary="Where runs can execute, with the options of each target",
        answer="Targets",
    ),
    Operation(
        method="GET",
        path="/targets/{target}/workspaces",
        call="workspaces",
        summary="The contexts and namespaces of a target; no cluster is asked",
        answer="Workspaces",
        errors=(404, 409),
    ),
    Operation(
        method="POST",
        path="/targets/{target}/examine",
        call="examine",
        action="execute",
        summary="What you may do in a workspace, and what runs miss there; a pod may try the image",
        body="ExamineRequest",
        answer="Examined",
        errors=(404, 409),
    ),
    Operation(
        method="POST",
        path="/check",
        call="check",
        process="check",
        summary="Read a notebook: its graph, and what is wrong with it",
        body="CheckRequest",
        answer="Checked",
        errors=(404, 409, 413, 422, 501),
    ),
    Operation(
        method="POST",
        path="/suggest",
        call="suggest",
        process="check",
        summary="Suggest steps for a notebook without tags; nothing is written",
        body="SuggestRequest",
        answer="Suggestion",
        errors=(404, 409, 413, 422, 501),
    ),
    Operation(
        method="GET",
        path="/runs",
        call="runs",
        summary="The runs of this machine, newest first",
        query="RunsQuery",
        answer="RunPage",
        errors=(404, 501),
    ),
    Operation(
        method="POST",
        path="/runs",
        call="create",
        process="check",
        action="execute",
        summary="Start a run",
        body="NewRun",
        answer="RunStatus",
        status=201,
        errors=(404, 409, 413, 422, 501),
        idempotent_by_key=True,
    ),
    Operation(
        method="POST",
        path="/runs/plan",
        call="plan",
        process="check",
        summary="Which steps of a run would execute, and which come from the cache",
        body="NewRun",
        answer="RunForecast",
        errors=(404, 409, 413, 422, 501),
    ),
    Operation(
        method="GET",
        path=_RUN,
        call="run",
        summary="A run: its status, steps and metrics",
        answer="RunStatus",
        errors=(404,),
    ),
    Operation(
        method="PATCH",
        path=_RUN,
        call="rename",
        action="write",
        summary="Give a run another name",
        body="RunChange",
        answer="RunStatus",
        errors=(404, 409),
    ),
    Operation(
        method="DELETE",
        path=_RUN,
        call="remove",
        action="write",
        summary="Delete a run that has ended",
        answer=None,
        status=204,
        errors=(404, 409),
    ),
    Operation(
        method="POST",
        path=f"{_RUN}/stop",
        call="stop",
        action="execute",
        summary="Stop a run; finished steps keep their results",
        answer="RunStatus",
        status=202,
        errors=(404, 409),
    ),
    Operation(
        method="POST",
        path=f"{_RUN}/resume",
        call="resume",
        action="execute",
        summary="Continue a run with the code that it was started with",
        answer="RunStatus",
        status=202,
        errors=(404, 409),
    ),
    Operation(
        method="GET",
        path=f"{_STEP}/log",
        call="log",
        summary="A piece of a step's log",
        query="LogQuery",
        answer="LogMessage",
        errors=(404,),
    ),
    Operation(
        method="GET",
        path=f"{_STEP}/outputs",
        call="outputs",
        summary="The outputs of a step's cells",
        query="StepQuery",
        answer="OutputsMessage",
        errors=(404, 409),
    ),
    Operation(
        method="GET",
        path=f"{_STEP}/notebook",
        call="notebook",
        summary="The executed notebook of a step",
        query="StepQuery",
        answer="NotebookMessage",
        errors=(404, 409),
    ),
    Operation(
        method="GET",
        path="/compare",
        call="compare",
        summary="A comparison of runs, with the code that differs",
        query="CompareQuery",
        answer="CompareMessage",
        errors=(404,),
    ),
)
