"""A run of a notebook whose steps collect: what views get, what is cached, and ``--only``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import kfnb
from tests.fidelity.corpus import notebook

pytestmark = pytest.mark.slow

CELLS = {
    "step:load": "results = {'z': 0}",
    "step:a": "results['a'] = 1",
    "step:b": "results['b'] = [2]",
    "step:report": "names = list(results)\nprint(names)",
    "step:end": "print(names)",
}


def write(folder: Path, cells: dict[str, str]) -> Path:
    path = folder / "nb.ipynb"
    path.write_text(json.dumps(notebook(tuple(((tag,), source) for tag, source in cells.items()))))
    return path


def statuses(run: kfnb.Run) -> dict[str, str]:
    return {name: step.status for name, step in run.steps.items()}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KFNB_STEP", raising=False)


def test_a_step_that_adds_shows_the_value_as_the_notebook_has_it_then(tmp_path: Path) -> None:
    run = kfnb.run(write(tmp_path, CELLS), wait=True)
    assert run.status == "succeeded"
    assert dict(run.steps["a"].outputs) == {"results": {"z": 0, "a": 1}}
    assert run.steps["b"].outputs["results"] == {"z": 0, "a": 1, "b": [2]}
    assert list(run.steps["b"].outputs.describe()) == ["results"]
    assert run.steps["report"].outputs["names"] == ["z", "a", "b"]


def test_only_what_a_change_reaches_is_executed_again(tmp_path: Path) -> None:
    first = kfnb.run(write(tmp_path, CELLS), wait=True)
    assert first.status == "succeeded"

    changed = kfnb.run(write(tmp_path, CELLS | {"step:b": "results['c'] = [2]"}), wait=True)
    assert statuses(changed) == {
        "load": "cached",
        "a": "cached",
        "b": "succeeded",
        "report": "succeeded",
        "end": "succeeded",
    }
    assert changed.steps["report"].outputs["names"] == ["z", "a", "c"]

    # The order in which they add counts, although both add the same as before.
    load, a, b, *rest = CELLS.items()
    swapped = kfnb.run(write(tmp_path, dict([load, b, a, *rest])), wait=True)
    assert statuses(swapped)["report"] == "succeeded"
    assert swapped.steps["report"].outputs["names"] == ["z", "b", "a"]


def test_one_step_that_reads_takes_the_additions_of_an_earlier_run(tmp_path: Path) -> None:
    path = write(tmp_path, CELLS)
    assert kfnb.run(path, wait=True).status == "succeeded"
    again = kfnb.run(path, only_step="report", wait=True)
    assert again.status == "succeeded"
    assert again.steps["report"].outputs["names"] == ["z", "a", "b"]


def test_a_run_that_is_resumed_has_the_additions_made_before(tmp_path: Path) -> None:
    broken = CELLS | {"step:report": "import os\nos.stat('there')\nnames = list(results)"}
    run = kfnb.run(write(tmp_path, broken), wait=True)
    assert run.status == "failed"
    (tmp_path / "there").write_text("")
    run.resume()
    assert run.wait() == "succeeded"
    assert run.steps["report"].outputs["names"] == ["z", "a", "b"]


def test_a_value_of_setup_is_collected_too(tmp_path: Path) -> None:
    cells = {"setup": "results = []", "step:a": "results.append(1)", "step:b": "results.append(2)"}
    run = kfnb.run(write(tmp_path, cells | {"step:report": "print(results)"}), wait=True)
    assert run.status == "succeeded"
    assert run.steps["b"].outputs["results"] == [1, 2]
