"""Files of the notebook's folder: which of them a step wrote, found by comparing listings."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kfnb.step.in_kernel.audit import ignored
from kfnb.step.own_stdout import is_in, own_output
from kfnb.store import Store
from kfnb.store.manifest import WrittenFile

Mark = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Listing:
    """Each file's times of modification and of change, size and inode, by relative path."""

    files: Mapping[str, Mark]


def listing(folder: Path, *, skip: Collection[Path] = ()) -> Listing:
    """List the files below ``folder``, without hidden ones, caches, notebooks and environments.

    A file into which kfnb's own output is redirected is left out as well.
    """
    files: dict[str, Mark] = {}
    own = own_output()
    skipped = {os.path.realpath(path) for path in skip}
    for relative, status in _walk(str(folder), "", skipped):
        if not is_in(status, own):
            files[relative] = _mark_of(status)
    return Listing(files)


def changed_files(before: Listing, after: Listing) -> set[str]:
    """Return the files that are new or have changed."""
    # The time of change is left out: a link to a file, or new rights, are no new content.
    old = {path: mark[:3] for path, mark in before.files.items()}
    return {path for path, mark in after.files.items() if old.get(path) != mark[:3]}


def written_files(
    folder: Path,
    *,
    changed: Collection[str],
    audited: Collection[str],
    expected: Collection[str],
    foreign: Collection[str],
    before: Listing,
    watched: bool = False,
) -> list[str]:
    """Return the paths of the files that this step wrote.

    If every open was ``watched``, only files that the step itself opened, or that it declares,
    are its own: a person or another run may change others meanwhile. Otherwise ``changed`` files
    that it neither opened nor declared are taken for its own, unless another step declares them.
    A file counts only if it differs from ``before``, which also has the :func:`marks` of declared
    files that a listing leaves out.
    """
    own = {relative_path(folder, path) for path in expected}
    others = {relative_path(folder, path) for path in foreign}
    # A folder that was renamed, or unpacked under another name, is opened as a whole.
    opened = set(audited)
    below = {p for p in changed if not opened.isdisjoint(map(str, PurePosixPath(p).parents))}
    # The audit sees files opened in the kernel; a child process's files show only as changes.
    unclear = set() if watched else {p for p in changed if p not in others}
    candidates = {*opened, *own, *below, *unclear}
    # What is written through a link changes the file that it leads to.
    candidates |= {relative_path(folder, os.path.realpath(folder / p)) for p in candidates}
    written = []
    for path in sorted(candidates):
        mark = _mark(folder / path)
        if mark is None or before.files.get(path) == mark or not is_text(path):
            continue
        written.append(path)
    return written


def unnameable(folder: Path, written: Collection[str], *, before: Listing) -> list[str]:
    """Return the written files whose names are not UTF-8, as a terminal may show them."""
    return sorted(
        os.fsencode(path).decode("utf-8", "backslashreplace")
        for path in written
        if not is_text(path) and _mark(folder / path) not in (None, before.files.get(path))
    )


def marks(folder: Path, paths: Collection[str]) -> dict[str, Mark]:
    """Return the marks of single files, for those that a listing leaves out."""
    existing = {}
    for path in paths:
        relative = relative_path(folder, path)
        mark = _mark(folder / relative)
        if mark is not None:
            existing[relative] = mark
    return existing


def relative_path(folder: Path, path: str) -> str:
    """Return ``path`` as seen from ``folder``, with forward slashes."""
    full = os.path.normpath(folder / Path(path).expanduser())
    return os.path.relpath(full, folder).replace(os.sep, "/")


def store_file(store: Store, folder: Path, path: str) -> WrittenFile:
    """Copy a file that the step wrote into the store."""
    file = folder / path
    status = file.stat()
    real = os.path.realpath(file.parent)
    plain = os.path.normpath(Path(os.path.realpath(folder)) / Path(path).parent)
    return WrittenFile(
        hash=store.add_blob(file, move=False),
        size=status.st_size,
        mode=status.st_mode & 0o777,
        link=str(file.readlink()) if file.is_symlink() else "",
        # Nothing to remember where no link is on the way, which is nearly always.
        folder="" if real == plain else real,
    )


def is_text(path: str) -> bool:
    """Return whether a path can stand in a manifest, which is JSON in UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _mark(path: Path) -> Mark | None:
    try:
        status = path.stat()
    except OSError:
        return None
    # Pipes and devices have no content that could be stored.
    if not stat.S_ISREG(status.st_mode) or is_in(status, own_output()):
        return None
    return _mark_of(status)


def _mark_of(status: os.stat_result) -> Mark:
    return (status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns)


def _walk(folder: str, prefix: str, skipped: set[str]) -> Iterator[tuple[str, os.stat_result]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    # A virtual environment has tens of thousands of files, none of which is a result.
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
