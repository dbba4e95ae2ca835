"""Execute a notebook linearly and as a pipeline, and lay one beside the other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kfnb
from kfnb.pipeline import Pipeline
from kfnb.verify.linear import execute
from kfnb.verify.outputs import texts
from kfnb.verify.report import home_at
from kfnb.verify.side_by_side import compare_outputs

CODE = re.compile(r"KFNB-[EW]\d{3}")


@dataclass(frozen=True)
class Outcome:
    """What became of both runs: the pipeline's status, why it failed, and every difference."""

    status: str
    error: str = ""
    differences: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    steps: dict[str, str] = field(default_factory=dict)


def both(folder: Path, notebook: dict[str, Any]) -> Outcome:
    """Run both ways, each in a folder of its own; ``folder`` must be empty."""
    linear, pipeline = folder / "linear", folder / "pipeline"
    for place in (linear, pipeline):
        place.mkdir()
        (place / "nb.ipynb").write_text(json.dumps(notebook))
    read = kfnb.read(pipeline / "nb.ipynb")
    assert not read.errors, [str(d) for d in read.errors]
    reference = execute(_as_run_by_hand(notebook), folder=linear)
    failed = [
        t
        for cell in reference["cells"]
        for t in texts(cell.get("outputs", ()))
        if t.kind == "error"
    ]
    assert not failed, f"the trap itself is broken: {failed}"
    with home_at(folder / "home"):
        run = kfnb.run(pipeline / "nb.ipynb", wait=True)
        statuses = {name: step.status for name, step in run.steps.items()}
        warnings = _codes_said(folder / "home") | {d.code for d in read.diagnostics}
        if run.status != "succeeded":
            return Outcome(run.status, _why(run), (), tuple(sorted(warnings)), statuses)
        executed = {n: json.loads(run.notebook(n).read_text()) for n in read.steps}
    beside = compare_outputs(reference, executed, folders=([str(linear)], [str(pipeline)]))
    differences = [str(d) for d in beside.differences]
    differences += _lost(read, notebook, beside.cells)
    differences += _files(linear, pipeline)
    return Outcome(run.status, "", tuple(differences), tuple(sorted(warnings)), statuses)


def _as_run_by_hand(notebook: dict[str, Any]) -> dict[str, Any]:
    """A person does not run cells tagged skip, and ``%%step`` is a magic that kfnb brings."""
    cells = []
    for cell in notebook["cells"]:
        source = cell["source"]
        if "skip" in cell["metadata"].get("tags", ()):
            source = ""
        if source.startswith("%%step"):
            source = "#" + source
        cells.append({**cell, "source": source})
    return {**notebook, "cells": cells}


def _lost(pipeline: Pipeline, notebook: dict[str, Any], compared: frozenset[int]) -> Iterator[str]:
    """Code that ran nowhere: a notebook's code is never lost in silence."""
    replayed = {p.cell for s in pipeline.steps.values() for p in (*s.prelude, *s.body)}
    for index, cell in enumerate(notebook["cells"]):
        tags = cell["metadata"].get("tags", ())
        if cell["cell_type"] != "code" or not cell["source"].strip():
            continue
        if {"skip", "metrics", "setup", "parameters"} & set(tags):
            continue
        if index not in compared and index not in replayed:
            yield f"cell {index} was executed in no step"


def _files(linear: Path, pipeline: Path) -> Iterator[str]:
    left, right = _listing(linear), _listing(pipeline)
    for name in sorted({*left, *right}):
        if left.get(name) != right.get(name):
            state = "other" if name in left and name in right else "missing"
            yield f"the file {name} is {state} in the {'pipeline' if name in left else 'notebook'}"


def _listing(folder: Path) -> dict[str, bytes]:
    ignored = ("__pycache__", ".ipynb_checkpoints")
    # Pictures and databases hold times.
    binary = (".png", ".db")
    return {
        str(p.relative_to(folder)): b"" if p.suffix in binary else p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.suffix != ".ipynb" and not set(ignored) & set(p.parts)
    }


def _why(run: kfnb.Run) -> str:
    return " | ".join(
        f"{name}: {step.status} {step.error}" for name, step in run.steps.items() if step.error
    )


def _codes_said(home: Path) -> set[str]:
    journals = home.glob("runs/*/journal.jsonl")
    return {code for journal in journals for code in CODE.findall(journal.read_text())}
