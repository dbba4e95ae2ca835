"""A pipeline in Graphviz's DOT language, written by the ``graphviz`` package.

Steps are ``n0``, ``n1`` … and edges have ``id=e0``, ``e1`` … in the order of the pipeline, so
that a layout can be matched with the pipeline; names appear only as labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kfnb.draw.protocols import (
    EdgeShape,
    PipelineShape,
    cells_of,
    drawn_edges,
    groups_of,
    reason,
)
from kfnb.draw.text import shortened, visible
from kfnb.errors import UsageError

_LONGEST_LABEL = 60
_STYLES: Mapping[str, Mapping[str, str]] = {
    "pending": {"color": "#8c8c8c", "fillcolor": "#ffffff", "style": "rounded,filled,dashed"},
    "running": {"color": "#1f6feb", "fillcolor": "#ddeeff", "penwidth": "2"},
    "succeeded": {"color": "#1a7f37", "fillcolor": "#ddf4e4"},
    "cached": {"color": "#1a7f37", "fillcolor": "#f2fbf5"},
    "failed": {"color": "#c21f2c", "fillcolor": "#fde7e9", "penwidth": "2"},
    "skipped": {"color": "#8c8c8c", "fillcolor": "#f2f2f2", "fontcolor": "#666666"},
    "cancelled": {"color": "#9a6700", "fillcolor": "#fff6dd"},
}

MOST_LABELS = 60
"""With more edges the reasons are left out, because they would be unreadable."""
LONGEST_REASON = 24


def dot(
    pipeline: PipelineShape,
    statuses: Mapping[str, str] | None = None,
    *,
    more_edges: Iterable[EdgeShape] = (),
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


def skeleton(
    pipeline: PipelineShape,
    *,
    more_edges: Iterable[EdgeShape] = (),
    sizes: Mapping[str, tuple[float, float]] | None = None,
) -> str:
    """Write a pipeline as DOT for programs that use only Graphviz's layout.

    Nodes have no labels; edges have short ones, which reserve space for what is drawn there.

    Parameters
    ----------
    sizes
        Width and height of each step's box by name, in inches.
    """
    import graphviz

    graph = graphviz.Digraph(
        name="pipeline",
        graph_attr={"rankdir": "TB"},
        node_attr={"shape": "box", "label": ""},
        edge_attr={"fontsize": "11"},
    )
    for n, name in enumerate(pipeline.steps):
        size = (sizes or {}).get(name)
        # Graphviz sizes a box by its label, but here the caller draws the text.
        fixed = (
            {"width": f"{size[0]:.3f}", "height": f"{size[1]:.3f}", "fixedsize": "true"}
            if size
            else {}
        )
        graph.node(f"n{n}", **fixed)
    ids = {name: f"n{n}" for n, name in enumerate(pipeline.steps)}
    edges = drawn_edges(pipeline, more_edges)
    for n, edge in enumerate(edges):
        label = None if len(edges) > MOST_LABELS else _label(short_reason(edge))
        graph.edge(ids[edge.source], ids[edge.target], label, id=f"e{n}")
    _last(graph, ids.get(pipeline.on_exit or ""))
    return str(graph.source)


def svg(
    pipeline: PipelineShape,
    statuses: Mapping[str, str] | None = None,
    *,
    more_edges: Iterable[EdgeShape] = (),
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
            "apt-get install graphviz). kfnb show --dot works without it."
        ) from error
    except graphviz.CalledProcessError as error:
        lines = (error.stderr or "").strip().splitlines()
        raise UsageError(
            f"Graphviz's program dot failed: {lines[-1] if lines else error}."
        ) from error
    return str(drawn)


def short_reason(edge: EdgeShape) -> str:
    """Return the reason for an edge, short enough for a label."""
    return shortened(reason(edge), LONGEST_REASON)


def _digraph(
    pipeline: PipelineShape, statuses: Mapping[str, str] | None, more_edges: Iterable[EdgeShape]
) -> Any:
    import graphviz

    graph = graphviz.Digraph(
        name="pipeline",
        graph_attr={"rankdir": "TB", "label": _label(pipeline.name), "labelloc": "t"},
        node_attr={"shape": "box", "style": "rounded,filled", "fillcolor": "#ffffff"},
        edge_attr={"fontsize": "10"},
    )
    ids = {name: f"n{n}" for n, name in enumerate(pipeline.steps)}
    for name, step in pipeline.steps.items():
        status = (statuses or {}).get(name)
        lines = [name, cells_of(pipeline, step)] if status is None else [name, status]
        tip = _escaped(visible(name))
        graph.node(ids[name], _label(*lines), tooltip=tip, **_STYLES.get(status or "", {}))
    for n, group in enumerate(groups_of(pipeline)):
        # Graphviz draws a box around a subgraph whose name begins so.
        box = {"label": _label("one kernel", group.why), "style": "dashed", "fontsize": "10"}
        with graph.subgraph(name=f"cluster_{n}", graph_attr=box) as members:
            for name in group.steps:
                if name in ids:
                    members.node(ids[name])
    known = {(edge.source, edge.target) for edge in pipeline.edges}
    for n, edge in enumerate(drawn_edges(pipeline, more_edges)):
        text = reason(edge)
        # Only a tag orders these steps, and no value flows.
        style = {"style": "dotted"} if not edge.names and not edge.files else {}
        if (edge.source, edge.target) not in known:
            # A person should see which edges the notebook's source does not have.
            text, style = f"seen in the run: {text}", {"style": "dashed"}
        graph.edge(ids[edge.source], ids[edge.target], _label(text), id=f"e{n}", **style)
    _last(graph, ids.get(pipeline.on_exit or ""))
    return graph


def _last(graph: Any, node: str | None) -> None:
    """Put the step that runs last below all others."""
    if node is not None:
        with graph.subgraph(name="last", graph_attr={"rank": "sink"}) as last:
            last.node(node)


def _label(*lines: str) -> Any:
    r"""Escape lines for DOT: shown as they are, one below the other (``\n`` is DOT's newline)."""
    import graphviz

    shown = (shortened(visible(one), _LONGEST_LABEL) for one in lines)
    return graphviz.nohtml(r"\n".join(map(_escaped, shown)))


def _escaped(text: str) -> Any:
    """Escape a text for DOT, which knows backslashes, ``<…>`` and HTML's entities in labels.

    The returned type tells the ``graphviz`` package that ``<…>`` is not HTML.
    """
    import graphviz

    return graphviz.escape(text.replace("&", "&amp;"))
