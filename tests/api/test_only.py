"""``--only STEP``: one step alone, with what came before it taken from an earlier run."""

from __future__ import annotations

import json

import pytest

import kfnb
from kfnb.errors import UsageError

CELLS = (
    ("parameters", "divisor = 1\nunused = 0"),
    ("step:load", "numbers = [2, 4]\nfrom pathlib import Path\nPath('seen.txt').write_text('x')"),
    ("step:beside", "other = 1 / divisor"),
    ("step:share", "print('sharing')\nshares = [n / divisor for n in numbers]"),
    ("step:tell", "print(shares, Path('seen.txt').read_text())"),
)


@pytest.fixture(autouse=True)
def home(desk, monkeypatch):
    monkeypatch.setenv("KFNB_HOME", str(desk.home))
    monkeypatch.delenv("KFNB_STEP", raising=False)


def test_without_an_earlier_run_nothing_is_started(desk):
    path = desk.notebook(*CELLS)
    with pytest.raises(UsageError, match='No run of this notebook has all inputs of step "share"'):
        kfnb.run(path, only_step="share")
    assert desk.runs() == []


def test_a_step_that_is_not_there(desk):
    path = desk.notebook(*CELLS)
    with pytest.raises(UsageError, match='no step "shar"'):
        kfnb.run(path, only_step="shar")
    with pytest.raises(UsageError, match="not both"):
        kfnb.run(path, only_step="share", from_step="share")
    said = desk.kfnb("run", path, "--only", "share", "--from", "share")
    assert said.returncode == 2
    assert "--from and --only exclude each other" in said.stderr
    assert desk.runs() == []


@pytest.mark.slow
def test_one_step_executes_and_the_others_are_taken(desk):
    path = desk.notebook(*CELLS)
    first = kfnb.run(path)
    assert first.status == "succeeded"

    again = kfnb.run(path, {"divisor": 2}, only_step="share")
    assert again.status == "succeeded"
    # Neither what stands beside it nor what comes after it belongs to such a run.
    assert {name: step.status for name, step in again.steps.items()} == {
        "load": "cached",
        "share": "succeeded",
    }
    assert again.steps["share"].outputs["shares"] == [1.0, 2.0]
    assert again.steps["share"].why == "--only share"
    assert again.steps["load"].why == f"taken from run {first.id}"
    assert again.steps["load"].outputs["numbers"] == [2, 4]
    assert again.notebook("load").is_file()

    # The next one finds in that run what it needs.
    (desk.folder / "seen.txt").unlink()
    tell = kfnb.run(path, only_step="tell")
    assert tell.status == "succeeded"
    assert tell.logs("tell") == "[1.0, 2.0] x\n"
    assert tell.steps["share"].why == f"taken from run {again.id}; with other values of divisor"

    # A step that needs nothing is alone.
    load = desk.kfnb("run", path, "--only", "load", "--json")
    assert load.returncode == 0, load.stderr
    started = [e["step"] for e in map(json.loads, load.stdout.splitlines()) if e["step"]]
    assert set(started) == {"load"}


@pytest.mark.slow
def test_a_run_that_failed_before_it_does_not_serve(desk):
    path = desk.notebook(*CELLS)
    assert kfnb.run(path).status == "succeeded"
    source = path.read_text()
    path.write_text(source.replace("numbers = [2, 4]", "numbers = 1 / 0"))
    assert kfnb.run(path).status == "failed"
    path.write_text(source.replace("numbers = [2, 4]", "numbers = [6, 8]"))
    run = kfnb.run(path, only_step="share")
    # The newest run that has it, and what it has is older than the notebook.
    assert run.steps["share"].outputs["shares"] == [2.0, 4.0]
    assert run.steps["load"].why.endswith("; its code has changed since")


@pytest.mark.slow
def test_it_fails_and_is_resumed_as_any_run(desk):
    path = desk.notebook(*CELLS)
    assert kfnb.run(path).status == "succeeded"
    failed = kfnb.run(path, {"divisor": 0}, only_step="share")
    assert failed.status == "failed"
    assert failed.steps["share"].error.line == 2
    resumed = kfnb.open_run(failed.id).resume(wait=True)
    assert resumed.status == "failed"
    assert resumed.steps["load"].status == "cached"
    assert resumed.steps["share"].attempts == 2


@pytest.mark.slow
def test_reused_results_stay_when_the_earlier_run_is_cleaned(desk):
    path = desk.notebook(*CELLS, ("step:big", "array = b'x' * 2**20"), ("step:end", "len(array)"))
    first = kfnb.run(path)
    only = kfnb.run(path, only_step="end")
    assert desk.kfnb("clean", "--keep", "1").returncode == 0
    assert [run.id for run in kfnb.runs()] == [only.id] != [first.id]
    assert len(only.steps["big"].outputs["array"]) == 2**20
