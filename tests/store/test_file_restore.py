"""Files of earlier steps are put back, and what a person wrote is never lost by it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kfnb.errors import InfrastructureError
from kfnb.store import Store, open_store
from kfnb.store.file_restore import (
    FileChanged,
    FolderMoved,
    PlacedFiles,
    restore,
    save_changed,
)
from kfnb.store.hash_cache import FileHashes
from kfnb.store.manifest import WrittenFile


class Folder:
    """A notebook's folder beside a store."""

    def __init__(self, root: Path) -> None:
        self.path = root / "work"
        self.path.mkdir()
        self.store: Store = open_store(root / "store")

    def written(self, content: str, mode: int = 0o644) -> WrittenFile:
        """Return the record of a file that a step has written, with its content in the store."""
        name = self.store.add_bytes(content.encode())
        return WrittenFile(name, len(content), mode)

    def restore(self, **files: WrittenFile) -> list[str]:
        hashes = FileHashes(self.store)
        return restore(files, workdir=self.path, store=self.store, hashes=hashes)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_missing_file_is_put_back_once(folder: Folder) -> None:
    files = {"deep/er/copy": folder.written("content", 0o755)}
    assert folder.restore(**files) == ["deep/er/copy"]
    copy = folder.path / "deep/er/copy"
    assert copy.read_text() == "content"
    assert copy.stat().st_mode & 0o777 == 0o755
    assert folder.restore(**files) == []
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_a_file_that_somebody_changed_is_an_error_and_stays(folder: Folder) -> None:
    (folder.path / "a").write_text("by hand")
    with pytest.raises(FileChanged, match='"a" was changed after a step wrote it') as error:
        folder.restore(b=folder.written("other"), a=folder.written("by a step"))
    assert (folder.path / "a").read_text() == "by hand"
    assert not (folder.path / "b").exists()
    assert "--no-cache" in error.value.remedy


def test_a_file_that_another_steps_setup_is_writing_is_waited_for(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"module.py": folder.written("def seed(): ...")}
    module = folder.path / "module.py"
    module.write_text("")  # as it is after open(…, "w")
    monkeypatch.setattr(
        "kfnb.store.file_restore.time.sleep", lambda _: module.write_text("def seed(): ...")
    )
    assert folder.restore(**files) == []
    assert module.read_text() == "def seed(): ..."


def test_a_folder_in_a_files_place_is_an_error(folder: Folder) -> None:
    (folder.path / "a").mkdir()
    files = {"a": folder.written("by a step")}
    for overwrite in (False, True):
        with pytest.raises(FileChanged):
            restore(
                files,
                workdir=folder.path,
                store=folder.store,
                hashes=FileHashes(folder.store),
                overwrite=overwrite,
            )


def test_an_older_version_that_the_store_has_is_replaced(folder: Folder) -> None:
    old, new = folder.written("old"), folder.written("new")
    folder.restore(a=old)
    assert folder.restore(a=new) == ["a"]
    assert (folder.path / "a").read_text() == "new"


def test_a_file_that_appears_meanwhile_is_not_replaced(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def somebody_is_faster(source: Path, target: Path) -> None:
        target.write_text("by hand")
        link(source, target)

    file = folder.written("by a step")
    monkeypatch.setattr(os, "link", somebody_is_faster)
    with pytest.raises(FileChanged):
        folder.restore(a=file)
    assert (folder.path / "a").read_text() == "by hand"
    assert [path.name for path in folder.path.iterdir()] == ["a"]


def test_a_file_system_without_hard_links_will_do(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no hard links")

    file = folder.written("by a step")
    monkeypatch.setattr(os, "link", refuse)
    assert folder.restore(a=file) == ["a"]


def test_a_file_that_is_nowhere_is_an_error(folder: Folder) -> None:
    with pytest.raises(InfrastructureError, match="missing, and the store has no copy"):
        folder.restore(a=WrittenFile("0" * 32 + "-1", 1))


def test_what_a_failed_attempt_made_of_a_file_can_be_had_again(folder: Folder) -> None:
    first = folder.written("first")
    (folder.path / "a").write_text("half a result")
    hashes = FileHashes(folder.store)
    save_changed({"a": first}, workdir=folder.path, store=folder.store, hashes=hashes)
    assert folder.restore(a=first) == ["a"]
    assert (folder.path / "a").read_text() == "first"


def test_a_persons_copy_of_a_result_is_not_replaced(folder: Folder) -> None:
    best, model = folder.written("best"), folder.written("model")
    assert folder.restore(best=best, model=model) == ["best", "model"]
    # The store has this content, but no step has put it under this name.
    (folder.path / "model").write_text("best")
    with pytest.raises(FileChanged, match='"model"'):
        folder.restore(model=model)
    assert (folder.path / "model").read_text() == "best"


def test_what_kfnb_put_there_is_replaced(folder: Folder) -> None:
    first, second = folder.written("first"), folder.written("second")
    folder.restore(model=first)
    assert folder.restore(model=second) == ["model"]
    assert folder.restore(model=first) == ["model"]


def test_what_a_step_wrote_is_replaced(folder: Folder) -> None:
    first, second = folder.written("first"), folder.written("second")
    folder.restore(model=first)
    (folder.path / "model").write_text("second")
    PlacedFiles(folder.store).note(folder.path / "model", second.hash)
    assert folder.restore(model=first) == ["model"]


def test_a_link_is_restored_as_a_link(folder: Folder) -> None:
    content = folder.written("content")
    link = dataclasses.replace(content, link="model-3")
    assert folder.restore(latest=link, **{"model-3": content}) == ["latest", "model-3"]
    assert (folder.path / "latest").readlink() == Path("model-3")
    assert folder.restore(latest=link, **{"model-3": content}) == []
    # A person may keep large files elsewhere and have links to them instead.
    (folder.path / "model-3").rename(folder.path / "annex")
    (folder.path / "model-3").symlink_to("annex")
    assert folder.restore(**{"model-3": content}) == []


def test_a_linked_folder_that_leads_elsewhere_today_is_an_error(folder: Folder) -> None:
    for name in ("one", "two"):
        (folder.path / name).mkdir()
    (folder.path / "data").symlink_to("two")
    file = dataclasses.replace(folder.written("x"), folder=str(folder.path / "one"))
    with pytest.raises(FolderMoved, match=r"now leads to .*two"):
        folder.restore(**{"data/a": file})
    assert list((folder.path / "two").iterdir()) == []


def test_a_private_file_is_private_from_its_beginning(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    copy = shutil.copyfile

    def spy(source: Path, target: Path) -> None:
        copy(source, target)
        modes.append(target.stat().st_mode & 0o777)

    monkeypatch.setattr(shutil, "copyfile", spy)
    folder.restore(key=folder.written("secret", 0o600))
    assert modes == [0o600]
    assert (folder.path / "key").stat().st_mode & 0o777 == 0o600


def test_what_a_killed_process_left_is_removed(folder: Folder) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    )
    gone = folder.path / f".a.{ended.stdout.strip()}-0123abcd.kfnb"
    busy = folder.path / f".a.{os.getpid()}-0123abcd.kfnb"
    own = folder.path / ".mine.kfnb"
    for path in (gone, busy, own):
        path.write_text("half")
    folder.restore(a=folder.written("whole"))
    assert not gone.exists()
    assert busy.exists()
    assert own.exists()
