from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfnb.step.opened_files.folder_uses import FolderUses, folder_uses
from kfnb.step.opened_files.handover import BEGIN, END
from kfnb.step.opened_files.report import INCOMPLETE, FileEvent

KERNEL, CHILD = 10, 11
Use = tuple[int, str, int, str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made


def collected(folder: Path, *uses: Use, **options: object) -> FolderUses:
    """What follows from uses (process, operation, flags, path in the folder) of a step."""
    attempt = folder.parent / "attempt"

    def events() -> Iterator[FileEvent]:
        marked = [(KERNEL, "stat", 0, attempt / BEGIN), *uses]
        for number, (process, operation, flags, path) in enumerate(marked, 1):
            full = os.path.normpath(folder / path) if path else ""
            yield FileEvent(number, process, operation, flags, os.fsencode(full))

    return folder_uses(events(), folder=folder, attempt=attempt, **options)  # type: ignore[arg-type]


def opened(path: str, flags: int, process: int = KERNEL) -> Use:
    return (process, "open", flags, path)


NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def test_what_was_written_first_is_no_input(folder: Path) -> None:
    uses = collected(
        folder,
        opened("a", os.O_RDONLY),
        opened("a", NEW),
        opened("b", NEW),
        opened("b", os.O_RDONLY, CHILD),
        opened("both", os.O_RDWR),
        opened("appended", os.O_WRONLY | os.O_APPEND | os.O_CREAT),
        opened("exclusive", os.O_RDWR | os.O_CREAT | os.O_EXCL),
    )
    assert uses.read == {"a", "both", "appended"}
    assert uses.written == {"a", "b", "both", "appended", "exclusive"}
    assert uses.complete


def test_what_was_moved_or_linked_is_written(folder: Path) -> None:
    uses = collected(
        folder,
        (CHILD, "rename_from", 0, "old"),
        (CHILD, "rename_to", 0, "new"),
        opened("new/file", os.O_RDONLY),
        (CHILD, "link_from", 0, "source"),
        (CHILD, "link_to", 0, "linked"),
        (CHILD, "unlink", 0, "gone"),
        (CHILD, "truncate", 0, "shorter"),
    )
    assert uses.read == {"source"}
    assert uses.written == {"old", "new", "linked", "gone", "shorter"}


def test_looking_at_a_file_is_no_reading(folder: Path) -> None:
    uses = collected(
        folder,
        (KERNEL, "stat", 0, "a"),
        opened("b", os.O_RDONLY | os.O_DIRECTORY),
        opened("c", getattr(os, "O_PATH", os.O_DIRECTORY)),
    )
    assert not uses.read
    assert uses.looked == {"a"}


def test_what_a_step_has_made_itself_it_need_not_look_for(folder: Path) -> None:
    uses = collected(
        folder,
        (KERNEL, "stat", 0, "before"),
        opened("before", NEW),
        opened("own", NEW),
        (CHILD, "mkdir", 0, "folder"),
        *((CHILD, "stat", 0, path) for path in (".", "own", "folder", "folder/file")),
        (KERNEL, "stat", 0, f"../attempt/{END}"),
        (KERNEL, "stat", 0, "module.py"),
        (CHILD, "stat", 0, "late"),
    )
    assert uses.looked == {"before", "late"}


def test_a_program_in_the_folder_is_an_input(folder: Path) -> None:
    assert collected(folder, (CHILD, "execute", 0, "tool.sh")).read == {"tool.sh"}


def test_what_is_no_data_is_left_out(folder: Path) -> None:
    names = (".hidden", "__pycache__/m.pyc", ".ipynb_checkpoints/a", "nb.ipynb", "../other")
    uses = collected(
        folder,
        *(opened(name, os.O_RDONLY) for name in names),
        opened("store/blob", os.O_RDONLY),
        opened("stored", os.O_RDONLY),
        skip=[folder / "store"],
    )
    assert uses.read == {"stored"}


def test_only_listings_that_no_import_made_count(folder: Path) -> None:
    (folder / "package").mkdir()
    (folder / "package/m.py").touch()
    python = (CHILD, "execute", 0, "/usr/bin/python3.11")
    uses = collected(
        folder,
        (KERNEL, "list", 0, "."),
        (KERNEL, "list", 0, "native"),
        python,
        (CHILD, "list", 0, "."),
        (CHILD, "list", 0, "package"),
        (CHILD, "list", 0, "data"),
        searched=["./"],
    )
    assert uses.listed == {"native/", "data/"}
    shell = (CHILD, "execute", 0, "/bin/ls")
    assert collected(folder, python, shell, (CHILD, "list", 0, ".")).listed == {"./"}


def test_what_the_kernel_lists_after_the_last_cell_does_not_count(folder: Path) -> None:
    end = (KERNEL, "stat", 0, f"../attempt/{END}")
    uses = collected(folder, end, (KERNEL, "list", 0, "."), opened("late", NEW))
    assert not uses.listed
    assert uses.written == {"late"}


def test_what_came_before_the_step_does_not_count(folder: Path) -> None:
    attempt = folder.parent / "attempt"
    before = FileEvent(1, KERNEL, "open", 0, os.fsencode(folder / "a"))
    mark = FileEvent(2, KERNEL, "stat", 0, os.fsencode(attempt / BEGIN))
    assert folder_uses([before, mark], folder=folder, attempt=attempt) == FolderUses(complete=True)


def test_without_the_mark_nothing_is_known(folder: Path) -> None:
    event = FileEvent(1, KERNEL, "open", 0, os.fsencode(folder / "a"))
    assert folder_uses([event], folder=folder, attempt=folder.parent) == FolderUses()


@pytest.mark.parametrize("operation", [INCOMPLETE, "io_uring"])
def test_what_may_be_missing_is_known(folder: Path, operation: str) -> None:
    uses = collected(folder, (CHILD, operation, 0, ""), opened("a", os.O_RDONLY))
    assert not uses.complete
    assert uses.read == {"a"}


def test_both_names_of_a_linked_folder_are_the_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    uses = collected(tmp_path / "link", opened("a", 0), opened(str(folder / "b"), 0))
    assert uses.read == {"a", "b"}


def test_names_that_are_not_utf8_are_in_the_report(folder: Path) -> None:
    name = os.fsdecode(b"\xff")
    assert collected(folder, opened(name, os.O_CREAT | os.O_WRONLY)).written == {name}
