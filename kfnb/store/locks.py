"""File locks that end with the process that holds them, whatever ends it.

``flock`` belongs to the open file, so a child that inherits the descriptor holds the lock too. A
driver uses this to see that a step still runs although another driver started it. Unlike a pid, a
lock cannot be mistaken for that of another process.
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
        # Read-only is enough for flock(), and it creates no file where there is none.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared, so that two processes that only ask do not see each other as holders.
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


class FileLock:
    """An exclusive lock of this process, with its pid in the file.

    The file is never deleted, so that two processes can never lock two files of the same name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self) -> bool:
        """Take the lock if no process holds it.

        Raises
        ------
        OSError
            If the file cannot be made or opened.
        """
        # A process that only asks whether the lock is held has it for an instant.
        self._fd = acquire(self.path, patience=0.05)
        if self._fd is None:
            return False
        os.ftruncate(self._fd, 0)
        os.write(self._fd, f"{os.getpid()}\n".encode())
        return True

    def holder(self) -> int | None:
        """Return the pid of the process that has, or last had, the lock; None if unknown."""
        try:
            return int(self.path.read_text().strip())
        except (OSError, ValueError):
            return None

    def held(self) -> bool:
        """Return whether some process (this one too) holds the lock now."""
        return self._fd is not None or is_locked(self.path)

    def release(self) -> None:
        """Release the lock; does nothing where it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
