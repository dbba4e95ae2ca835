"""The attributes of a pipeline that a drawing needs.

:class:`kfnb.pipeline.Pipeline` has them. Drawing does not import it, so a pipeline can import
``kfnb.draw`` to draw itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from kfnb.draw.text import visible


class StepShape(Protocol):
    """A step, as :class:`kfnb.pipeline.Step`."""

    @property
    def name(self) -> str: ...
    @property
    def order(self) -> int: ...
    @property
    def cells(self) -> Sequence[int]: ...


class EdgeShape(Protocol):
    """A dependency and its reasons, as :class:`kfnb.pipeline.Edge`."""

    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def files(self) -> Sequence[str]: ...
    @property
    def explicit(self) -> bool: ...


class ParameterShape(Protocol):
    """A parameter, as :class:`kfnb.pipeline.Parameter`."""

    @property
    def name(self) -> str: ...
    @property
    def default(self) -> Any: ...
    @property
    def expression(self) -> str: ...


class PipelineShape(Protocol):
    """A pipeline, as :class:`kfnb.pipeline.Pipeline`."""

    @property
    def name(self) -> str: ...
    @property
    def steps(self) -> Mapping[str, StepShape]: ...
    @property
    def edges(self) -> Sequence[EdgeShape]: ...
    @property
    def parameters(self) -> Sequence[ParameterShape]: ...
    @property
    def on_exit(self) -> str | None: ...


def reason(edge: EdgeShape) -> str:
    """Return the reason for an edge: names, files, or ``after`` if a tag asked for it.

    >>> from kfnb.pipeline import Edge
    >>> reason(Edge("a", "b", names=("x", "y"), files=("out.csv",)))
    'x, y, file out.csv'
    >>> reason(Edge("a", "b", explicit=True))
    'after'
    """
    parts = [*map(visible, edge.names), *(f"file {visible(path)}" for path in edge.files)]
    if edge.explicit or not parts:
        parts.append("after")
    return ", ".join(parts)


def layers(pipeline: PipelineShape) -> list[list[StepShape]]:
    """Group the steps by the longest path to them: the steps of a layer can run in parallel."""
    depth: dict[str, int] = {}
    sources: dict[str, list[str]] = {}
    for edge in pipeline.edges:
        sources.setdefault(edge.target, []).append(edge.source)
    for step in sorted(pipeline.steps.values(), key=lambda s: s.order):
        # An edge against the order is reported by a diagnostic; drawing must not fail on it.
        depth[step.name] = 1 + max(
            (depth.get(s, -1) for s in sources.get(step.name, ())), default=-1
        )
    if pipeline.on_exit in depth:
        depth[pipeline.on_exit] = max(depth.values()) + (len(depth) > 1)
    by_depth: list[list[StepShape]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for step in pipeline.steps.values():
        by_depth[depth[step.name]].append(step)
    return by_depth


def drawn_edges(pipeline: PipelineShape, more: Iterable[EdgeShape] = ()) -> list[EdgeShape]:
    """Return the edges between known steps: the pipeline's, then those that a run added."""
    known = {(edge.source, edge.target) for edge in pipeline.edges}
    new = [edge for edge in more if (edge.source, edge.target) not in known]
    return [e for e in (*pipeline.edges, *new) if {e.source, e.target} <= pipeline.steps.keys()]


def cells_of(step: StepShape) -> str:
    """Return the cells of a step: ``cell 3``, ``cells 3-5, 8``."""
    spans: list[list[int]] = []
    for cell in step.cells:
        if spans and cell == spans[-1][1] + 1:
            spans[-1][1] = cell
        else:
            spans.append([cell, cell])
    listed = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in spans)
    return f"cell{'s' if len(step.cells) > 1 else ''} {listed}" if listed else "no cells"
