"""A location is written as a person sees it: step, execution count, line and text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kfnb.json_values import to_plain
from kfnb.notebook.authoring.grouping import declare
from kfnb.notebook.document import parse
from kfnb.notebook.flow import infer
from kfnb.pipeline import Cell
from tests.notebook.build import pipeline


def executed_cell(source: str, count: int | None) -> Cell:
    return Cell(7, "id", "code", source, execution_count=count)


@pytest.mark.parametrize(
    ("count", "line", "expected"),
    [
        (12, 3, "[12] line 3: `model.fit(X)`"),
        (None, 3, "line 3: `model.fit(X)`"),
        (12, None, "[12]: `import sklearn`"),
        (None, None, "`import sklearn`"),
        (12, 99, "[12] line 99"),
    ],
)
def test_a_location_has_the_execution_count_the_line_and_its_text(
    count: int | None, line: int | None, expected: str
) -> None:
    cell = executed_cell("\nimport sklearn\n    model.fit(X)", count)
    assert cell.location(line) == expected
    assert cell.location(line, step="train") == f'step "train", {expected}'


def test_a_long_or_hostile_line_is_quoted_on_one_short_line() -> None:
    text = executed_cell("x = '\x1b[31m" + "y" * 200 + "'", None).location(1)
    assert len(text) < 100
    assert text.isprintable()


def test_a_diagnostic_has_the_text_and_the_execution_count_of_its_cell() -> None:
    raw = {
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": "a note"},
            {
                "cell_type": "code",
                "metadata": {"tags": ["step:train"]},
                "source": "x = 1\nmodel.fit(x)",
                "execution_count": 12,
                "outputs": [],
            },
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    book = parse(json.dumps(raw).encode(), path=Path("book.ipynb"))
    (diagnostic,) = infer(declare(book)).diagnostics
    assert diagnostic.location == 'step "train", [12] line 2: `model.fit(x)`'
    assert "([12] line 2: `model.fit(x)`)" in str(diagnostic)
    plain = to_plain(diagnostic)
    assert (plain["cell"], plain["line"], plain["text"]) == (1, 2, "model.fit(x)")


def test_a_sentence_never_counts_cells_from_zero() -> None:
    read = pipeline(
        ("markdown", "note"),
        (["step:a", "memory:1Gi"], "x = 1"),
        (["step:a", "memory:2Gi"], "y = nowhere"),
    )
    assert len(read.diagnostics) == 2
    assert not [d for d in read.diagnostics if "cell 1" in str(d) or "cell 2" in str(d)]


def test_a_pipeline_locates_an_index_of_its_cells() -> None:
    read = pipeline(("markdown", "note"), ("step:a", "x = 1\ny = 2"))
    assert read.location(1, 2, step="a") == 'step "a", line 2: `y = 2`'
    assert read.location(None) == ""
    assert read.location(99, 2) == "line 2"
