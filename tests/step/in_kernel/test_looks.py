"""Where nobody outside sees it, the kernel itself records what the user's code looks for."""

from __future__ import annotations

# ruff: noqa: PTH110, PTH116 (these are the functions that are tested)
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfnb.step.in_kernel.audit import FileAudit
from kfnb.step.in_kernel.looks import LookWatch


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileAudit]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").touch()
    made = FileAudit(str(tmp_path))
    watch = LookWatch(made)
    watch.start()
    yield made
    watch.stop()


def execute(source: str) -> None:
    """Execute a cell."""
    exec(compile(source, "<cell>", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize(
    "source",
    [
        "import os; os.path.exists('a.csv'); os.path.exists('b.csv')",
        "import os; os.access('a.csv', os.R_OK); os.access(b'b.csv', os.R_OK)",
        "import os; os.path.isfile(os.path.abspath('a.csv')); os.path.islink('b.csv')",
        "from pathlib import Path; Path('a.csv').stat(); Path('b.csv').is_dir()",
    ],
)
def test_what_a_cell_looks_for_is_known(audit: FileAudit, source: str) -> None:
    execute(source)
    assert audit.looked == {"a.csv": True, "b.csv": False}


def test_what_libraries_look_for_and_other_folders_are_left_out(audit: FileAudit) -> None:
    os.path.exists("a.csv")
    execute("import os\nfor path in ('/', '.', '..', '.hidden', 'n.ipynb'): os.path.exists(path)")
    assert audit.looked == {}


def test_what_was_written_before_is_no_input(audit: FileAudit) -> None:
    audit.written.add("b.csv")
    execute("import os; os.path.exists('b.csv')")
    assert audit.looked == {}


def test_errors_and_answers_are_those_of_the_system(audit: FileAudit, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="b"):
        os.stat("b.csv")
    assert os.stat("a.csv").st_size == 0
    assert os.stat(tmp_path, follow_symlinks=False) == os.lstat(tmp_path)
    assert os.stat in os.supports_dir_fd
    (tmp_path / "folder" / "below").mkdir(parents=True)
    shutil.rmtree("folder")
    assert not (tmp_path / "folder").exists()


def test_afterwards_the_functions_are_the_systems_own() -> None:
    before = os.stat, os.lstat, os.access
    watch = LookWatch(FileAudit("/"))
    watch.start()
    assert os.stat is not before[0]
    watch.stop()
    assert (os.stat, os.lstat, os.access) == before
