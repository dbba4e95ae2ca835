"""A view as a picture and text, for saved notebooks and programs that show no widgets.

JupyterLab shows *Error displaying widget: model not found* for a saved widget without a kernel,
even if there is a picture beside it. So for JupyterLab and Notebook 7 the output contains no
widget but a *slot*, an element with the picture in it. The widget finds its slot in the page and
hides the picture as long as it lives.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from kfnb import draw
from kfnb.durations import describe_duration
from kfnb.live import protocol, snapshot
from kfnb.live.feed import Feed
from kfnb.locations import location
from kfnb.pipeline import Edge, Pipeline

_WIDGET = "application/vnd.jupyter.widget-view+json"


def bundle(
    pipeline: Pipeline,
    feed: Feed | None,
    *,
    slot: str | None = None,
    model: str | None = None,
    why_static: str | None = None,
    metrics_of: Sequence[Feed] = (),
) -> dict[str, object]:
    """Return a view by MIME type: always a picture and text, with a slot or widget if asked for.

    Parameters
    ----------
    feed
        The run, if one is shown.
    slot
        Name of the slot that a widget will look for.
    model
        Id of a widget that is shown in the ordinary way.
    why_static
        Why there is no live view, and what you can do.
    metrics_of
        Runs whose metrics the picture shows instead of the graph.
    """
    state = feed.state(time.time()) if feed is not None else None
    captions = _captions(feed, state)
    for other in metrics_of[1:]:
        captions += _captions(other, other.state(time.time()))
    if why_static is not None:
        captions.append(why_static)
    if metrics_of:
        curves = _curves(metrics_of)
        svg = draw.chart([pipeline.name, *captions], curves)
        lines = (pipeline.name, *captions, *_values(curves))
        text = "\n".join(draw.visible(line) for line in lines)
    else:
        svg, text = _picture(pipeline, feed, state, captions), _text(pipeline, state, captions)
    forms: dict[str, object] = {"image/svg+xml": svg, "text/plain": text}
    if slot is not None:
        picture = f'<div class="kfnb-static">{svg}</div>'
        forms["text/html"] = f'<div data-kfnb-slot="{escape(slot)}">{picture}</div>'
    if model is not None:
        forms[_WIDGET] = {"version_major": 2, "version_minor": 0, "model_id": model}
    return forms


def _captions(feed: Feed | None, state: protocol.State | None) -> list[str]:
    if feed is None or state is None:
        return []
    caption = f"run {feed.info['id']}: {state['status']}"
    if state["driver"].startswith("lost"):
        caption += f", driver {state['driver']}"
    # A saved picture may be looked at much later, so it says when this was the state.
    if state["driver"] != "ended":
        caption += time.strftime(" (as of %Y-%m-%d %H:%M:%S)", time.localtime(state["at"]))
    return [caption, *([state["error"]] if state["error"] else [])]


def _picture(
    pipeline: Pipeline, feed: Feed | None, state: protocol.State | None, captions: list[str]
) -> str:
    if feed is None or state is None:
        return draw.picture(pipeline, captions=captions)
    # An instance is not drawn; the box of its step stands for it.
    steps = {name: step for name, step in state["steps"].items() if not step["index"]}
    return draw.picture(
        pipeline,
        {name: step["status"] for name, step in steps.items()},
        notes={name: _note(step) for name, step in steps.items()},
        more_edges=[
            Edge(
                edge["source"],
                edge["target"],
                tuple(edge["names"]),
                tuple(edge["files"]),
            )
            for edge in feed.graph["edges"]
            # The drawing takes the other edges from the pipeline.
            if edge["found"]
        ],
        captions=captions,
    )


def _curves(feeds: Sequence[Feed]) -> list[draw.Curve]:
    """Return the metrics of runs as curves, labelled by what distinguishes them."""
    series = [one for feed in feeds for one in snapshot.series(feed.view)]
    logged: dict[str, set[str]] = {}
    for one in series:
        logged.setdefault(one["name"], set()).add(one["step"])
    curves = []
    for one in series:
        # Several runs may have one title, and their ids differ at the end.
        run = f"{one['title']} · {one['run'][-4:]}" if one["title"] else one["run"]
        labels = [run] if len(feeds) > 1 else []
        labels += [one["step"]] if not labels or len(logged[one["name"]]) > 1 else []
        # Steps and numbers of calls have no common axis.
        numbered = any(step is not None for _, step, _ in one["points"])
        points = [
            (float(n if step is None else step), _float(value))
            for n, (_, step, value) in enumerate(one["points"])
            if step is not None or not numbered
        ]
        curves.append(draw.Curve(one["name"], " · ".join(labels), sorted(points, key=_x)))
    return curves


def _x(point: tuple[float, float]) -> float:
    return point[0]


def _float(value: object) -> float:
    """Return a logged value as a number; "nan" and "inf" are logged as text."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan


def _values(curves: Sequence[draw.Curve]) -> Iterator[str]:
    for curve in curves:
        last = f"{curve.points[-1][1]:.6g}" if curve.points else "–"
        yield f"  {curve.metric} ({curve.label}): {last}"


def _note(step: protocol.StepState) -> str:
    """Return the details that are shown beside a step's status."""
    error, total = step["error"], step["cells_total"]
    where = error["location"] if error is not None else None
    if step["status"] == "failed" and where is not None:
        return location(execution_count=where["execution_count"], line=where["line"])
    if step["status"] == "running" and total:
        return f"{step['cells_done']} of {total} cells"
    if step["status"] == "succeeded" and step["duration"] is not None:
        return describe_duration(step["duration"])
    return ""


def _text(pipeline: Pipeline, state: protocol.State | None, captions: list[str]) -> str:
    lines = [draw.visible(line) for line in captions]
    if state is None:
        return "\n".join([draw.text(pipeline), *lines])
    steps: Mapping[str, protocol.StepState] = state["steps"]
    for step in steps.values():
        name = f"{step['step']}[{step['index']}]" if step["index"] else step["step"]
        parts = filter(None, (step["status"], _note(step)))
        lines.append(f"  {draw.visible(name)}: {', '.join(parts)}")
    return "\n".join([draw.visible(pipeline.name), *lines])
