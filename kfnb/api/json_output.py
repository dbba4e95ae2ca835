"""The JSON of show, check and status; scripts rely on its keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kfnb.json_values import json_with_text, to_plain
from kfnb.pipeline import Cell, Diagnostic, Pipeline

if TYPE_CHECKING:
    from kfnb.api.run_handle import Run
    from kfnb.api.step_handle import StepFailure, StepRun
    from kfnb.notebook.suggest.proposal import Proposal


def suggest(proposal: Proposal, cells: Sequence[Cell]) -> dict[str, Any]:
    """Return what ``kfnb suggest NB --json`` prints: cells are named by their ids."""
    return {
        "steps": [
            {"name": step.name, "cells": [cells[n].id for n in step.cells], "reason": step.reason}
            for step in proposal.steps
        ],
        "setup": [cells[n].id for n in proposal.setup],
        "parameters": [cells[n].id for n in proposal.parameters],
        "boundaries": [
            {"cell": cells[gap.cell].id, "names": list(gap.names), "why_not": gap.why_not}
            for gap in proposal.boundaries
        ],
    }


def show(pipeline: Pipeline) -> dict[str, Any]:
    """Return what ``kfnb show NB --json`` prints."""
    return {
        "name": pipeline.name,
        "parameters": [
            # JSON has no NaN and no infinities, so these become text.
            {"name": p.name, "default": json_with_text(p.default), "type": p.type}
            for p in pipeline.parameters
        ],
        "steps": [
            {
                "name": step.name,
                "cells": list(step.cells),
                "inputs": dict(step.inputs),
                "outputs": list(step.outputs),
                "parameters": list(step.parameters),
                "after": list(step.after),
                "options": step.options.said(),
            }
            for step in pipeline.steps.values()
        ],
        "edges": [
            {
                "source": edge.source,
                "target": edge.target,
                "names": list(edge.names),
                "files": list(edge.files),
                "state": list(edge.state),
                "explicit": edge.explicit,
            }
            for edge in pipeline.edges
        ],
        "groups": [
            {"steps": list(group.steps), "names": list(group.names), "why": group.why}
            for group in pipeline.groups
        ],
        "diagnostics": check(pipeline.diagnostics),
    }


def check(diagnostics: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """Return what ``kfnb check NB --json`` prints."""
    return [to_plain(d) for d in diagnostics]


def status(run: Run) -> dict[str, Any]:
    """Return what ``kfnb status RUN --json`` prints: what :class:`kfnb.Run` holds."""
    return {
        "id": run.id,
        "name": run.name,
        "notebook": str(run.path) if run.path else None,
        "target": run.target,
        "status": run.status,
        "driver": run.driver,
        "created": run.created,
        "duration": run.duration,
        "parameters": json_with_text(dict(run.parameters)),
        "steps": {
            name: {
                **_step(step),
                "instances": {index: _step(one) for index, one in step.instances.items()},
            }
            for name, step in run.steps.items()
        },
        "metrics": json_with_text(run.metrics),
    }


def _step(step: StepRun) -> dict[str, Any]:
    return {
        "status": step.status,
        "index": step.index,
        "round": step.round,
        "attempts": step.attempts,
        "why": step.why,
        "duration": step.duration,
        "outputs": step.outputs.describe(),
        "error": failure(step.error),
    }


def failure(error: StepFailure | None) -> dict[str, Any] | None:
    """Return a failure as JSON, with its kind as ``class``."""
    if error is None:
        return None
    plain = dataclasses.asdict(error)
    return {"class": plain.pop("kind"), **plain}
