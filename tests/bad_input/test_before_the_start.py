"""What is wrong before anything starts: exit code 2, a sentence, and no run."""

from __future__ import annotations

import json

import pytest

from tests.desk import Desk

GOOD = ("step:a", "x = 1")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"this is no JSON", "not JSON"),
        (b"", "empty"),
        (b'{"cells": [], "metadata": {}, "nbfor', "not JSON"),
        (b'{"hello": "world"}', "notebook"),
        (b'{"worksheets": [], "metadata": {}, "nbformat": 3, "nbformat_minor": 0}', "nbformat 3"),
    ],
)
def test_a_file_that_is_no_notebook(desk: Desk, content: bytes, sentence: str) -> None:
    path = desk.folder / "nb.ipynb"
    path.write_bytes(content)
    for command in ("check", "run", "show"):
        result = desk.kfnb(command, path)
        assert result.returncode == 2
        assert sentence.lower() in (result.stderr + result.stdout).lower()
        assert "nb.ipynb" in result.stderr + result.stdout
    assert desk.runs() == []


def test_a_notebook_that_is_not_there(desk: Desk) -> None:
    result = desk.kfnb("run", "nowhere.ipynb")
    assert result.returncode == 2
    assert "nowhere.ipynb" in result.stderr


def test_a_kernel_that_is_not_installed(desk: Desk) -> None:
    result = desk.kfnb("run", desk.notebook(GOOD, kernel="no-such-kernel"))
    assert result.returncode == 2
    assert "no-such-kernel" in result.stderr
    assert "python3" in result.stderr, "the kernels that are there are named"
    assert desk.runs() == []


@pytest.mark.parametrize(
    ("cells", "code", "words"),
    [
        ([GOOD, ("step:b", "y = x +")], "KFNB-E101", ["line 1: `y = x +`"]),
        ([GOOD, ("step:b", "print(modle)")], "KFNB-E102", ["modle", "line 1: `print(modle)`"]),
        (
            [(["step:a", "after:b"], "x = 1"), (["step:b", "after:a"], "y = 2")],
            "KFNB-E2",
            ["a", "b"],
        ),
        ([GOOD, (["step:b", "after:ab"], "y = 2")], "KFNB-E2", ["ab"]),
        (
            [(["step:a", "memory:1Gi"], "x = 1"), (["step:a", "memory:2Gi"], "y = 1")],
            "KFNB-E2",
            ["`x = 1`", "`y = 1`", "memory"],
        ),
    ],
)
def test_a_notebook_with_errors(
    desk: Desk, cells: list[tuple[str, str]], code: str, words: list[str]
) -> None:
    path = desk.notebook(*cells)
    checked = desk.kfnb("check", path)
    assert checked.returncode == 2
    assert code in checked.stdout + checked.stderr
    for word in words:
        assert word in checked.stdout + checked.stderr
    assert desk.kfnb("run", path).returncode == 2
    assert desk.runs() == []


def test_all_problems_are_reported_at_once(desk: Desk) -> None:
    path = desk.notebook(
        ("step:b", "print(nope)"), ("step:a", "x ="), (["step:c", "after:nobody"], "z = 1")
    )
    found = json.loads(desk.kfnb("check", path, "--json").stdout)
    assert {d["code"] for d in found if d["severity"] == "error"} == {"KFNB-E101", "KFNB-E203"}
    assert any('"nope"' in d["message"] for d in found), "a cell that is broken hides no other"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("rte=0.5", ["rte", "rate"]),
        ("rate=fast", ["rate", "fast"]),
        ("rate", ["NAME=VALUE"]),
    ],
)
def test_a_parameter_that_does_not_exist_or_does_not_fit(
    desk: Desk, override: str, words: list[str]
) -> None:
    path = desk.notebook(("parameters", "rate = 0.1"), ("step:a", "x = rate"))
    result = desk.kfnb("run", path, "-p", override)
    assert result.returncode == 2
    for word in words:
        assert word in result.stderr
    assert desk.runs() == []


def test_a_run_that_is_not_there(desk: Desk) -> None:
    for command in ("status", "logs", "stop", "resume"):
        result = desk.kfnb(command, "20200101-000000-nothing-0000")
        assert result.returncode == 2
        assert "20200101-000000-nothing-0000" in result.stderr
