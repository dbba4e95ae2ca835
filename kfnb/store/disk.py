"""Write files whole or not at all, and explain in a sentence why a disk refuses."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from kfnb.errors import InfrastructureError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Error numbers of a disk that takes no more."""

_PIECE = 1 << 20

_FREE = "Free some space (kfnb clean removes old runs) and resume the run"
_CHOOSE = "Set KFNB_HOME to a writable folder"
_REASONS: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", _FREE),
    errno.EDQUOT: ("your disk quota is used up", _FREE),
    errno.EFBIG: (
        "the file exceeds the size limit of this process (ulimit -f)",
        "Raise the limit and resume the run",
    ),
    errno.EROFS: ("the file system is read-only", _CHOOSE),
    errno.EACCES: ("you have no permission", _CHOOSE),
    errno.EPERM: ("you have no permission", _CHOOSE),
    errno.ENOENT: ("its folder was deleted", ""),
    errno.EIO: ("the disk reports an input/output error", ""),
    errno.ENOLCK: (
        "the file system has no locks to give",
        "Set KFNB_HOME to a folder on a local disk",
    ),
    errno.ESTALE: ("the network file system lost the file", ""),
}


def reason(number: int | None) -> str | None:
    """Return in a few words what an error number of the operating system means; None if unknown."""
    known = _REASONS.get(number or 0)
    return known[0] if known else None


def sentence(error: OSError, path: Path | str, *, action: str = "write") -> str:
    """Say in one sentence what the operating system refused, and what to do."""
    words, remedy = _REASONS.get(error.errno or 0, ("", ""))
    words = words or (error.strerror or str(error)).lower()
    return f"Cannot {action} {path}: {words}." + (f" {remedy}." if remedy else "")


@contextlib.contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn an operating system's refusal into an :class:`~kfnb.errors.InfrastructureError`."""
    try:
        yield
    except OSError as error:
        raise InfrastructureError(sentence(error, path)) from error


def private_folder(path: Path) -> None:
    """Create a folder that only this user can enter, or take the rights of others to enter it.

    Raises
    ------
    InfrastructureError
        If it belongs to another user.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Created with these rights, because between mkdir and chmod others could open it.
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.stat()
    if status.st_uid != os.geteuid():
        raise InfrastructureError(
            f"{path} belongs to another user, who could read your data and change what your steps "
            "load. Set KFNB_HOME to a folder of your own."
        )
    if status.st_mode & 0o077:
        path.chmod(0o700)
        sys.stderr.write(
            f"kfnb: {path} was open to other users of this machine. Now only you can enter it.\n"
        )


def missing_folders(path: Path) -> list[Path]:
    """Return those of a folder and the folders above it that do not exist, the highest first."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    return missing[::-1]


def private_folders(path: Path) -> None:
    """Create a folder and what is missing above it, so that only this user can enter them."""
    for folder in missing_folders(path):
        folder.mkdir(mode=0o700, exist_ok=True)


def private_log(path: Path) -> BinaryIO:
    """Open a file to append to it; a new one is readable for this user only."""
    return open(path, "ab", opener=private_opener)


def private_opener(path: str, flags: int) -> int:
    """Open a file for :func:`open`; a new one is readable for this user only."""
    return os.open(path, flags, 0o600)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable, where the file system can sync a folder."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        # Some network file systems cannot sync a folder, and there is nothing that could replace
        # it.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(fd)


def sync_file(path: Path) -> None:
    """Make the content of ``path`` durable."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_new(path: Path, data: bytes, *, durable: bool = True, mode: int = 0o600) -> None:
    """Write ``data`` to a file that does not exist yet; remove the file if that fails."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        view = memoryview(data)
        # The system may write only a part of the data at once.
        while view:
            view = view[os.write(fd, view) :]
        if durable:
            os.fsync(fd)
    except BaseException:
        os.close(fd)
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    os.close(fd)


def replace(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old content or the new, whole."""
    # In the same folder, because a rename is atomic only within one file system.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    write_new(temporary, data, durable=durable)
    try:
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        # The new name is in the folder, which is synced separately from the file.
        sync_folder(path.parent)


def copy_content(source: Path, target: Path) -> None:
    """Copy a file's content; holes of a sparse file stay holes.

    Raises
    ------
    OSError
        If one of them cannot be opened, read or written.
    """
    with source.open("rb", buffering=0) as old:
        status = os.fstat(old.fileno())
        # 512: the unit of st_blocks (POSIX, sys/stat.h), whatever the file system's blocks are.
        if not hasattr(os, "SEEK_DATA") or status.st_blocks * 512 >= status.st_size:
            shutil.copyfile(source, target)
            return
        with target.open("wb", buffering=0) as new:
            for start, end in _data(old.fileno(), status.st_size):
                old.seek(start)
                new.seek(start)
                while start < end and (piece := old.read(min(_PIECE, end - start))):
                    new.write(piece)
                    start += len(piece)
            new.truncate(status.st_size)


def _data(file: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield where the data of a sparse file begins and ends, between its holes."""
    position = 0
    while position < size:
        try:
            start = os.lseek(file, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # only a hole is left
                raise
            return
        position = os.lseek(file, start, os.SEEK_HOLE)
        yield start, position
