"""A lock on a file that ends with the process that holds it, however it ends."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    # Far behind the pid that stands at the beginning: Windows forbids reading a locked byte.
    _LOCKED_BYTE = 1 << 20

    def _take(fd: int, *, shared: bool = False) -> None:  # noqa: ARG001 (Windows has no such kind)
        os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(fd: int, *, shared: bool = False) -> None:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


class FileLock:
    """An exclusive lock that the operating system keeps for one open file.

    The file is never deleted, so that two processes can never lock two files of
    the same name. It holds the pid of who has (or last had) the lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def acquire(self) -> bool:
        """Take the lock if nobody has it.

        Somebody who only looks (:meth:`held`) has it for an instant, so this tries for 50 ms.

        Raises
        ------
        OSError
            If the file cannot be made or opened.
        """
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        for last in (False,) * 5 + (True,):
            try:
                _take(fd)
                break
            except (BlockingIOError, PermissionError):
                if last:
                    os.close(fd)
                    return False
                time.sleep(0.01)
            except BaseException:
                os.close(fd)
                raise
        self._fd = fd
        os.ftruncate(fd, 0)
        os.lseek(fd, 0, os.SEEK_SET)
        os.write(fd, f"{os.getpid()}\n".encode())
        return True

    def holder(self) -> int | None:
        """Give the pid that stands in the file, None where none does."""
        try:
            return int(self.path.read_text().strip())
        except (OSError, ValueError):
            return None

    def held(self) -> bool:
        """Tell whether some process (this one too) holds the lock now."""
        if self._fd >= 0:
            return True
        if not self.path.exists():
            return False
        fd = os.open(self.path, os.O_RDWR)
        try:
            _take(fd, shared=True)
        except (BlockingIOError, PermissionError):
            return True
        finally:
            os.close(fd)
        return False

    def release(self) -> None:
        """Give the lock back; does nothing where it is not held."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
