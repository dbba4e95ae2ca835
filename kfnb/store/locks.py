"""File locks that end with the process that holds them, whatever ends it.

``flock`` belongs to the open file, so a child that inherits the descriptor holds the lock too. A
driver uses this to see that a step still runs although another driver started it. Unlike a pid, a
lock cannot be mistaken for that of another process.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from kfnb.errors import InfrastructureError

PATIENCE = 5.0
"""Seconds that a lock is waited for that is held only for moments."""

_PATIENCE_WITH_OURS = 60.0
_REFUSED = 75
_LOCK = f"""
import fcntl, sys
try:
    fcntl.flock(open(sys.argv[1], "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit({_REFUSED})
"""


def acquire(path: Path, *, patience: float = 0.0) -> int | None:
    """Lock ``path`` for this process alone; the descriptor, or None if another holds it.

    Parameters
    ----------
    patience
        Seconds to go on trying: someone who only asks whether a lock is held
        (:func:`is_locked`) holds it for an instant.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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


def are_honoured(path: Path) -> bool:
    """Return whether a file system refuses what another process has locked; ``path`` is created.

    Some network file systems let every attempt to lock succeed.

    Raises
    ------
    OSError
        If the file cannot be created, or the file system has no locks at all.
    """
    first = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        second = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if not _taken(second):
                return True
            # NFS keeps one lock for all descriptors of a process, so a second process must try.
            fcntl.flock(second, fcntl.LOCK_UN)
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            command = [sys.executable, "-c", _LOCK, str(path)]
            return subprocess.run(command, check=False).returncode == _REFUSED
        finally:
            os.close(second)
    finally:
        os.close(first)


@contextlib.contextmanager
def held(path: Path, *, shared: bool, patience: float = PATIENCE) -> Iterator[None]:
    """Hold ``path`` locked for a moment, waiting for others.

    Raises
    ------
    InfrastructureError
        If another process holds it for ``patience`` seconds; it is named where that is known.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience
    last = deadline + _PATIENCE_WITH_OURS
    try:
        while not _taken(fd, shared=shared):
            if time.monotonic() >= deadline:
                pids = holders(path)
                # kfnb clean may need longer, and ends.
                if not pids or not all(map(_is_kfnb, pids)) or time.monotonic() > last:
                    raise InfrastructureError(_held_sentence(path, pids))
            time.sleep(0.02)
        yield
    finally:
        os.close(fd)


def holders(path: Path) -> list[int]:
    """Return the processes that hold a lock of a file, as far as ``/proc/locks`` says."""
    try:
        status = path.stat()
        lines = Path("/proc/locks").read_text("ascii").splitlines()
    except (OSError, ValueError):
        return []
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    pids = []
    for line in lines:
        # "1: FLOCK  ADVISORY  WRITE 4711 08:02:131 0 EOF"; one that only waits has an arrow.
        fields = line.split()
        if "->" not in fields and len(fields) > 5 and fields[5] == device:
            pids.append(int(fields[4]))
    return pids


def refuse_strangers(path: Path) -> None:
    """Do nothing unless only processes that are not kfnb's hold a lock of ``path``.

    Raises
    ------
    InfrastructureError
        With the processes.
    """
    pids = holders(path)
    if pids and not any(map(_is_kfnb, pids)):
        raise InfrastructureError(_held_sentence(path, pids))


def _held_sentence(path: Path, pids: Sequence[int]) -> str:
    if not pids:
        return (
            f"Another process has locked {path} for more than {PATIENCE:g} seconds, perhaps on "
            "another machine or on a network file system that does not answer. End it, or set "
            "KFNB_HOME to a folder on a local disk."
        )
    named = ", ".join(f"{pid} ({_program(pid)})" for pid in pids)
    return (
        f"Process {named} has locked {path} for more than {PATIENCE:g} seconds. Wait until it has "
        "ended, or end it, and try again."
    )


def _is_kfnb(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    if any(argument.rpartition(b"/")[2] == b"kfnb" for argument in command[:2]):
        return True
    # Not any argument: paths of the files that a stranger works on contain the name, too.
    following = dict(itertools.pairwise(command))
    return b"kfnb" in following.get(b"-m", b"") or b"kfnb" in following.get(b"-c", b"")


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "unknown"


def _taken(fd: int, *, shared: bool = False) -> bool:
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
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
