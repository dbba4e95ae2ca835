"""Runs of earlier versions stay readable: a home that version 0.1.0 left, used by this one."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from kfnb import open_run, runs

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
RUNS = {"0.1.0": "20261130-025150-book-c44a"}
"""The run in each home: two steps that succeeded, and one that divides by zero."""


@pytest.fixture(params=RUNS)
def run(request, home) -> str:
    with zipfile.ZipFile(GOLDEN / f"home-of-{request.param}.zip") as archive:
        archive.extractall(home)
    home.chmod(0o700)
    for path in home.rglob("*"):
        os.utime(path, (0, 0))  # values younger than an hour are not removed
    return RUNS[request.param]


def test_the_api_reads_the_run(run) -> None:
    (opened,) = runs()
    assert opened.id == run
    assert opened.status == "failed"
    assert opened.steps["load"].outputs["rows"] == [1, 2, 3]
    assert opened.metrics == {"total": 12}
    assert opened.logs("load") == "three rows\n"
    assert "ZeroDivisionError" in str(opened.steps["broken"].error)
    assert open_run("latest").id == run


def test_the_commands_show_the_run(run, kfnb) -> None:
    assert run in kfnb("runs").stdout
    status = json.loads(kfnb("status", run, "--json").stdout)
    assert status["steps"]["broken"]["status"] == "failed"
    assert kfnb("logs", run, "load").stdout.endswith("three rows\n")
    assert "executed.ipynb" in kfnb("notebook", run, "total").stdout


def test_what_cannot_be_resumed_says_why(run, kfnb) -> None:
    """The run's notebook was on another machine."""
    answer = kfnb("resume", run)
    assert answer.exit_code == 2, answer.output
    assert "/home/ada/project" in answer.output + answer.stderr


def test_its_values_are_removed_with_it(run, kfnb, home) -> None:
    assert kfnb("clean", "--keep", "0", "--yes").exit_code == 0
    assert runs() == []
    assert [path for path in (home / "store" / "blobs").rglob("*") if path.is_file()] == []
