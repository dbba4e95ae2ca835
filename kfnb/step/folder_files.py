"""Files of the notebook's folder: put back before a step, found again after it."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kfnb.errors import InfrastructureError, UsageError
from kfnb.step.in_kernel.audit import ignored
from kfnb.step.own_stdout import is_in, own_output
from kfnb.store import Store, hash_file, size_of
from kfnb.store.manifest import WrittenFile

MOST_FILES = 20_000
"""Entries of the notebook's folder that are looked at; beyond, only declared and audited files."""

Mark = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Listing:
    """Time of change, size and inode of each file, by relative path."""

    files: Mapping[str, Mark]
    complete: bool = True


def listing(folder: Path, *, skip: Collection[Path] = (), most: int = MOST_FILES) -> Listing:
    """List the files below ``folder``, without hidden ones, caches, notebooks and environments.

    Nor is a file there that kfnb's own command line writes into.
    """
    found: dict[str, Mark] = {}
    own = own_output()
    skipped = {os.path.realpath(path) for path in skip}
    for count, (relative, status) in enumerate(_walk(str(folder), "", skipped)):
        if count >= most:
            return Listing(found, complete=False)
        if not is_in(status, own):
            found[relative] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return Listing(found)


def changed_files(before: Listing, after: Listing) -> set[str]:
    """Return the files that are new or not the same; nothing if one listing has a hole."""
    if not (before.complete and after.complete):
        return set()
    return {path for path, mark in after.files.items() if before.files.get(path) != mark}


def written_files(
    folder: Path,
    *,
    changed: Collection[str],
    audited: Collection[str],
    expected: Collection[str],
    foreign: Collection[str],
    before: Listing,
) -> list[str]:
    """Return the files that this step wrote, as paths to be kept in its manifest.

    ``changed`` files that the step neither opened nor declared are taken for its own
    unless another step declares them. A file counts only if it is not what it was
    ``before``; declared ones that a listing leaves out have their :func:`marks` there.
    """
    own = {relative_path(folder, path) for path in expected}
    others = {relative_path(folder, path) for path in foreign}
    candidates = {*audited, *own, *(p for p in changed if p not in others)}
    kept = []
    for path in sorted(candidates):
        mark = _mark(folder / path)
        if mark is None or before.files.get(path) == mark:
            continue
        kept.append(path)
    return kept


def marks(folder: Path, paths: Collection[str]) -> dict[str, Mark]:
    """Return the marks of single files, for those that a listing leaves out."""
    found = {}
    for path in paths:
        relative = relative_path(folder, path)
        mark = _mark(folder / relative)
        if mark is not None:
            found[relative] = mark
    return found


def relative_path(folder: Path, path: str) -> str:
    """Return ``path`` as seen from ``folder``, with forward slashes."""
    full = os.path.normpath(folder / Path(path).expanduser())
    return os.path.relpath(full, folder).replace(os.sep, "/")


def keep(store: Store, folder: Path, path: str) -> WrittenFile:
    """Add a written file to the store, leaving it where it is."""
    file = folder / path
    status = file.stat()
    return WrittenFile(
        hash=store.add_blob(file, move=False), size=status.st_size, mode=status.st_mode & 0o777
    )


def restore(store: Store, folder: Path, files: Mapping[str, WrittenFile]) -> list[str]:
    """Put back files of upstream steps that are missing; the paths that were put back.

    Raises
    ------
    UsageError
        If a file is there with another content than the one that was written.
    InfrastructureError
        If a file can be neither found nor put back.
    """
    restored = []
    for path, written in files.items():
        target = folder / path
        if _there(target, path, written):
            continue
        if not store.has(written.hash):
            raise InfrastructureError(
                f'The file "{path}", which an earlier step wrote, is gone from the folder and from '
                "the store. Run the step that writes it again (--from)."
            )
        if _put(store.blob(written.hash), target, written.mode):
            restored.append(path)
        elif not _there(target, path, written):
            raise InfrastructureError(f'The file "{path}" vanished while it was looked at.')
    return restored


def _there(target: Path, path: str, written: WrittenFile) -> bool:
    """Whether the file is as it was written; an error if it has another content."""
    try:
        same = target.stat().st_size == size_of(written.hash) and (
            hash_file(target) == written.hash
        )
    except FileNotFoundError:
        return False
    except OSError as error:
        raise InfrastructureError(f'Cannot read the file "{path}": {error.strerror}.') from error
    if not same:
        raise UsageError(
            f'The file "{path}" is not the one that an earlier step wrote: it was changed since. '
            "It is left alone. Move it away, or run the step that writes it again (--from)."
        )
    return True


def _put(blob: Path, target: Path, mode: int) -> bool:
    """Copy a blob to ``target`` unless something is there; False if it was."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.kfnb")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(blob, temporary)
        temporary.chmod(mode)
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        except OSError:  # no hard links on this file system
            if target.exists():
                return False
            temporary.replace(target)
    except OSError as error:
        raise InfrastructureError(
            f'Cannot put back the file "{target}": {error.strerror or error}.'
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return True


def _mark(path: Path) -> Mark | None:
    try:
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode) or is_in(status, own_output()):
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _walk(folder: str, prefix: str, skipped: set[str]) -> Iterator[tuple[str, os.stat_result]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    if prefix and any(entry.name == "pyvenv.cfg" for entry in entries):
        return
    for entry in entries:
        relative = prefix + entry.name
        if ignored([entry.name]):
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                if os.path.realpath(entry.path) not in skipped:
                    yield from _walk(entry.path, relative + "/", skipped)
            elif entry.is_file():
                yield relative, entry.stat()
        except OSError:
            continue
