"""A layout of a graph: positions of boxes and lines.

Pixels, from the top left corner. Keys are positions: of steps in the pipeline, of edges in the
list that was laid out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
Size = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """The path of an edge.

    Parameters
    ----------
    points
        A start, then three control points for each cubic curve: 1 + 3 n in all.
    label
        The centre of the space for the edge's reason; None if it has none.
    """

    points: tuple[Point, ...]
    label: Point | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout: its size, the centre of each box, the path of each edge."""

    size: Size
    boxes: tuple[Point, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph to lay out.

    Parameters
    ----------
    boxes
        Width and height of each step's box.
    edges
        Pairs of positions in ``boxes``.
    labels
        Width and height of each edge's reason; None if none is drawn.
    last
        The step that is placed below all others.
    """

    boxes: Sequence[Size]
    edges: Sequence[tuple[int, int]]
    labels: Sequence[Size | None]
    last: int | None = None
