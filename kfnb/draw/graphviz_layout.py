"""A layout by the system's Graphviz, if it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from kfnb.draw.layout import Graph, Layout, Line, Point

TIMEOUT = 5.0
"""Seconds that Graphviz may take; afterwards the built-in layout is used."""

_AROUND = 12.0


def by_graphviz(dot: str, graph: Graph) -> Layout | None:
    """Lay a graph out with the program ``dot``; return None if that is missing or fails.

    Parameters
    ----------
    dot
        The skeleton of the graph that ``graph`` describes (see :func:`kfnb.draw.dot.skeleton`).
    """
    program = shutil.which("dot")
    if program is None:
        return None
    try:
        done = subprocess.run(
            # json0 has only the layout; other formats add commands for drawing it.
            [program, "-Kdot", "-Tjson0"],
            input=dot.encode(),
            capture_output=True,
            timeout=TIMEOUT,
            check=True,
        )
        return _read(json.loads(done.stdout), graph)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, IndexError, TypeError):
        # Whatever is wrong with this Graphviz, the built-in layout can be used.
        return None


def _read(plain: Any, graph: Graph) -> Layout:
    left, bottom, right, top = map(float, plain["bb"].split(","))

    def point(text: str) -> Point:
        x, y = map(float, text.split(","))
        if not (left - 1 <= x <= right + 1 and bottom - 1 <= y <= top + 1):
            # Graphviz 2.42 sometimes draws a line outside of its own bounding box.
            raise ValueError("a point outside of the drawing")
        # Graphviz counts y from the bottom.
        return round(x - left + _AROUND, 1), round(top - y + _AROUND, 1)

    # The subgraph of the step that runs last is an object too, and has no position.
    boxes = {one["name"]: point(one["pos"]) for one in plain["objects"] if "pos" in one}
    lines = {one["id"]: one for one in plain.get("edges", ())}
    return Layout(
        size=(round(right - left + 2 * _AROUND, 1), round(top - bottom + 2 * _AROUND, 1)),
        boxes=tuple(boxes[f"n{n}"] for n in range(len(graph.boxes))),
        lines=tuple(
            Line(
                _spline(lines[f"e{n}"]["pos"].split(), point),
                point(lines[f"e{n}"]["lp"]) if graph.labels[n] else None,
            )
            for n in range(len(graph.edges))
        ),
    )


def _spline(words: Sequence[str], point: Any) -> tuple[Point, ...]:
    """Read ``e,x,y x,y …``: the arrow's tip comes first and is the end of the line."""
    tip = [word for word in words if word.startswith("e,")]
    points = [point(word) for word in words if word[0] not in "es"]
    if tip:
        # The picture has its own arrows, so the line goes on to the arrow's tip.
        points[-1] = point(tip[0][2:])
    return tuple(points)
