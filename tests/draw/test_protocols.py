"""The cells of a step are described by what the notebook shows of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kfnb import draw
from kfnb.pipeline import Cell, Pipeline
from tests.cli.scripted import pipeline, step


def read(*cells: tuple[str, int | None]) -> Pipeline:
    """A pipeline whose one step has these cells, given by source and execution count."""
    return replace(
        pipeline(),
        cells=tuple(
            Cell(n, f"c{n}", "code", source, execution_count=count)
            for n, (source, count) in enumerate(cells)
        ),
        steps={"fit": step("fit", 0, tuple(range(len(cells))))},
        edges=(),
    )


@pytest.mark.parametrize(
    ("cells", "described"),
    [
        ([], "no cells"),
        ([("\nfit(X)\nshow()", 3)], "[3]: `fit(X)`"),
        ([("fit(X)", None)], "`fit(X)`"),
        ([("", None)], "1 cell"),
        ([("fit(X)", 3), ("show()", 4)], "[3], [4]"),
        ([("fit(X)", 3), ("show()", None)], "2 cells, [3]: `fit(X)`"),
        ([("fit(X)", None), ("show()", None)], "2 cells, `fit(X)`"),
        ([("x", n) for n in range(1, 10)], "[1], [2], [3], [4], [5], [6], +3"),
        ([("%%step fit --memory 1Gi\nfit(X)", None)], "`fit(X)`"),
    ],
)
def test_cells_are_described_by_count_and_text(
    cells: list[tuple[str, int | None]], described: str
) -> None:
    made = read(*cells)
    assert draw.cells_of(made, made.steps["fit"]) == described
