"""The guided example: each of its five lessons ends as it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.examples.test_examples import EXAMPLES, kfnb


class Guide:
    """The notebook in a folder of its own, as a person edits it."""

    def __init__(self, base: Path) -> None:
        self.folder = base / "guide"
        self.home = base / "home"
        shutil.copytree(EXAMPLES / "guide", self.folder)
        self.path = self.folder / "guide.ipynb"

    def kfnb(self, command: str, *words: str) -> tuple[int, str]:
        done = kfnb(command, "guide.ipynb", *words, cwd=self.folder, home=self.home)
        return done.returncode, done.stdout + done.stderr

    def tag(self, cell: str, tag: str) -> None:
        notebook = json.loads(self.path.read_text())
        (one,) = [c for c in notebook["cells"] if c["id"] == cell]
        one["metadata"]["tags"] = [tag]
        self.path.write_text(json.dumps(notebook))

    def replace(self, old: str, new: str) -> None:
        """Edit code; the text around it says the same words."""
        notebook = json.loads(self.path.read_text())
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["source"] = "".join(cell["source"]).replace(old, new)
        self.path.write_text(json.dumps(notebook))


@pytest.fixture
def guide(tmp_path: Path) -> Guide:
    return Guide(tmp_path)


def test_a_tag_adds_the_step_and_its_edges(guide: Guide) -> None:
    guide.tag("line", "step:fit line")
    code, shown = guide.kfnb("show", "--json")
    assert code == 0
    pipeline = json.loads(shown)
    inputs = {step["name"]: step["inputs"] for step in pipeline["steps"]}
    assert list(inputs) == ["make data", "fit line", "fit average", "compare"]
    assert inputs["fit line"] == {"sold": "make data", "warmth": "make data"}
    assert set(inputs["fit average"].values()) == {"make data"}, "the two fits stand side by side"


@pytest.mark.slow
def test_it_runs_breaks_and_is_mended_as_it_says(guide: Guide) -> None:
    guide.tag("line", "step:fit line")
    code, printed = guide.kfnb("run")
    assert code == 0, printed
    assert "4 succeeded" in printed
    assert "4 cached" in guide.kfnb("run")[1]

    guide.replace("days_of_a_week = 7", "days_of_a_week = 0")
    code, printed = guide.kfnb("run")
    assert code == 1
    assert "3 cached" in printed
    assert "ZeroDivisionError" in printed
    assert "weeks = days / days_of_a_week" in printed

    guide.replace("days_of_a_week = 0", "days_of_a_week = 7")
    code, printed = guide.kfnb("run")
    assert code == 0
    assert "4 cached" in printed
