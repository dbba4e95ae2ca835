"""The operations of the server: which request calls what, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from kfnb.live import protocol
from kfnb.server import requests

BASE = "/kfnb/v1"
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
    query, body
        The types of the query's parameters and of the body.
    answer
        The type of the answer; None for an empty one.
    status
        The status of a success.
    errors
        Statuses of the problems that this operation may answer besides those of all operations.
    """

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    call: str
    summary: str
    answer: Any
    process: Process = "follow"
    action: Literal["read", "write", "execute"] = "read"
    query: type[Any] | None = None
    body: type[Any] | None = None
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
        answer=requests.ServerStatus,
    ),
    Operation(
        method="GET",
        path="/schemas/{schema}",
        call="schema",
        process="server",
        summary="A JSON schema: of a cell's metadata, a notebook's metadata, or a run's events",
        answer=dict[str, Any],
        errors=(404,),
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        call="openapi",
        process="server",
        summary="This document",
        answer=dict[str, Any],
    ),
    Operation(
        method="GET",
        path="/targets",
        call="targets",
        summary="Where runs can execute, with the options of each target",
        answer=requests.Targets,
    ),
    Operation(
        method="GET",
        path="/targets/{target}/workspaces",
        call="workspaces",
        summary="The contexts and namespaces of a target; no cluster is asked",
        answer=requests.Workspaces,
        errors=(404, 409),
    ),
    Operation(
        method="POST",
        path="/check",
        call="check",
        process="check",
        summary="Read a notebook: its graph, and what is wrong with it",
        body=requests.CheckRequest,
        answer=requests.Checked,
        errors=(404, 409, 413, 422, 501),
    ),
    Operation(
        method="GET",
        path="/runs",
        call="runs",
        summary="The runs of this machine, newest first",
        query=requests.RunsQuery,
        answer=requests.RunPage,
        errors=(404, 501),
    ),
    Operation(
        method="POST",
        path="/runs",
        call="create",
        process="check",
        action="execute",
        summary="Start a run",
        body=requests.NewRun,
        answer=requests.RunStatus,
        status=201,
        errors=(404, 409, 413, 422, 501),
        idempotent_by_key=True,
    ),
    Operation(
        method="GET",
        path=_RUN,
        call="run",
        summary="A run: its status, steps and metrics",
        answer=requests.RunStatus,
        errors=(404,),
    ),
    Operation(
        method="PATCH",
        path=_RUN,
        call="rename",
        action="write",
        summary="Give a run another name",
        body=requests.RunChange,
        answer=requests.RunStatus,
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
        answer=requests.RunStatus,
        status=202,
        errors=(404, 409),
    ),
    Operation(
        method="POST",
        path=f"{_RUN}/resume",
        call="resume",
        action="execute",
        summary="Continue a run with the code that it was started with",
        answer=requests.RunStatus,
        status=202,
        errors=(404, 409),
    ),
    Operation(
        method="GET",
        path=f"{_STEP}/log",
        call="log",
        summary="A piece of a step's log",
        query=requests.LogQuery,
        answer=protocol.LogMessage,
        errors=(404,),
    ),
    Operation(
        method="GET",
        path=f"{_STEP}/outputs",
        call="outputs",
        summary="The outputs of a step's cells",
        query=requests.StepQuery,
        answer=protocol.OutputsMessage,
        errors=(404, 409),
    ),
    Operation(
        method="GET",
        path=f"{_STEP}/notebook",
        call="notebook",
        summary="The executed notebook of a step",
        query=requests.StepQuery,
        answer=protocol.NotebookMessage,
        errors=(404, 409),
    ),
    Operation(
        method="GET",
        path="/compare",
        call="compare",
        summary="A comparison of runs, with the code that differs",
        query=requests.CompareQuery,
        answer=protocol.CompareMessage,
        errors=(404,),
    ),
)
