"""Bring back files that earlier steps wrote, without losing what a person wrote.

A file is replaced only if the store has a copy of its present content: then a step wrote it, and
it can be had again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from kfnb.errors import InfrastructureError, UsageError
from kfnb.store import disk
from kfnb.store.blobs import Store
from kfnb.store.hash_cache import FileHashes
from kfnb.store.manifest import WrittenFile


class FileChanged(UsageError):  # noqa: N818 (a state, not a fault)
    """A file that a step wrote was changed since; kfnb does not overwrite it."""

    def __init__(self, path: str) -> None:
        super().__init__(f'The file "{path}" was changed after a step wrote it.')
        self.path = path
        self.remedy = (
            f'To get the step\'s version back, move "{path}" to another folder. To write it again, '
            "run with --no-cache, or with --from and the step's name."
        )


def restore(
    files: Mapping[str, WrittenFile], *, workdir: Path, store: Store, hashes: FileHashes
) -> list[str]:
    """Write the files that are missing or outdated; the paths that were written.

    Raises
    ------
    FileChanged
        If a file has content that is not in the store. No file was written then.
    InfrastructureError
        If a file is missing and the store has no copy of it, or the disk refuses.
    """
    outdated = []
    for path, file in files.items():
        present = hashes.of(workdir / path)
        if present == file.hash:
            continue
        if os.path.lexists(workdir / path) and not _has_copy(store, present):
            raise FileChanged(path)
        if not store.has(file.hash):
            raise InfrastructureError(
                f'The file "{path}" is missing, and the store has no copy of it. Execute the step '
                "that writes it again (--from)."
            )
        outdated.append(path)
    # Only after all were checked, so that a refusal leaves every file as it was.
    for path in outdated:
        _write(path, workdir / path, files[path], store)
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


def _has_copy(store: Store, content: str | None) -> bool:
    return content is not None and not content.startswith("tree:") and store.has(content)


def _write(path: str, target: Path, file: WrittenFile, store: Store) -> None:
    new = not os.path.lexists(target)
    # Hidden, so that a listing of the folder does not take it for a file that a step wrote.
    temporary = target.with_name(f".{target.name[:80]}.{os.urandom(4).hex()}.kfnb")
    with disk.writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(store.fetch(file.hash), temporary)
            temporary.chmod(file.mode & 0o7777)
            if not new or not _link(path, temporary, target):
                temporary.replace(target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _link(path: str, temporary: Path, target: Path) -> bool:
    """Give a new file its name; False if the file system has no hard links.

    Unlike a rename, this cannot replace a file that somebody has written in the meantime.
    """
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise FileChanged(path) from None
    except OSError:
        return False
    return True
