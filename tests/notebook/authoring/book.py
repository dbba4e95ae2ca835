"""Notebooks in a line: cells as (tags, source), and what is declared by them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kfnb.notebook.authoring.grouping import Declared, StepDecl, declare
from kfnb.notebook.document import Document, parse
from kfnb.pipeline import Diagnostic

MARKDOWN = "markdown"


def cell(tags: str | Sequence[str] = "", source: str = "pass", **metadata: Any) -> dict[str, Any]:
    """A code cell, or a markdown one where the tag says so."""
    listed = [tags] if isinstance(tags, str) else list(tags)
    kind = "markdown" if MARKDOWN in listed else "code"
    kept = [t for t in listed if t and t != MARKDOWN]
    made = {"cell_type": kind, "metadata": {"tags": kept, **metadata}, "source": source}
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def notebook(*cells: Any, **metadata: Any) -> dict[str, Any]:
    made = [cell(*c) if isinstance(c, tuple) else c for c in cells]
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def document(*cells: Any, **metadata: Any) -> Document:
    raw = json.dumps(notebook(*cells, **metadata)).encode()
    return parse(raw, path=Path("train.ipynb"))


def declared(*cells: Any, **metadata: Any) -> Declared:
    return declare(document(*cells, **metadata))


def steps(found: Declared) -> dict[str, tuple[int, ...]]:
    return {step.name: step.cells for step in found.steps}


def step(found: Declared, name: str) -> StepDecl:
    return next(s for s in found.steps if s.name == name)


def codes(found: Declared) -> list[str]:
    return [d.code for d in found.diagnostics]


def only(found: Declared) -> Diagnostic:
    assert len(found.diagnostics) == 1, [str(d) for d in found.diagnostics]
    return found.diagnostics[0]
