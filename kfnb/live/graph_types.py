"""The pipeline of a view: its steps, what flows between them, and what is wrong with it."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

Json = Any


class Location(TypedDict):
    """A cell of the notebook, or a line of it, as a person sees it.

    ``cell`` is the index in the notebook, for programs only: it counts markdown cells, from 0.
    ``text`` is the line, or the cell's first one where ``line`` (from 1) is None.
    """

    cell: int
    id: str
    execution_count: int | None
    line: int | None
    text: str


class GraphNode(TypedDict):
    """A step as it was read."""

    id: str
    name: str
    cells: list[Location]
    after: list[str]
    options: dict[str, Json]
    inputs: dict[str, str]
    outputs: list[str]
    parameters: list[str]
    on_exit: bool


class GraphEdge(TypedDict):
    """A dependency; ``found`` if it was not in the notebook but added by the run."""

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
    severity: Literal["error", "warning", "hint"]
    message: str
    remedy: str
    step: str | None
    location: Location | None


class Volume(TypedDict):
    """A claim or an empty folder that every step has."""

    name: str
    mount: str
    claim: str | None
    size: str | None


class GraphParameter(TypedDict):
    """A parameter of the pipeline: its type as it is annotated, or that of its default."""

    name: str
    type: str
    default: Json


class Graph(TypedDict):
    """The trait ``graph``; ``options`` are those of every step that sets none of its own."""

    name: str
    notebook: str | None
    options: dict[str, Json]
    parameters: list[GraphParameter]
    volumes: list[Volume]
    dot: str
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    diagnostics: list[Diagnostic]
