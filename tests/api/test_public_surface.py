"""What other people's scripts rely on: a change here is a change for them.

The snapshot is written anew by ``KFNB_UPDATE_GOLDEN=1``; read the diff before you keep it.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
from pathlib import Path
from typing import Any

import click
import pytest

import kfnb
from kfnb import pipeline
from kfnb.api import Run, StepFailure, StepRun, json_output
from kfnb.api.outputs import Outputs
from kfnb.cli.main import cli
from kfnb.engine.core.event_types import BODIES, RunCancelled
from kfnb.engine.core.events import Event
from tests.cli import scripted
from tests.cli.scripted import made_run, write

SNAPSHOT = Path(__file__).with_name("surface.json")


# What else these hold is how the parts of kfnb talk to each other.
PUBLIC = {
    pipeline.Pipeline: {"name", "parameters", "steps", "edges", "diagnostics", "errors", "to_dot"},
    pipeline.Step: {"name", "cells", "inputs", "outputs", "parameters", "after", "options"},
    pipeline.Parameter: {"name", "default", "type"},
    StepFailure: {f.name for f in dataclasses.fields(StepFailure)},
}


def signature(function: Any) -> str:
    return str(inspect.signature(function))


def members(kind: type) -> dict[str, str]:
    """The public attributes of a class: fields, properties, methods with their signatures."""
    found: dict[str, str] = {}
    if dataclasses.is_dataclass(kind):
        found.update({f.name: f"field: {f.type}" for f in dataclasses.fields(kind)})
    for name, value in vars(kind).items():
        if name.startswith("_") or name in found:
            continue
        if inspect.isfunction(value):
            found[name] = f"method: {signature(value)}"
        elif isinstance(value, (classmethod, staticmethod)):
            found[name] = f"class method: {signature(value.__func__)}"
        else:
            found[name] = "property"
    return {name: found[name] for name in sorted(found) if name in PUBLIC.get(kind, found)}


def shape(value: Any) -> Any:
    """The keys of a JSON value; of what is keyed by names, one entry stands for all."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def option(parameter: click.Parameter) -> str:
    return " ".join([*parameter.opts, *parameter.secondary_opts])


def surface(tmp_path: Path) -> dict[str, Any]:
    folder = made_run(tmp_path / "train.ipynb")
    write(folder, *scripted.FAILED)
    found = pipeline.Diagnostic("KFNB-E102", "error", "said", "do", "train", 1, 2)
    shown = dataclasses.replace(scripted.pipeline(), diagnostics=(found,))
    context = click.Context(cli)
    return {
        "kfnb": {
            name: signature(value) if inspect.isfunction(value) else "class"
            for name in sorted(kfnb.__all__)
            for value in [getattr(kfnb, name)]
        },
        "classes": {
            kind.__name__: members(kind)
            for kind in (
                Run,
                StepRun,
                StepFailure,
                Outputs,
                pipeline.Pipeline,
                pipeline.Step,
                pipeline.Edge,
                pipeline.Parameter,
                pipeline.Options,
                pipeline.Diagnostic,
            )
        },
        "json": {
            "show": shape(json_output.show(shown)),
            "check": shape(json_output.check(shown.diagnostics)),
            "status": shape(json_output.status(Run(folder))),
            "event": list(Event(1, 0.0, "r", RunCancelled()).to_plain()),
        },
        "events": sorted(BODIES),
        "exit codes": {
            name: value.exit_code
            for name in sorted(kfnb.__all__)
            for value in [getattr(kfnb, name)]
            if inspect.isclass(value) and issubclass(value, kfnb.KfnbError)
        },
        "commands": {
            name: [option(p) for p in command.params]
            for name in cli.list_commands(context)
            for command in [cli.get_command(context, name)]
            if command is not None
        },
    }


def test_the_public_surface_has_not_changed(tmp_path: Path) -> None:
    now = json.loads(json.dumps(surface(tmp_path)))
    if os.environ.get("KFNB_UPDATE_GOLDEN"):
        SNAPSHOT.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n", "utf-8")
    assert now == json.loads(SNAPSHOT.read_text("utf-8"))


def test_the_stable_names_are_there() -> None:
    """The names that README.md calls stable, and their members."""
    assert {"read", "run", "runs", "open_run", "log_metric"} <= set(kfnb.__all__)
    for name in ("parameters", "steps", "edges", "diagnostics", "name"):
        assert name in members(pipeline.Pipeline)
    for name in ("cells", "inputs", "outputs", "parameters", "after", "options", "name"):
        assert name in members(pipeline.Step)
    for name in ("source", "target", "names", "files", "state", "explicit"):
        assert name in members(pipeline.Edge)
    for name in ("status", "attempts", "why", "duration", "outputs", "error"):
        assert name in members(StepRun)
    run = members(Run)
    for name in ("id", "status", "driver", "steps", "metrics", "metric_history", "notebook"):
        assert name in run
    for name in ("logs", "wait", "stop", "resume"):
        assert name in run


@pytest.mark.parametrize("name", sorted(set(kfnb.__all__)))
def test_what_is_public_is_documented(name: str) -> None:
    assert inspect.getdoc(getattr(kfnb, name))
