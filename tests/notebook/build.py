"""Small notebooks for tests: ``notebook(("step:a", "x = 1"), ("step:b", "print(x)"))``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kfnb.notebook.authoring.grouping import declare
from kfnb.notebook.document import Document, parse
from kfnb.notebook.flow import infer
from kfnb.pipeline import Edge, Pipeline

Cell = str | tuple[str | Iterable[str], str]


def notebook(*cells: Cell, metadata: dict[str, Any] | None = None) -> Document:
    """Make a document of cells: a source alone, or (tags, source); the tag ``markdown`` a note."""
    made = []
    for number, given in enumerate(cells):
        tags, source = ("", given) if isinstance(given, str) else given
        listed = [tags] if isinstance(tags, str) else list(tags)
        listed = [tag for tag in listed if tag]
        note = listed == ["markdown"]
        made.append(
            {
                "cell_type": "markdown" if note else "code",
                "id": f"cell-{number}",
                "metadata": {} if note or not listed else {"tags": listed},
                "source": source,
            }
            | ({} if note else {"execution_count": None, "outputs": []})
        )
    book = {"cells": made, "metadata": metadata or {}, "nbformat": 4, "nbformat_minor": 5}
    return parse(json.dumps(book).encode(), path=Path("notebook.ipynb"))


def pipeline(*cells: Cell, metadata: dict[str, Any] | None = None) -> Pipeline:
    """Read such a notebook as a pipeline."""
    return infer(declare(notebook(*cells, metadata=metadata)))


def codes(found: Pipeline) -> list[str]:
    """Give the codes of all diagnostics."""
    return [d.code for d in found.diagnostics]


def edge(found: Pipeline, source: str, target: str) -> Edge | None:
    """Find the edge between two steps."""
    return next((e for e in found.edges if (e.source, e.target) == (source, target)), None)
