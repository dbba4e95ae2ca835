"""Edges for the state of libraries, as views and scripts get them."""

from __future__ import annotations

import json
from pathlib import Path

import kfnb
from kfnb.api.json_output import show
from kfnb.draw.protocols import reason


def pipeline(tmp_path: Path, *cells: tuple[str, str]) -> kfnb.Pipeline:
    made = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {"tags": [tag]},
            "execution_count": n + 1,
            "outputs": [],
            "source": source,
        }
        for n, (tag, source) in enumerate(cells)
    ]
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return kfnb.read(path)


DRAWS = (
    ("setup", "import random"),
    ("step:a", "random.seed(1)\nx = random.random()"),
    ("step:b", "print(random.random())"),
    ("step:c", "print(x, random.random())"),
    ("step:d", "print(x)"),
)
SEEDED = "Python's random generator, seeded in [2] line 1: `random.seed(1)`"


def test_steps_that_draw_are_in_the_notebooks_order_without_a_diagnostic(tmp_path: Path) -> None:
    read = pipeline(tmp_path, *DRAWS)
    assert read.diagnostics == ()
    assert [(e.source, e.target, e.names, e.state) for e in read.edges] == [
        ("a", "b", (), (SEEDED,)),
        ("a", "c", ("x",), ()),
        ("b", "c", (), (SEEDED,)),
        ("a", "d", ("x",), ()),
    ]


def test_an_edge_says_which_state_flows(tmp_path: Path) -> None:
    read = pipeline(tmp_path, *DRAWS)
    assert reason(read.edges[0]) == SEEDED
    assert show(read)["edges"][0]["state"] == [SEEDED]


def test_a_state_that_is_set_alike_in_each_step_needs_no_edge(tmp_path: Path) -> None:
    read = pipeline(
        tmp_path,
        ("setup", "import pandas as pd"),
        ("step:a", "pd.set_option('display.precision', 2)"),
        ("step:b", "print(pd.Series([1.234]))"),
    )
    assert read.edges == ()
