"""There is one example for each view, and each is a pipeline that runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.desk import Desk

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "widgets"
VIEWS = ["compare", "dag", "logs", "metrics", "outputs", "table"]


def test_each_view_has_an_example() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == VIEWS


@pytest.mark.parametrize("view", VIEWS)
def test_the_check_finds_nothing_wrong(view: str, desk: Desk) -> None:
    checked = desk.kfnb("check", FOLDER / f"{view}.ipynb", "--json")
    assert (checked.returncode, json.loads(checked.stdout)) == (0, [])


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
def test_what_launches_it_is_no_part_of_its_pipeline(view: str, desk: Desk) -> None:
    shutil.copy(FOLDER / f"{view}.ipynb", desk.folder)
    run = desk.kfnb("run", f"{view}.ipynb", "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(desk.runs()) == 1
