"""A pipeline and a run in the form of :mod:`kfnb.live.protocol`: pure functions of both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from kfnb.api.run_lookup import facts
from kfnb.api.run_view import RunView
from kfnb.draw import body_of, drawn_edges, reason, shortened, skeleton
from kfnb.engine.core import state as engine
from kfnb.engine.core.event_types import FailureData, ResourceSampled
from kfnb.json_values import json_with_text
from kfnb.live import protocol
from kfnb.locations import line_text
from kfnb.masked_parameters import shown
from kfnb.pipeline import Diagnostic, Edge, Pipeline

Link = Callable[[Path], "str | None"]
"""Returns a file's path relative to the Jupyter server's root; None if it lies outside of it."""

_LONGEST = 2000


def no_link(path: Path) -> None:
    """Link nothing, because no server is known."""
    del path


def graph(pipeline: Pipeline, runtime_edges: Iterable[engine.RuntimeEdge] = ()) -> protocol.Graph:
    """Describe a pipeline as it was read, with the dependencies that a run added."""
    seen = list(runtime_edges)
    return {
        "name": pipeline.name,
        "notebook": pipeline.path,
        "options": _pipeline_options(pipeline),
        "parameters": [
            {"name": one.name, "type": one.type, "default": json_with_text(one.default)}
            for one in pipeline.parameters
        ],
        "volumes": [
            {"name": one.name, "mount": one.mount, "claim": one.claim, "size": one.size}
            for one in pipeline.volumes
        ],
        "dot": skeleton(pipeline, more_edges=_as_edges(seen)),
        "nodes": [
            {
                "id": name,
                "name": name,
                "cells": [cell for n in step.cells if (cell := location(pipeline, n))],
                "after": list(step.after),
                "options": json_with_text(step.options.said()),
                "inputs": dict(step.inputs),
                "outputs": list(step.outputs),
                "parameters": list(step.parameters),
                "on_exit": name == pipeline.on_exit,
            }
            for name, step in pipeline.steps.items()
        ],
        "edges": edges(pipeline, seen),
        "diagnostics": diagnostics(pipeline, pipeline.diagnostics),
    }


def _pipeline_options(pipeline: Pipeline) -> dict[str, Any]:
    options = json_with_text(pipeline.defaults.said())
    if "env" in options:
        options["env"] = sorted(options["env"])  # the values may be secret
    return dict(options)


def diagnostics(pipeline: Pipeline, findings: Iterable[Diagnostic]) -> list[protocol.Diagnostic]:
    """Describe findings about a pipeline."""
    return [_diagnostic(pipeline, one) for one in findings]


def edges(
    pipeline: Pipeline, runtime_edges: Iterable[engine.RuntimeEdge] = ()
) -> list[protocol.GraphEdge]:
    """Describe the edges: first the pipeline's, then those that a run added."""
    own = {(edge.source, edge.target) for edge in pipeline.edges}
    seen = {(edge.source, edge.target): edge for edge in runtime_edges}
    described: list[protocol.GraphEdge] = []
    for edge in drawn_edges(pipeline, _as_edges(seen.values())):
        pair = edge.source, edge.target
        described.append(
            {
                "id": json.dumps(pair),
                "source": edge.source,
                "target": edge.target,
                "names": list(edge.names),
                "files": list(edge.files),
                "explicit": edge.explicit,
                "found": pair not in own,
                "why": reason(edge) if pair in own else seen[pair].why or reason(edge),
            }
        )
    return described


def location(pipeline: Pipeline, cell: Any, line: Any = None) -> protocol.Location | None:
    """Describe a cell by its index, or a line of it; None if the notebook has no such cell."""
    if not isinstance(cell, int) or not 0 <= cell < len(pipeline.cells):
        return None
    shown = pipeline.cells[cell]
    number = line if isinstance(line, int) else None
    # Without a line, the first line of code says more than a %%step line.
    source = shown.source if number is not None else body_of(shown.source)
    return {
        "cell": cell,
        "id": shown.id,
        "execution_count": shown.execution_count,
        "line": number,
        "text": line_text(source, number),
    }


def title(view: RunView) -> str:
    """Return the name that a person gave the run; empty if it has its pipeline's name."""
    name = str(facts(view.folder).get("name") or "")
    return "" if name == view.pipeline.name else name


def run_info(view: RunView, run_facts: Mapping[str, Any]) -> protocol.RunInfo:
    """Describe which run this is.

    Parameters
    ----------
    run_facts
        The contents of ``run.json``.
    """
    defaults = {p.name: p.default for p in view.pipeline.parameters}
    values = {**defaults, **(run_facts.get("parameters") or {})}
    return {
        "id": view.folder.id,
        "title": title(view),
        "notebook": str(run_facts["notebook"]) if run_facts.get("notebook") else None,
        "target": str(run_facts.get("target") or "local"),
        "parameters": json_with_text(shown(values, run_facts.get("masked") or ())),
        "created": float(run_facts.get("created") or view.state.created or 0.0),
    }


def state(view: RunView, *, driver: str, at: float, link: Link = no_link) -> protocol.State:
    """Describe the state of a run, without its metrics.

    Pages ask for metrics by message: a page without a kernel could not draw them, and each point
    would take a hundred bytes of a saved notebook.

    Parameters
    ----------
    driver
        ``alive``, ``ended`` or ``lost since …``.
    at
        Time of this snapshot, in seconds since the epoch.
    """
    return {
        "seq": view.state.seq,
        "at": at,
        "status": view.state.status,
        "driver": driver,
        "error": run_error(view.state),
        "paused": view.state.paused,
        "finished": view.state.finished,
        "steps": {
            protocol.step_id(*key): step_state(view, *key, link=link) for key in view.state.steps
        },
        "metrics": [],
        "warnings": warnings(view.state),
    }


def step_state(
    view: RunView, name: str, index: str = "", *, link: Link = no_link
) -> protocol.StepState:
    """Describe the state of a step, or of one of its instances."""
    step = view.state.steps[name, index]
    return {
        "step": step.name,
        "index": step.index,
        "round": step.round,
        "again": step.again,
        "status": step.status,
        "attempts": step.attempts,
        "why": step.why,
        "reason": step.reason,
        "cells_done": step.cells_done,
        "cells_total": step.cells_total,
        # While a step executes, its cell; after a failure the error has its own location.
        "location": location(view.pipeline, step.cell),
        "started": step.started,
        "finished": step.finished,
        "duration": step.duration,
        "retry_at": step.retry_at,
        "error": _error(view.pipeline, step.error),
        "outputs": [
            {
                "name": str(output),
                "type": value.type,
                "shape": json_with_text(value.shape),
                "size": value.size,
                "repr": _cut(value.repr),
            }
            for output, value in step.outputs.items()
            if not value.absent
        ],
        "notebook": _notebook(view, step, link),
        "resources": _resources(step.resources),
    }


def series(view: RunView) -> list[protocol.Series]:
    """Return the metrics of a run, each with its oldest point first."""
    run_label = view.folder.id, title(view)
    return [
        one
        for (name, index), step in view.state.steps.items()
        for one in points(run_label, name, index, list(step.metrics))
    ]


def points(
    run_label: tuple[str, str], step: str, index: str, metrics: Iterable[engine.Metric]
) -> list[protocol.Series]:
    """Group the points that a step of a run (given by id and title) logged by metric."""
    run, run_title = run_label
    by_name: dict[str, list[protocol.Point]] = {}
    for metric in metrics:
        # JSON has no NaN, which a diverging loss often is, so it is sent as text.
        point = metric.time, json_with_text(metric.step), json_with_text(metric.value)
        by_name.setdefault(str(metric.name), []).append(point)
    return [
        {
            "run": run,
            "title": run_title,
            "step": step,
            "index": index,
            "name": name,
            "points": logged,
        }
        for name, logged in by_name.items()
    ]


def warnings(run: engine.RunState) -> list[dict[str, Any]]:
    """Describe the warnings of a run."""
    return [
        {
            "code": one.data.code or "",
            "message": _cut(one.data.message) or "",
            "remedy": _cut(one.data.remedy) or "",
            "step": one.step,
            "index": one.index,
        }
        for one in run.warnings
    ]


def run_error(run: engine.RunState) -> str | None:
    """Return in a sentence what went wrong with the run; None if nothing did."""
    if not run.error:
        return None
    text = run.error.summary or run.error.ename
    return _cut(text) or "The run failed."


def _as_edges(runtime_edges: Iterable[engine.RuntimeEdge]) -> list[Edge]:
    return [
        Edge(one.source, one.target, tuple(one.names), tuple(one.files)) for one in runtime_edges
    ]


def _diagnostic(pipeline: Pipeline, finding: Diagnostic) -> protocol.Diagnostic:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "remedy": finding.remedy,
        "step": finding.step,
        "location": location(pipeline, finding.cell, finding.line),
    }


def _error(pipeline: Pipeline, record: FailureData | None) -> protocol.StepError | None:
    if record is None:
        return None
    return {
        "ename": _cut(record.ename),
        "evalue": _cut(record.evalue),
        "location": location(pipeline, record.cell, record.line),
        "summary": _cut(record.summary) or "",
        "remedy": _cut(record.remedy),
        "class": record.kind,
    }


def _resources(sample: ResourceSampled | None) -> dict[str, Any] | None:
    if sample is None:
        return None
    return {"cpu_seconds": sample.cpu_seconds, "memory": sample.memory, "threads": sample.threads}


def _notebook(view: RunView, step: engine.StepState, link: Link) -> str | None:
    # A step that has not begun has no notebook, and a cached one has that of its earlier run.
    if step.status != "cached" and not step.attempts:
        return None
    path = view.attempt(step.name, index=step.index).executed
    linked = link(path)
    # A page cannot know whether the file exists, and a dead link is worse than none.
    return linked if linked is not None and path.is_file() else None


def _cut(text: Any) -> str | None:
    return None if text is None else shortened(str(text), _LONGEST)
