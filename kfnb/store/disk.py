"""Writing files so that they are whole or absent, and saying plainly when a disk refuses."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from kfnb.errors import InfrastructureError

_FREE = "Free some space (kfnb clean removes old runs) and resume the run"
_SENTENCES = {
    errno.ENOSPC: f"the disk is full. {_FREE}",
    errno.EDQUOT: f"your disk quota is used up. {_FREE}",
    errno.EFBIG: "the file is larger than this process may write (ulimit -f). "
    "Raise the limit and resume the run",
    errno.EROFS: "the file system is read-only. Set KFNB_HOME to a folder that can be written",
    errno.EACCES: "you may not write there. Set KFNB_HOME to a folder that can be written",
    errno.EPERM: "you may not write there. Set KFNB_HOME to a folder that can be written",
    errno.ENOENT: "the folder is gone; something removed it while it was in use",
    errno.EIO: "the disk reports an input/output error",
    errno.ESTALE: "the network file system lost the file",
}


def sentence(error: OSError, path: Path | str) -> str:
    """Say in one sentence what the operating system refused and what to do."""
    reason = _SENTENCES.get(error.errno or 0) or (error.strerror or str(error)).lower()
    return f"Cannot write {path}: {reason}."


@contextlib.contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn an operating system's refusal into an :class:`~kfnb.errors.InfrastructureError`."""
    try:
        yield
    except OSError as error:
        raise InfrastructureError(sentence(error, path)) from error


def sync_folder(folder: Path) -> None:
    """Make entries of ``folder`` durable (where folders can be synced)."""
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(fd)


def sync_file(path: Path) -> None:
    """Make the content of ``path`` durable."""
    fd = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_new(path: Path, data: bytes, *, durable: bool = True, mode: int = 0o666) -> None:
    """Write ``data`` to a file that is not there yet; nothing is left of it on failure."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), mode)
    try:
        view = memoryview(data)
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
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    write_new(temporary, data, durable=durable)
    try:
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        sync_folder(path.parent)
