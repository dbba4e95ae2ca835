"""Files that only child processes and native code use decide what depends on what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import kfnb
from kfnb.step.opened_files.seccomp_filter import wanted
from tests.fidelity.corpus import notebook

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not wanted(), reason="files are not watched on this system"),
]
# Reading a notebook does not know this name.
NAMED = "import sys\nname = ''.join(map(chr, [100, 97, 116, 97]))\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KFNB_STEP", raising=False)
    return tmp_path / "home"


def write(folder: Path, *cells: tuple[str, str]) -> Path:
    made = notebook(tuple(((tags,), source) for tags, source in cells))
    path = folder / "nb.ipynb"
    path.write_text(json.dumps(made))
    return path


def events(home: Path, kind: str) -> list[dict[str, Any]]:
    lines = [
        line for path in home.glob("runs/*/journal.jsonl") for line in path.read_text().splitlines()
    ]
    return [event for event in map(json.loads, lines) if event["type"] == kind]


def test_a_file_that_flows_between_two_programs_is_an_edge(tmp_path: Path, home: Path) -> None:
    path = write(
        tmp_path,
        ("step:writes", f"{NAMED}import os\nos.system(f'echo 1 > {{name}}')"),
        ("step:reads", f"{NAMED}import os\nos.system(f'cat {{name}}')"),
    )
    kfnb.run(path, wait=True, parallel=1)
    [edge] = events(home, "EdgeAdded")
    data = edge["data"]
    assert (data["source"], data["target"], data["files"]) == ("writes", "reads", ["data"])


def test_a_file_that_a_program_has_read_is_a_part_of_the_cache_key(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("1")
    path = write(
        tmp_path,
        ("step:reads", f"{NAMED}import os\nos.system(f'cat {{name}}')"),
        ("step:misses", f"{NAMED}import os\nprint(os.path.exists(f'more {{name}}'))"),
        ("step:finds", f"{NAMED}import os\nos.system(f'test -e {{name}}')"),
        ("step:makes", "import os\nif not os.path.exists('made'): open('made', 'w').close()"),
    )
    first = kfnb.run(path, wait=True)
    again = kfnb.run(path, wait=True)
    (tmp_path / "data").write_text("2")
    (tmp_path / "more data").touch()
    changed = kfnb.run(path, wait=True)
    whys = [{name: step.why for name, step in run.steps.items()} for run in (first, again, changed)]
    assert set(whys[0].values()) == {"first run of this step"}
    assert all(why.startswith("nothing changed") for why in whys[1].values()), whys[1]
    assert whys[2]["reads"] == "file data changed"
    assert whys[2]["misses"] == "file more data is there now"
    # What is in a file is nothing to a step that only looks whether it is there.
    assert whys[2]["finds"].startswith("nothing changed")
    assert whys[2]["makes"].startswith("nothing changed")
