"""Bring back files that earlier steps wrote, without ever losing what a person wrote.

A file may be replaced only by content of which the store has a copy: what stands
there now was then written by a step, and can be had again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from kfnb.errors import UsageError
from kfnb.store import disk
from kfnb.store.blobs import Store
from kfnb.store.hash_cache import FileHashes
from kfnb.store.manifest import WrittenFile


class FileChanged(UsageError):  # noqa: N818 (a state, not a fault)
    """A file that a step wrote was changed since; kfnb does not overwrite it."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f'the file "{path}", which a step wrote, was changed since by somebody else'
        )
        self.path = path
        self.remedy = (
            f'Move "{path}" away to have the step\'s own version back, '
            "or run with --no-cache (or --from the step) to write it anew."
        )


def restore(
    files: Mapping[str, WrittenFile], *, workdir: Path, store: Store, hashes: FileHashes
) -> list[str]:
    """Make each file be as the steps left it; the paths that were written.

    Raises
    ------
    FileChanged
        If a file has content that is in no store. Nothing was written then.
    InfrastructureError
        If the disk refuses.
    """
    missing = []
    for path, file in files.items():
        now = hashes.of(workdir / path)
        if now == file.hash:
            continue
        exists = os.path.lexists(workdir / path)
        if exists and (now is None or now.startswith("tree:") or not store.has(now)):
            raise FileChanged(path)
        if not store.has(file.hash):
            raise FileNotFoundError(path)
        missing.append(path)
    for path in missing:
        _write(workdir / path, files[path], store)
    return missing


def save_changed(
    files: Mapping[str, WrittenFile], *, workdir: Path, store: Store, hashes: FileHashes
) -> None:
    """Copy into the store what a failed attempt made of files that earlier steps wrote.

    The next attempt starts from those steps' versions, and nothing is lost by it.
    """
    for path, file in files.items():
        now = hashes.of(workdir / path)
        if now and now != file.hash and not now.startswith("tree:") and not store.has(now):
            store.add_blob(workdir / path, move=False)


def _write(target: Path, file: WrittenFile, store: Store) -> None:
    temporary = target.with_name(f".{target.name[:80]}.{os.urandom(4).hex()}.kfnb")
    with disk.writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(store.fetch(file.hash), temporary)
            temporary.chmod(file.mode & 0o7777)
            temporary.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
