"""The call that a person types again says what was said the first time."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import pytest

from kfnb.api.parameters import from_text
from kfnb.api.run_view import RunView
from kfnb.api.use_cases.rerun_command import rerun_command
from kfnb.commands.run_options import split_pairs
from kfnb.pipeline import Parameter, Pipeline
from kfnb.runners import create_run
from tests.cli import scripted

VALUES = [
    ("str", "3"),
    ("str", "null"),
    ("str", ""),
    ("str", " it's $HOME; a=b #5 "),
    ("str", "träge 🎲"),
    ("str", "-p"),
    ("int", 4700),
    ("float", 3.0),
    ("float", 1e-07),
    ("float", float("inf")),
    ("float", float("nan")),
    ("bool", False),
    ("Optional[str]", None),
    ("Optional[str]", "null"),
    ("Optional[str]", "3"),
    ("list", [1, 1e-07, "2020-01-01", "12:30", True, None, "a, b"]),
    ("dict", {"a": [1.5], "b": {"c": "yes"}, "d": ""}),
    ("", "12"),
    ("", "1e-3"),
    ("", "yes"),
    ("", "two\nlines"),
    ("", 12),
]


def made(path: Path, **values: tuple[str, Any]) -> Pipeline:
    """A pipeline with parameters of these types."""
    parameters = tuple(
        Parameter(name, "" if kind == "str" else None, kind or None, "…", 0, n)
        for n, (name, (kind, _)) in enumerate(values.items())
    )
    return dataclasses.replace(scripted.pipeline(path), parameters=parameters)


def typed_again(path: Path, **values: tuple[str, Any]) -> tuple[str, Pipeline]:
    pipeline = made(path, **values)
    run = create_run(pipeline, parameters={name: value for name, (_, value) in values.items()})
    return rerun_command(RunView(run)), pipeline


@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_a_value_is_read_back(kind: str, value: Any, tmp_path: Path) -> None:
    line, pipeline = typed_again(tmp_path / "my notebook.ipynb", x=(kind, value))
    words = shlex.split(line)
    assert words[:4] == ["kfnb", "run", str(tmp_path / "my notebook.ipynb"), "-p"]
    assert len(words) == 5
    read = from_text(pipeline.parameters, split_pairs((words[4],)))
    assert repr(read) == repr({"x": value})


@pytest.mark.parametrize("value", ["x" * 201, list(range(100)), "a\x1b[31mb"])
def test_a_value_that_is_too_long_to_type_is_an_ellipsis(value: Any, tmp_path: Path) -> None:
    kind = type(value).__name__
    line, _ = typed_again(tmp_path / "nb.ipynb", long=(kind, value), short=("int", 1))
    assert line.endswith("nb.ipynb -p long=… -p short=1")
