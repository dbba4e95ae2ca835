"""A small layered layout for machines without Graphviz, in K. Sugiyama's four steps.

Rows are assigned by the longest path; a line gets a spot in every row that it crosses. Steps in a
row are sorted by the average position of their neighbours, and placed as near to it as the minimum
distances allow. Edges against the order are drawn, but do not influence the layout.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from kfnb.draw.layout import Graph, Layout, Line, Point

_BESIDE, _BELOW, _AROUND = 22.0, 26.0, 12.0
_THIN = 8.0
_SWEEPS = 12


@dataclass(slots=True)
class _Spot:
    """A box, or the spot where a line crosses a row."""

    row: int
    width: float
    height: float
    x: float = 0.0
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)


def layered(graph: Graph) -> Layout:
    """Lay a graph out from top to bottom."""
    spots, ways = _spots(graph)
    rows: list[list[int]] = [[] for _ in range(1 + max((s.row for s in spots), default=-1))]
    for n, spot in enumerate(spots):
        rows[spot.row].append(n)
    # The order in the rows comes first, because the positions depend on it.
    for sweep in range(_SWEEPS):
        _sort(spots, rows, down=sweep % 2 == 0)
    for row in rows:
        _pack(spots, row)
    for sweep in range(_SWEEPS):
        _straighten(spots, rows, down=sweep % 2 == 0)
    left = min((s.x - s.width / 2 for s in spots), default=0.0) - _AROUND
    tops, bottom = _heights(spots, rows)
    width = max((s.x + s.width / 2 for s in spots), default=0.0) - left + _AROUND
    at = [(round(s.x - left, 1), round(tops[s.row], 1)) for s in spots]
    return Layout(
        size=(round(width, 1), round(bottom + _AROUND, 1)),
        boxes=tuple(at[: len(graph.boxes)]),
        lines=tuple(
            _line(graph, way, at, edge, label is not None)
            for way, edge, label in zip(ways, graph.edges, graph.labels, strict=True)
        ),
    )


def _ranks(graph: Graph) -> list[int]:
    """Assign rows by the longest path; edges that lead back are ignored."""
    rank = [0] * len(graph.boxes)
    above: list[list[int]] = [[] for _ in graph.boxes]
    for source, target in graph.edges:
        # Steps are numbered in the notebook's order, so an edge to a smaller number leads back.
        if source < target:
            above[target].append(source)
    for n, sources in enumerate(above):
        rank[n] = 1 + max((rank[s] for s in sources), default=-1)
    # The step that runs last gets a row below all others.
    if graph.last is not None and len(rank) > 1:
        rank[graph.last] = 1 + max(r for n, r in enumerate(rank) if n != graph.last)
    return rank


def _spots(graph: Graph) -> tuple[list[_Spot], list[list[int]]]:
    """Create spots for boxes and bends; a line with a reason gets a row between for that."""
    step = 2 if any(graph.labels) else 1
    spots = [
        _Spot(rank * step, *size) for rank, size in zip(_ranks(graph), graph.boxes, strict=True)
    ]
    ways = []
    for (source, target), label in zip(graph.edges, graph.labels, strict=True):
        first, last = spots[source].row, spots[target].row
        between = range(first + 1, last)
        way = [source]
        for row in between:
            # The reason stands in the middle of the line; the other bends need only the line's
            # width.
            room = label if label and row == between[len(between) // 2] else (_THIN, 0.0)
            spots.append(_Spot(row, *room))
            way.append(len(spots) - 1)
        way.append(target)
        ways.append(way)
        if first < last:
            for a, b in itertools.pairwise(way):
                spots[a].below.append(b)
                spots[b].above.append(a)
    # Without edges of its own, the last step is centred below the lowest boxes.
    if graph.last is not None and not spots[graph.last].above:
        others = [n for n in range(len(graph.boxes)) if n != graph.last]
        lowest = max((spots[n].row for n in others), default=0)
        spots[graph.last].above = [n for n in others if spots[n].row == lowest]
    return spots, ways


def _sort(spots: Sequence[_Spot], rows: Sequence[list[int]], *, down: bool) -> None:
    """Sort each row by the positions of its neighbours in the row before."""
    for row in rows if down else reversed(rows):
        position = {}
        for n, spot in enumerate(row):
            near = spots[spot].above if down else spots[spot].below
            # A spot without neighbours stays where it is in its row.
            position[spot] = sum(spots[other].x for other in near) / len(near) if near else float(n)
        row.sort(key=position.__getitem__)
        for n, spot in enumerate(row):
            # Until the rows are packed, x is a number within the row.
            spots[spot].x = float(n)


def _pack(spots: Sequence[_Spot], row: Sequence[int]) -> None:
    right = 0.0
    for spot in row:
        spots[spot].x = right + spots[spot].width / 2
        right += spots[spot].width + _BESIDE
    for spot in row:
        spots[spot].x -= right / 2


def _straighten(spots: Sequence[_Spot], rows: Sequence[list[int]], *, down: bool) -> None:
    """Move each row towards its neighbours, as near as the distances allow.

    Wanted positions that are too close are merged into blocks at their average: the least-squares
    solution for a fixed order (pool adjacent violators).
    """
    for row in rows if down else reversed(rows):
        offset, blocks = 0.0, []
        offsets = []
        for n, spot in enumerate(row):
            here = spots[spot]
            if n:
                offset += (spots[row[n - 1]].width + here.width) / 2 + _BESIDE
            offsets.append(offset)
            near = here.above if down else here.below
            # Bends weigh more, because straight lines are easier to follow than centred boxes.
            weight = (4.0 if here.height == 0.0 else 1.0) * max(1, len(near))
            wanted = sum(spots[o].x for o in near) / len(near) if near else here.x
            blocks.append((wanted - offset, weight, 1))
            while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
                (a, v, k), (b, w, m) = blocks[-2:]
                blocks[-2:] = [((a * v + b * w) / (v + w), v + w, k + m)]
        starts = [start for start, _, count in blocks for _ in range(count)]
        for spot, start, shift in zip(row, starts, offsets, strict=True):
            spots[spot].x = start + shift


def _heights(spots: Sequence[_Spot], rows: Sequence[Sequence[int]]) -> tuple[list[float], float]:
    """Return the centre of each row, and the end of the last one."""
    tops, y = [], _AROUND
    for n, row in enumerate(rows):
        height = max(spots[spot].height for spot in row) if row else 0.0
        y += _BELOW if n else 0.0
        tops.append(y + height / 2)
        y += height
    return tops, y


def _line(
    graph: Graph, way: Sequence[int], at: Sequence[Point], edge: tuple[int, int], labelled: bool
) -> Line:
    """Join the spots of a line by curves that start and end vertically."""
    source, target = edge
    points = [at[spot] for spot in way]
    (ax, ay), (bx, by) = points[0], points[-1]
    down = 1 if by > ay else -1
    points[0] = ax, ay + down * graph.boxes[source][1] / 2
    points[-1] = bx, by - down * graph.boxes[target][1] / 2
    curve = [points[0]]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        half = round((y0 + y1) / 2, 1)
        curve += [(x0, half), (x1, half), (x1, y1)]
    middle = points[len(points) // 2] if labelled and len(points) > 2 else None
    return Line(tuple(curve), middle)
