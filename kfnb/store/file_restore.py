"""Bring back files that earlier steps wrote, without losing what a person wrote.

A file is replaced only if a step or kfnb put its present content there, and the store has a copy
of it.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

from kfnb.errors import InfrastructureError, UsageError
from kfnb.store import disk
from kfnb.store.blobs import Store
from kfnb.store.content import hash_bytes
from kfnb.store.hash_cache import FileHashes
from kfnb.store.manifest import WrittenFile

_TEMPORARY = ".kfnb"
_SECONDS_TO_WRITE = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Pauses before a file with unknown content is looked at again: it may be half written."""


class FileChanged(UsageError):  # noqa: N818 (a state, not a fault)
    """A file that a step wrote was changed since; kfnb does not overwrite it."""

    def __init__(self, path: str) -> None:
        super().__init__(f'The file "{path}" was changed after a step wrote it.')
        self.path = path
        self.remedy = (
            f'To get the step\'s version back, move "{path}" to another folder. To write it again, '
            "run with --no-cache, or with --from and the step's name. To replace it by the step's "
            "version, run with --overwrite-files."
        )


class FolderMoved(UsageError):  # noqa: N818 (as above)
    """A symbolic link on the way to a file leads to another folder than when a step wrote it."""

    def __init__(self, path: str, *, then: str, now: str) -> None:
        super().__init__(
            f'The file "{path}" was written to {then}, but a symbolic link on the way now leads '
            f"to {now}."
        )
        self.path = path
        self.remedy = (
            "Let the link lead where it did, or execute the step again: run with --no-cache, or "
            "with --from and the step's name."
        )


class PlacedFiles:
    """Which contents steps or restores have put at which paths, for all runs of one store.

    Contents are records of their own, so that drivers that execute side by side lose none.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        # Always on this machine, even if the store is elsewhere: paths are this machine's.
        self._folder = store.root / "placed"

    def note(self, path: Path, content: str) -> None:
        """Note that kfnb, or a step, has put a content at a path."""
        record = self._records(path) / content
        # What has no record is not replaced, so a disk that refuses loses nothing.
        with contextlib.suppress(OSError):
            disk.private_folders(record.parent)
            record.touch(mode=0o600, exist_ok=True)

    def may_replace(self, path: Path, content: str | None) -> bool:
        """Return whether a content was put there by kfnb or a step, and can be had again."""
        if content is None or not _has_copy(self._store, content):
            return False
        records = self._records(path)
        # Before a path has its first record, an older version may have written the file.
        return (records / content).exists() or not records.exists()

    def _records(self, path: Path) -> Path:
        name = hash_bytes(os.fsencode(path.absolute()))
        return self._folder / name.partition("-")[0]


def restore(
    files: Mapping[str, WrittenFile],
    *,
    workdir: Path,
    store: Store,
    hashes: FileHashes,
    overwrite: bool = False,
) -> list[str]:
    """Write the files that are missing or outdated; the paths that were written.

    With ``overwrite`` also those that somebody else has changed.

    Raises
    ------
    FileChanged
        If a file has content that neither a step nor kfnb put there. No file was written then.
    FolderMoved
        If the file would now be written to another folder.
    InfrastructureError
        If a file is missing and the store has no copy of it, or the disk refuses.
    """
    placed = PlacedFiles(store)
    outdated = []
    for path, file in files.items():
        target = workdir / path
        if file.folder and (now := os.path.realpath(target.parent)) != file.folder:
            raise FolderMoved(path, then=file.folder, now=now)
        present = hashes.of(target)
        # Setup cells write their files in each step, also while another step is prepared.
        for pause in _SECONDS_TO_WRITE:
            if overwrite or present in (file.hash, None) or placed.may_replace(target, present):
                break
            time.sleep(pause)
            present = hashes.of(target)
        if present == file.hash and (not file.link or _link_of(target) == file.link):
            continue
        changed = os.path.lexists(target) and not placed.may_replace(target, present)
        if changed and not (overwrite and target.is_file()):
            raise FileChanged(path)
        if not store.has(file.hash):
            raise InfrastructureError(
                f'The file "{path}" is missing, and the store has no copy of it. Execute the step '
                "that writes it again (--from)."
            )
        outdated.append(path)
    # Only after all were checked, so that a refusal leaves every file as it was. Links are last,
    # because they lead to files that may have to be written first.
    for path in sorted(outdated, key=lambda path: bool(files[path].link)):
        _write(path, workdir / path, files[path], store)
        placed.note(workdir / path, files[path].hash)
    return outdated


def save_changed(
    files: Mapping[str, WrittenFile], *, workdir: Path, store: Store, hashes: FileHashes
) -> None:
    """Copy into the store what a failed attempt made of files that earlier steps wrote.

    The next attempt starts from those steps' versions, and nothing is lost by it.
    """
    for path, file in files.items():
        present = hashes.of(workdir / path)
        is_file = present is not None and not present.startswith("tree:")
        if is_file and present != file.hash and not _has_copy(store, present):
            store.add_blob(workdir / path, move=False)


def _link_of(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:  # it is no link, or does not exist
        return ""


def _has_copy(store: Store, content: str | None) -> bool:
    return content is not None and not content.startswith("tree:") and store.has(content)


def _write(path: str, target: Path, file: WrittenFile, store: Store) -> None:
    new = not os.path.lexists(target)
    # Hidden, so that a listing of the folder does not take it for a file that a step wrote.
    temporary = target.with_name(
        f".{target.name[:80]}.{os.getpid()}-{os.urandom(4).hex()}{_TEMPORARY}"
    )
    with disk.writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_unfinished(target.parent)
        try:
            if file.link:
                temporary.symlink_to(file.link)
            else:
                # Private until it has its mode: it may be the copy of a key.
                os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                disk.copy_content(store.fetch(file.hash), temporary)
                temporary.chmod(file.mode & 0o7777)
            if not new or not _link(path, temporary, target):
                temporary.replace(target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


def remove_unfinished(folder: Path) -> None:
    """Remove unfinished copies that killed processes left in a folder."""
    with contextlib.suppress(OSError):
        for file in folder.glob(f".*{_TEMPORARY}"):
            matched = re.search(r"\.(\d+)-[0-9a-f]{8}$", file.name.removesuffix(_TEMPORARY))
            if matched is not None and not _is_alive(int(matched[1])):
                file.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it belongs to somebody else
        return True
    return True


def _link(path: str, temporary: Path, target: Path) -> bool:
    """Give a new file its name; False if the file system has no hard links.

    Unlike a rename, this cannot replace a file that somebody has written in the meantime.
    """
    try:
        if temporary.is_symlink():  # os.link() would follow it
            target.symlink_to(temporary.readlink())
        else:
            os.link(temporary, target)
    except FileExistsError:
        raise FileChanged(path) from None
    except OSError:
        return False
    return True
