"""A pipeline as text for a terminal, as DOT, and as SVG.

Names are whatever a person typed: nothing here trusts them. Control characters are
shown, not sent; DOT is written by the ``graphviz`` package with ids of our own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kfnb.errors import UsageError
from kfnb.pipeline import Edge, Pipeline, Step

_LONGEST_LABEL = 60
_JOINER = "\u200d"  # makes one emoji of several
_STYLES: Mapping[str, Mapping[str, str]] = {
    "pending": {"color": "#8c8c8c", "fillcolor": "#ffffff", "style": "rounded,filled,dashed"},
    "running": {"color": "#1f6feb", "fillcolor": "#ddeeff", "penwidth": "2"},
    "succeeded": {"color": "#1a7f37", "fillcolor": "#ddf4e4"},
    "cached": {"color": "#1a7f37", "fillcolor": "#f2fbf5"},
    "failed": {"color": "#c21f2c", "fillcolor": "#fde7e9", "penwidth": "2"},
    "skipped": {"color": "#8c8c8c", "fillcolor": "#f2f2f2", "fontcolor": "#666666"},
    "cancelled": {"color": "#9a6700", "fillcolor": "#fff6dd"},
}


@dataclass(frozen=True, slots=True)
class Line:
    """The strokes of a terminal that may or may not know more than ASCII."""

    begin: str = "──"
    end: str = "──▶"


UNICODE = Line()
ASCII = Line("--", "-->")


def visible(text: str) -> str:
    r"""Return ``text`` on one line, with control characters written out as Python would.

    >>> visible("träge 🎲"), visible(chr(27) + "[31m") == r"\x1b[31m"
    ('träge 🎲', True)
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c == _JOINER else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


def shortened(text: str, most: int) -> str:
    """Return ``text`` with at most ``most`` characters, the end replaced by an ellipsis.

    >>> shortened("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= most else text[: max(0, most - 1)] + "…"


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes.

    >>> width_of("abc"), width_of("会")
    (3, 2)
    """
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def reason(edge: Edge) -> str:
    """Say why an edge is there: its names, its files, or that somebody asked for it.

    >>> reason(Edge("a", "b", names=("x", "y"), files=("out.csv",)))
    'x, y, file out.csv'
    >>> reason(Edge("a", "b", explicit=True))
    'after'
    """
    parts = [*map(visible, edge.names), *(f"file {visible(path)}" for path in edge.files)]
    if edge.explicit or not parts:
        parts.append("after")
    return ", ".join(parts)


def layers(pipeline: Pipeline) -> list[list[Step]]:
    """Group the steps by the longest way to them: a layer's steps can run side by side."""
    depth: dict[str, int] = {}
    sources: dict[str, list[str]] = {}
    for edge in pipeline.edges:
        sources.setdefault(edge.target, []).append(edge.source)
    for step in sorted(pipeline.steps.values(), key=lambda s: s.order):
        # An edge that turns the order round is a diagnostic; drawing must not fail on it.
        depth[step.name] = 1 + max(
            (depth.get(s, -1) for s in sources.get(step.name, ())), default=-1
        )
    if pipeline.on_exit in depth:
        depth[pipeline.on_exit] = max(depth.values()) + (len(depth) > 1)
    found: list[list[Step]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for step in pipeline.steps.values():
        found[depth[step.name]].append(step)
    return found


def text(pipeline: Pipeline, *, width: int = 100, line: Line = UNICODE) -> str:
    """Draw a pipeline as lines of text: each step once, below it the edges that lead to it.

    Parameters
    ----------
    width
        Columns of the terminal; reasons that would not fit are shortened.
    line
        :data:`ASCII` for a terminal that knows no other strokes.
    """
    return "\n".join(_lines(pipeline, width, line))


def dot(
    pipeline: Pipeline,
    statuses: Mapping[str, str] | None = None,
    *,
    more_edges: Iterable[Edge] = (),
) -> str:
    """Write a pipeline as DOT.

    Parameters
    ----------
    statuses
        Status of each step of a run, shown as colour, stroke and word.
    more_edges
        Dependencies that only the run showed; drawn dashed.
    """
    return str(_digraph(pipeline, statuses, more_edges).source)


def svg(
    pipeline: Pipeline,
    statuses: Mapping[str, str] | None = None,
    *,
    more_edges: Iterable[Edge] = (),
) -> str:
    """Draw a pipeline as SVG, with the system's Graphviz.

    Raises
    ------
    UsageError
        If the program ``dot`` is not installed, or fails.
    """
    import graphviz

    try:
        drawn = _digraph(pipeline, statuses, more_edges).pipe(format="svg", encoding="utf-8")
    except graphviz.ExecutableNotFound as error:
        raise UsageError(
            "Drawing SVG needs Graphviz's program dot, which is not installed here (on Debian: "
            "apt-get install graphviz). kfnb show --dot writes the DOT without it."
        ) from error
    except graphviz.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines()
        raise UsageError(
            f"Graphviz's program dot failed: {said[-1] if said else error}."
        ) from error
    return str(drawn)


def cells_of(step: Step) -> str:
    """Name the cells of a step: ``cell 3``, ``cells 3-5, 8``."""
    spans: list[list[int]] = []
    for cell in step.cells:
        if spans and cell == spans[-1][1] + 1:
            spans[-1][1] = cell
        else:
            spans.append([cell, cell])
    listed = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in spans)
    return f"cell{'s' if len(step.cells) > 1 else ''} {listed}" if listed else "no cells"


def _lines(pipeline: Pipeline, width: int, line: Line) -> Iterator[str]:
    count = len(pipeline.steps)
    yield f"{visible(pipeline.name)}: {count} step{'' if count == 1 else 's'}"
    if pipeline.parameters:
        said = ", ".join(
            f"{p.name} = {p.expression or repr(p.default)}" for p in pipeline.parameters
        )
        yield shortened(f"parameters: {visible(said)}", width)
    found = layers(pipeline)
    number = len(str(len(found)))
    into: dict[str, list[Edge]] = {}
    for edge in pipeline.edges:
        into.setdefault(edge.target, []).append(edge)
    for depth, steps in enumerate(found, 1):
        yield ""
        for n, step in enumerate(steps):
            head = str(depth).rjust(number) if n == 0 else " " * number
            name = shortened(visible(step.name), max(20, width - number - 30))
            exits = ", runs last whatever happened" if step.name == pipeline.on_exit else ""
            yield f"{head}  {name}  ({cells_of(step)}{exits})"
            for edge in into.get(step.name, ()):
                yield _edge(edge, " " * (number + 4), width, line)


def _edge(edge: Edge, margin: str, width: int, line: Line) -> str:
    names = [shortened(visible(name), 40) for name in (edge.source, edge.target)]
    fixed = width_of(f"{margin}{names[0]} {line.begin}{line.end} {names[1]}")
    why = _fitting(reason(edge), max(20, width - fixed))
    return f"{margin}{names[0]} {line.begin}{why}{line.end} {names[1]}"


def _fitting(why: str, most: int) -> str:
    """Leave out the last of many reasons, and say how many."""
    if len(why) <= most:
        return why
    parts = why.split(", ")
    kept = len(parts)
    while kept > 1 and len(_counted(parts, kept)) > most:
        kept -= 1
    return shortened(_counted(parts, kept), most)


def _counted(parts: list[str], kept: int) -> str:
    left = len(parts) - kept
    return ", ".join(parts[:kept]) + (f", +{left}" if left else "")


def _digraph(
    pipeline: Pipeline, statuses: Mapping[str, str] | None, more_edges: Iterable[Edge]
) -> Any:
    import graphviz

    graph = graphviz.Digraph(
        name="pipeline",
        graph_attr={"rankdir": "TB", "label": _label(pipeline.name), "labelloc": "t"},
        node_attr={"shape": "box", "style": "rounded,filled", "fillcolor": "#ffffff"},
        edge_attr={"fontsize": "10"},
    )
    ids = {name: f"s{n}" for n, name in enumerate(pipeline.steps)}
    for name, step in pipeline.steps.items():
        status = (statuses or {}).get(name)
        lines = [name, cells_of(step)] if status is None else [name, status]
        tip = graphviz.escape(visible(name))
        graph.node(ids[name], _label(*lines), tooltip=tip, **_STYLES.get(status or "", {}))
    known = {(edge.source, edge.target) for edge in pipeline.edges}
    for edge in pipeline.edges:
        style = {"style": "dotted"} if not edge.names and not edge.files else {}
        graph.edge(ids[edge.source], ids[edge.target], _label(reason(edge)), **style)
    for edge in more_edges:
        if (edge.source, edge.target) not in known and {edge.source, edge.target} <= ids.keys():
            said = _label(f"seen in the run: {reason(edge)}")
            graph.edge(ids[edge.source], ids[edge.target], said, style="dashed")
    return graph


def _label(*lines: str) -> str:
    r"""Escape lines for DOT: shown as they are, one below the other (``\n`` is DOT's newline)."""
    import graphviz

    shown = (shortened(visible(one), _LONGEST_LABEL) for one in lines)
    return str(graphviz.nohtml(r"\n".join(graphviz.escape(one) for one in shown)))
