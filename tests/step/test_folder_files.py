from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kfnb.step import folder_files, own_stdout
from kfnb.step.in_kernel.audit import FileAudit
from kfnb.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made


def touch(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)


def test_a_listing_leaves_out_what_nobody_means(folder: Path) -> None:
    touch(
        folder, "a.csv", "sub/b.csv", ".hidden/c", "__pycache__/m.pyc", "nb.ipynb", "env/pyvenv.cfg"
    )
    touch(folder, "env/lib/x", "node_modules/y", "kept/store/blob")
    found = folder_files.listing(folder, skip=[folder / "kept"])
    assert set(found.files) == {"a.csv", "sub/b.csv"}


def test_what_kfnb_itself_says_into_a_file_is_no_file_of_the_notebook(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(folder, "a.csv")
    before = folder_files.listing(folder)
    with (folder / "log.json").open("w") as log, (folder / "err.txt").open("w") as errors:
        said = own_stdout.described((log.fileno(), errors.fileno(), log.fileno()))
        monkeypatch.setenv(own_stdout.VARIABLE, said)
    touch(folder, "b.csv", "log.json")
    (folder / "same.json").symlink_to("log.json")
    after = folder_files.listing(folder)
    assert set(after.files) == {"a.csv", "b.csv"}
    written = folder_files.written_files(
        folder,
        changed=folder_files.changed_files(before, after),
        audited=["log.json", "same.json"],
        expected=["err.txt"],
        foreign=[],
        before=before,
    )
    assert written == ["b.csv"]


def test_only_regular_files_are_own_output(folder: Path) -> None:
    reading, writing = os.pipe()
    with Path(os.devnull).open("w") as nothing:
        assert own_stdout.described((reading, nothing.fileno(), 1 << 20)) == ""
    os.close(reading)
    os.close(writing)


def test_a_change_in_a_huge_tree_is_found(folder: Path) -> None:
    for n in range(21_000):
        (folder / f"{n}.txt").touch()
    before = folder_files.listing(folder)
    touch(folder, "20999.txt", "new.txt")
    after = folder_files.listing(folder)
    assert folder_files.changed_files(before, after) == {"20999.txt", "new.txt"}


def written(folder: Path, before: folder_files.Listing, *audited: str, watched: bool) -> list[str]:
    return folder_files.written_files(
        folder,
        changed=folder_files.changed_files(before, folder_files.listing(folder)),
        audited=audited,
        expected=[],
        foreign=[],
        before=before,
        watched=watched,
    )


def test_only_what_a_watched_step_opened_is_its_own(folder: Path) -> None:
    touch(folder, "notes.txt")
    before = folder_files.listing(folder)
    touch(folder, "result.txt", "notes-2.txt", "unpacked/a/b.txt")
    assert written(folder, before, "result.txt", "unpacked", watched=True) == [
        "result.txt",
        "unpacked/a/b.txt",
    ]
    everything = ["notes-2.txt", "result.txt", "unpacked/a/b.txt"]
    assert written(folder, before, "result.txt", watched=False) == everything


def test_what_is_written_through_a_link_is_written_to_the_file(folder: Path, store: Store) -> None:
    touch(folder, "model-3.txt")
    (folder / "latest").symlink_to("model-3.txt")
    before = folder_files.listing(folder)
    (folder / "latest").write_text("newer content")
    assert written(folder, before, "latest", watched=True) == ["latest", "model-3.txt"]
    assert folder_files.store_file(store, folder, "latest").link == "model-3.txt"
    assert folder_files.store_file(store, folder, "model-3.txt").link == ""


def test_a_file_behind_a_linked_folder_is_stored_with_the_real_one(
    folder: Path, store: Store
) -> None:
    touch(folder, "data-1/a.csv")
    (folder / "data").symlink_to("data-1")
    assert folder_files.store_file(store, folder, "data/a.csv").folder == str(folder / "data-1")
    assert folder_files.store_file(store, folder, "data-1/a.csv").folder == ""


def test_names_that_are_not_utf8_are_no_files_of_a_manifest(folder: Path) -> None:
    before = folder_files.listing(folder)
    name = os.fsdecode(b"caf\xe9.txt")
    for path in (name, "caf\u00e9.txt"):
        (folder / path).write_text("content")
    assert written(folder, before, name, "caf\u00e9.txt", watched=True) == ["caf\u00e9.txt"]
    assert folder_files.unnameable(folder, [name, "a"], before=before) == ["caf\\xe9.txt"]


def test_pipes_and_sockets_are_no_files(folder: Path) -> None:
    before = folder_files.listing(folder)
    os.mkfifo(folder / "pipe")
    assert written(folder, before, "pipe", watched=True) == []


def test_only_own_files_are_claimed(folder: Path) -> None:
    touch(
        folder,
        "same",
        "audited",
        "unseen",
        "foreign",
        "expected",
        "untouched",
        "both",
        "../out.txt",
    )
    before = folder_files.listing(folder)
    before = folder_files.Listing(
        {**before.files, **folder_files.marks(folder, ["../out.txt", "../never"])}
    )
    for name in ("audited", "unseen", "foreign", "expected", "both", "../out.txt"):
        (folder / name).write_text("changed now")
    touch(folder, "new", "foreign_new")
    after = folder_files.listing(folder)
    written = folder_files.written_files(
        folder,
        changed=folder_files.changed_files(before, after),
        audited=["audited", "same", "gone", "both"],
        expected=["./expected", "untouched", "missing", "../out.txt", str(folder / "new")],
        foreign=["foreign", "foreign_new", "both"],
        before=before,
    )
    assert written == ["../out.txt", "audited", "both", "expected", "new", "unseen"]


def test_opened_files_are_noted_and_others_ignored(folder: Path) -> None:
    audit = FileAudit(str(folder))
    touch(folder, "read.csv", "appended", "changed", "db.sqlite", "x.ipynb", ".cache/y")

    def open_like(path: str, mode: str | None, flags: int = 0) -> None:
        audit._opened(str(folder / path), mode, flags)

    open_like("read.csv", "r")
    open_like("appended", "a")
    open_like("changed", "r+")
    open_like("new", "w")
    open_like("new", "r")
    open_like("never", "r")
    open_like("raw", None, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    open_like("x.ipynb", "r")
    open_like(".cache/y", "r")
    audit._opened(3, "r", 0)
    audit._opened(str(folder.parent / "outside"), "w", 0)
    audit._renamed("tmp", str(folder / "moved").encode())
    audit._connected(str(folder / "db.sqlite"))
    audit._connected(":memory:")
    assert audit.read == {"read.csv", "appended", "changed", "db.sqlite"}
    assert audit.written == {"appended", "changed", "new", "raw", "moved"}


def test_the_hook_sees_what_python_does(folder: Path) -> None:
    touch(folder, "in.txt")
    code = """
import os, shutil, sys, tempfile
sys.path.insert(0, sys.argv[2])
from kfnb.step.in_kernel.audit import FileAudit
audit = FileAudit(sys.argv[1]); audit.start()
os.chdir(sys.argv[1])
open("in.txt").read()
shutil.copy("in.txt", "copied.txt")
from pathlib import Path
Path("by_path.txt").write_text("x"); os.replace("by_path.txt", "renamed.txt")
os.close(os.open("raw.txt", os.O_CREAT | os.O_WRONLY))
try: open("absent.txt")
except FileNotFoundError: pass
with tempfile.TemporaryFile(): pass
print(sorted(audit.read), sorted(audit.written))
"""
    root = str(Path(folder_files.__file__).parents[2])
    result = subprocess.run(
        [sys.executable, "-c", code, str(folder), root], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == (
        "['in.txt'] ['by_path.txt', 'copied.txt', 'raw.txt', 'renamed.txt']"
    )


def test_a_file_system_far_away_is_recognised(tmp_path: Path) -> None:
    from kfnb.step.in_kernel.kernel_plan import is_remote

    mounts = tmp_path / "mounts"
    mounts.write_text(
        "root / ext4 rw 0 0\n"
        f"server:/x {tmp_path}/far\\040away nfs4 rw 0 0\n"
        f"here {tmp_path}/far\\040away/near xfs rw 0 0\n"
        f"s3 {tmp_path}/s3 fuse.rclone rw 0 0\n"
    )
    assert is_remote(tmp_path / "far away/store", mounts)
    assert is_remote(tmp_path / "s3/store", mounts)
    assert not is_remote(tmp_path / "far away/near/store", mounts)
    assert not is_remote(tmp_path / "store", mounts)
    assert not is_remote(tmp_path / "store", tmp_path / "none")
