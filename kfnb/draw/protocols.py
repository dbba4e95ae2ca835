"""The attributes of a pipeline that a drawing needs.

:class:`kfnb.pipeline.Pipeline` has them. Drawing does not import it, so a pipeline can import
``kfnb.draw`` to draw itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from kfnb.draw.text import visible
from kfnb.locations import line_text, location

_STEP_LINE = re.compile(r"\s*%%step\b[^\n]*\n")
_MOST_COUNTS = 6


class CellShape(Protocol):
    """A cell of the notebook, as :class:`kfnb.pipeline.Cell`."""

    @property
    def source(self) -> str: ...
    @property
    def execution_count(self) -> int | None: ...


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
    def state(self) -> Sequence[str]: ...
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


class GroupShape(Protocol):
    """Steps that share a kernel, as :class:`kfnb.pipeline.StepGroup`."""

    @property
    def steps(self) -> Sequence[str]: ...
    @property
    def why(self) -> str: ...


def groups_of(pipeline: PipelineShape) -> Sequence[GroupShape]:
    """Return the groups of a pipeline; pictures of older runs have none."""
    groups: Sequence[GroupShape] = getattr(pipeline, "groups", ())
    return groups


class PipelineShape(Protocol):
    """A pipeline, as :class:`kfnb.pipeline.Pipeline`."""

    @property
    def name(self) -> str: ...
    @property
    def cells(self) -> Sequence[CellShape]: ...
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
    parts += map(visible, edge.state)
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
        # This step runs after all others, whatever its edges are.
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


def cells_of(pipeline: PipelineShape, step: StepShape) -> str:
    """Describe the cells of a step by what the notebook shows of them.

    That is ``[3]: `fit(X)` `` for one cell, ``[3], [4], [7]`` for several that were all executed,
    and ``3 cells, `fit(X)` `` (the first one's first line) otherwise. A ``%%step`` line is left
    out, because it only names the step.
    """
    cells = [pipeline.cells[index] for index in step.cells if index < len(pipeline.cells)]
    if not cells:
        return "no cells"
    counts = [f"[{cell.execution_count}]" for cell in cells if cell.execution_count is not None]
    if len(counts) == len(cells) > 1:
        more = len(counts) - _MOST_COUNTS
        return ", ".join(counts[:_MOST_COUNTS] + ([f"+{more}"] if more > 0 else []))
    first = location(
        execution_count=cells[0].execution_count,
        text=line_text(body_of(cells[0].source)),
    )
    if len(cells) > 1:
        return ", ".join(filter(None, (f"{len(cells)} cells", first)))
    return first or "1 cell"


def body_of(source: str) -> str:
    r"""Return a cell's source without a leading ``%%step`` line.

    >>> body_of("%%step fit --memory 1Gi\nfit(X)")
    'fit(X)'
    """
    match = _STEP_LINE.match(source)
    return source[match.end() :] if match else source
