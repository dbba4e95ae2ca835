"""Files that a person edits, deletes, links or names freely are theirs, whatever runs do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import kfnb
from kfnb.step.supervisor.client import is_available
from tests.desk import Desk
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
WAITS = """
import time
from pathlib import Path
_ = Path("result.txt").write_text("result")
while not Path(chr(46) + "go").exists():
    time.sleep(0.05)
n = 1
"""


@pytest.fixture(autouse=True)
def home(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFNB_HOME", str(desk.home))


@pytest.mark.skipif(not is_available(), reason="nobody sees who opens files")
def test_what_a_person_saves_while_a_step_runs_is_theirs(desk: Desk) -> None:
    path = desk.notebook(("step:a", WAITS), ("step:b", "print(n)"))
    notes, stale = desk.folder / "notes.txt", desk.folder / "stale.txt"
    stale.write_text("the person deletes this")
    run = kfnb.run(path, wait=False)
    wait_until((desk.folder / "result.txt").exists)
    notes.write_text("first")
    stale.write_text("edited once more")
    (desk.folder / ".go").touch()
    assert run.wait() == "succeeded"
    notes.write_text("second")
    stale.unlink()
    (desk.folder / "result.txt").unlink()
    again = kfnb.run(path)
    assert again.steps["a"].status == "cached", again.steps["a"].why
    assert notes.read_text() == "second"
    assert not stale.exists()
    # What the step wrote is written again, and the run says so.
    assert (desk.folder / "result.txt").read_text() == "result"
    assert again.steps["a"].why.endswith("; wrote result.txt (it was missing)")


def test_links_and_modes_come_back_as_they_were(desk: Desk) -> None:
    cell = (
        "import os\n_ = open('model-3.txt', 'w').write('m')\n"
        "os.symlink('model-3.txt', 'latest')\n"
        "os.close(os.open('key.pem', os.O_CREAT | os.O_WRONLY, 0o600))\nn = 1"
    )
    path = desk.notebook(("step:a", cell), ("step:b", "print(n, open('latest').read())"))
    assert kfnb.run(path).status == "succeeded"
    for name in ("latest", "model-3.txt", "key.pem"):
        (desk.folder / name).unlink()
    assert kfnb.run(path).steps["a"].status == "cached"
    assert (desk.folder / "latest").readlink() == Path("model-3.txt")
    assert (desk.folder / "key.pem").stat().st_mode & 0o777 == 0o600


def test_names_and_kinds_of_files_that_cannot_be_kept_are_no_failure(desk: Desk) -> None:
    cell = (
        "import os, socket\n_ = open(b'caf\\xe9.txt', 'w').write('x')\nos.mkfifo('pipe')\n"
        "s = socket.socket(socket.AF_UNIX)\ns.bind('socket')\ns.close()\nn = 1"
    )
    path = desk.notebook(("step:a", cell), ("step:b", "print(n)"))
    run = kfnb.run(path)
    assert run.status == "succeeded"
    # Executed a second time, it would fail: the pipe exists.
    assert run.steps["a"].attempts == 1
    (journal,) = (desk.home / "runs").glob("*/journal.jsonl")
    assert "KFNB-W619" in journal.read_text("utf-8")


def test_a_copied_notebook_writes_to_no_folder_of_the_first_one(desk: Desk) -> None:
    inner = desk.folder / "deep" / "er"
    inner.mkdir(parents=True)
    made = desk.notebook(
        ("step:a", "_ = open('../out.txt', 'w').write('x')\nn = 1"), ("step:b", "print(n)")
    )
    path = inner / "nb.ipynb"
    made.rename(path)
    assert kfnb.run(path).status == "succeeded"
    assert kfnb.run(path).steps["a"].status == "cached"
    copy = desk.folder / "copy.ipynb"
    shutil.copy(path, copy)
    other = kfnb.run(copy)
    assert other.steps["a"].status == "succeeded"
    assert (desk.folder.parent / "out.txt").read_text() == "x"
    (desk.folder.parent / "out.txt").unlink()
    (desk.folder / "deep" / "out.txt").unlink()


@pytest.mark.parametrize("templates", ["on", "off"])
def test_whatever_a_run_writes_is_private(
    desk: Desk, short_folder: Path, monkeypatch: pytest.MonkeyPatch, templates: str
) -> None:
    monkeypatch.setenv("KFNB_TEMPLATES", templates)
    monkeypatch.setenv("TMPDIR", str(short_folder))
    path = desk.notebook(
        ("step:a", "n = 1\nprint(n)"), ("step:b", "_ = open('out', 'w')\nprint(n)")
    )
    mask = os.umask(0)
    try:
        assert desk.kfnb("run", path).returncode == 0
    finally:
        os.umask(mask)
    written = [desk.home, *desk.home.rglob("*"), *short_folder.rglob("*")]
    assert [p for p in written if p.lstat().st_mode & 0o077 and not p.is_symlink()] == []
    # What the step itself writes has the rights that the person's own programs give.
    assert (desk.folder / "out").stat().st_mode & 0o777 == 0o666
