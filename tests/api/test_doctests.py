"""The examples in the docstrings hold."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

from tests.desk import Desk

TRAIN = [
    ("parameters", "lr = 0.1"),
    ("step:load", "rows = [1, 2, 3]"),
    ("step:train", "import kfnb\nmodel = [round(lr * row, 6) for row in rows]"),
    ("step:train", "kfnb.log_metric('loss', 0.25)"),
    ("step:report", "print(model)"),
]


@pytest.mark.parametrize(
    "name",
    [
        "kfnb",
        "kfnb.api.use_cases.formats",
        "kfnb.api.use_cases.target_flags",
        "kfnb.draw.protocols",
        "kfnb.draw.text",
        "kfnb.metrics",
        "kfnb.durations",
        "kfnb.runners.parameters",
    ],
)
def test_examples(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried
    assert not failed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kfnb.api.launch", "kfnb.api.run_handle"])
def test_examples_that_run_a_notebook(
    name: str, desk: Desk, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.notebook(*TRAIN, name="train.ipynb")
    monkeypatch.chdir(desk.folder)
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried
    assert not failed
