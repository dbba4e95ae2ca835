"""Bad notebooks, read whole: every problem is a sentence at its cell, and all of them at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kfnb.errors import NotebookError
from kfnb.json_values import from_plain, to_plain
from kfnb.notebook.reader import read
from kfnb.pipeline import Pipeline
from tests.notebook.authoring.book import notebook

HOSTILE = [
    "../../x",
    'a"; rm -rf /',
    "a\nb",
    "x" * 300,
    "🚀",
    "<script>alert(1)</script>",
    "$(reboot)",
    "{{ x }}",
    "a\\b",
    "%s %d",
    "--flag",
    "-",
    "None",
    "Schritt Ä",
    "digraph { a -> b }",
]


def pipeline(tmp_path: Path, *cells: Any, **metadata: Any) -> Pipeline:
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps(notebook(*cells, **metadata)), encoding="utf-8")
    return read(path)


def errors(found: Pipeline) -> set[str]:
    return {d.code for d in found.errors}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"import os", "not JSON"),
        (b'{"hello": "world"}', "not a notebook"),
        (b'{"worksheets": [], "metadata": {}, "nbformat": 3, "nbformat_minor": 0}', "nbformat 3"),
        (b"", "empty"),
        (b'{"cells": [{"cell_type": "code", "sour', "not JSON .*ends too early"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_a_file_that_is_no_notebook(tmp_path: Path, raw: bytes, words: str) -> None:
    path = tmp_path / "nb.ipynb"
    path.write_bytes(raw)
    with pytest.raises(NotebookError, match=words) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == raw


def test_a_folder_and_nothing_at_all(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="folder"):
        read(tmp_path)
    with pytest.raises(NotebookError, match="does not exist"):
        read(tmp_path / "none.ipynb")


def test_a_kernel_that_is_not_installed_does_not_hinder_reading(tmp_path: Path) -> None:
    found = pipeline(tmp_path, ("step:a", "x = 1"), kernelspec={"name": "no-such-kernel"})
    assert found.kernel == "no-such-kernel"
    assert not found.errors


@pytest.mark.parametrize(
    "source",
    ["x = (", "def f(:\n    pass", "x = 'a", "  x = 1\n y = 2", "x\x00 = 1", "1 +", "(" * 500],
)
def test_a_syntax_error_is_reported_at_its_cell(tmp_path: Path, source: str) -> None:
    found = pipeline(tmp_path, ("step:a", "x = 1"), ("step:b", source), ("step:c", "print(x)"))
    assert [(d.code, d.cell, d.step) for d in found.errors] == [("KFNB-E101", 1, "b")]
    assert list(found.steps) == ["a", "b", "c"]
    assert found.steps["c"].inputs == {"x": "a"}


def test_a_cycle_by_after(tmp_path: Path) -> None:
    found = pipeline(
        tmp_path,
        (["step:a", "after:c"], "1"),
        (["step:b", "after:a"], "2"),
        (["step:c", "after:b"], "3"),
    )
    assert errors(found) == {"KFNB-E204"}
    assert set(found.steps) == {"a", "b", "c"}


def test_a_cycle_of_after_and_data(tmp_path: Path) -> None:
    found = pipeline(tmp_path, (["step:a", "after:b"], "x = 1"), ("step:b", "print(x)"))
    assert found.errors, "b needs a's value, and a is to come after b"


def test_after_of_nobody(tmp_path: Path) -> None:
    found = pipeline(tmp_path, ("step:load", "1"), (["step:b", "after:laod"], "2"))
    assert [(d.code, d.cell, d.remedy) for d in found.errors] == [
        ("KFNB-E203", 1, 'Did you mean "load"?')
    ]


def test_an_undefined_name(tmp_path: Path) -> None:
    found = pipeline(tmp_path, ("step:a", "models = 1"), ("step:b", "x = 1\nprint(model)"))
    assert [(d.code, d.cell, d.line) for d in found.errors] == [("KFNB-E102", 1, 2)]
    assert "models" in str(found.errors[0])


def test_two_cells_that_claim_different_options(tmp_path: Path) -> None:
    found = pipeline(tmp_path, (["step:a", "timeout:1h"], "1"), (["step:a", "timeout:2h"], "2"))
    assert errors(found) == {"KFNB-E201"}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_step_name_is_only_a_name(tmp_path: Path, name: str) -> None:
    found = pipeline(
        tmp_path, (f"step:{name}", "x = 1"), (["step:next", f"after:{name}"], "print(x)")
    )
    assert not found.errors
    assert list(found.steps) == [name, "next"]
    assert found.steps["next"].inputs == {"x": name}
    made = found.steps[name].id
    assert made
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(made) <= 40


def test_all_hostile_names_in_one_notebook(tmp_path: Path) -> None:
    found = pipeline(tmp_path, *[(f"step:{name}", f"x{n} = 1") for n, name in enumerate(HOSTILE)])
    assert len({s.id for s in found.steps.values()}) == len(HOSTILE)
    plain = json.loads(json.dumps(to_plain(found)))
    assert to_plain(from_plain(Pipeline, plain)) == to_plain(found)


def test_two_names_that_become_the_same_id(tmp_path: Path) -> None:
    found = pipeline(tmp_path, ("step:a b", "x = 1"), ("step:a_b", "y = 1"), ("step:A-B", "z = 1"))
    assert len({s.id for s in found.steps.values()}) == 3


@pytest.mark.parametrize(
    "garbage", [None, 1, "x", [], {}, {"cell_type": "code"}, {"source": ["x"]}]
)
def test_a_garbage_cell_does_not_hinder_the_others(tmp_path: Path, garbage: Any) -> None:
    found = pipeline(tmp_path, ("step:a", "x = 1"), garbage, ("step:b", "print(x)"))
    assert found.steps["b"].inputs == {"x": "a"}
    assert [c.index for c in found.cells] == [0, 1, 2]


def test_a_notebook_with_no_cells(tmp_path: Path) -> None:
    found = pipeline(tmp_path)
    assert not found.steps
    assert found.diagnostics


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    found = pipeline(
        tmp_path,
        None,
        (["step:b", "retries:lots", "after:nobody"], "print(undefined_name)"),
        ("step:a", "x = ("),
        (["step:c", "step:d"], "1"),
        ("", "%%step\ny = 1"),
        {"cell_type": "code", "metadata": {"kfnb": {"stp": 1}}, "source": ""},
        kfnb={"defaults": {"memory": "much"}},
    )
    assert errors(found) >= {
        "KFNB-E001", "KFNB-E101", "KFNB-E202", "KFNB-E203", "KFNB-E206", "KFNB-E207",
        "KFNB-E208",
    }  # fmt: skip
    # An error, or a warning where the cell that cannot be read may define it.
    assert any("undefined_name" in d.message for d in found.diagnostics)
    for diagnostic in found.diagnostics:
        assert diagnostic.message
        assert diagnostic.remedy
        assert "\n" not in str(diagnostic)


def test_the_notebook_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps(notebook(("step:a", "x ="), None)))
    before = path.read_bytes()
    path.chmod(0o444)
    read(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["nb.ipynb"]
