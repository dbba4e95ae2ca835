"""Where the boxes and lines of a drawing are: what a layout gives to whoever paints.

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
    """An edge's way.

    Parameters
    ----------
    points
        A start, then three control points for each cubic curve: 1 + 3 n in all.
    label
        The middle of the room that was left for the edge's reason; None if it has none.
    """

    points: tuple[Point, ...]
    label: Point | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """A layout: how large it is, the middle of each box, the way of each edge."""

    size: Size
    boxes: tuple[Point, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be laid out.

    Parameters
    ----------
    boxes
        Width and height of each step's box.
    edges
        Pairs of positions in ``boxes``.
    labels
        Width and height of each edge's reason; None where none is to be drawn.
    last
        The step that stands below all others, whatever leads to it.
    """

    boxes: Sequence[Size]
    edges: Sequence[tuple[int, int]]
    labels: Sequence[Size | None]
    last: int | None = None
