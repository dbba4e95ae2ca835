"""File locks that end with the process that holds them, whatever ends it.

``flock`` belongs to the open file: a child that inherits the descriptor holds the
lock too, which is how a driver tells that a step still runs although another
driver started it, and it cannot be fooled by a pid that is used again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path


def acquire(path: Path, *, patience: float = 0.0) -> int | None:
    """Lock ``path`` for this process alone; the descriptor, or None if another holds it.

    Parameters
    ----------
    patience
        Seconds to go on trying: someone who only asks whether a lock is held
        (:func:`is_locked`) holds it for an instant.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    deadline = time.monotonic() + patience
    try:
        while not _taken(fd):
            if time.monotonic() >= deadline:
                os.close(fd)
                return None
            time.sleep(0.02)
    except OSError:
        os.close(fd)
        raise
    return fd


def is_locked(path: Path) -> bool:
    """Whether a living process holds ``path`` locked."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


@contextlib.contextmanager
def held(path: Path, *, shared: bool) -> Iterator[None]:
    """Hold ``path`` locked for a moment, waiting for others."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
