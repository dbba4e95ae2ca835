"""Wait until something in a folder changes, without asking all the time.

On Linux the kernel says so (inotify, through ctypes: no package is needed for four
calls); elsewhere, and where the kernel has no watches left, folders are looked at
in intervals that grow to half a second.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Protocol

# From <sys/inotify.h>. Files that were only read do not count: looking at a lock must not
# wake the one who looks.
_MODIFY, _CLOSE_WRITE, _MOVED_TO, _CREATE = 0x2, 0x8, 0x80, 0x100
_DELETE, _DELETE_SELF, _MOVE_SELF = 0x200, 0x400, 0x800
_MASK = _MODIFY | _CLOSE_WRITE | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
_HEADER = struct.Struct("iIII")

SHORTEST, LONGEST = 0.05, 0.5
"""Seconds between two looks at a folder, where the system does not tell."""


class _Eye(Protocol):
    def add(self, folder: Path) -> None: ...
    def remove(self, folder: Path) -> None: ...
    def wait(self, timeout: float) -> bool: ...
    def close(self) -> None: ...


class Watch:
    """Tells when files in some folders (not below them) were written, made or removed.

    A change between two calls of :meth:`wait` is not missed: the second returns at once.

    Parameters
    ----------
    folders
        Folders that exist; one that does not is looked at from when it is added again.
    poll
        Look in intervals although the system could tell (network file systems, tests).
    """

    def __init__(self, folders: Iterable[Path] = (), *, poll: bool = False) -> None:
        self._bell = _Bell()
        self._eye: _Eye = _Polling(self._bell) if poll else _best(self._bell)
        self._known: set[Path] = set()
        for folder in folders:
            self.add(folder)

    def add(self, folder: Path) -> None:
        """Watch one more folder; adding it twice does nothing."""
        if folder in self._known or not folder.is_dir():
            return
        self._known.add(folder)
        try:
            self._eye.add(folder)
        except OSError:  # no watches left: from now on all folders are looked at
            self._eye.close()
            self._eye = _Polling(self._bell)
            for known in self._known:
                self._eye.add(known)

    def remove(self, folder: Path) -> None:
        """Watch a folder no more; one that is not watched is none to mind."""
        if folder in self._known:
            self._known.remove(folder)
            self._eye.remove(folder)

    def wait(self, timeout: float) -> bool:
        """Return when something changed or :meth:`wake` was called, else after ``timeout`` seconds.

        Returns
        -------
        bool
            False when the time has passed.
        """
        return self._eye.wait(timeout)

    def rest(self, timeout: float) -> bool:
        """As :meth:`wait`, but let changes come together meanwhile: only :meth:`wake` ends it."""
        return self._bell.wait(timeout)

    def wake(self) -> None:
        """Make :meth:`wait` return, now or when it is called next; for other threads."""
        self._bell.ring()

    def close(self) -> None:
        """Give the system's watches back."""
        self._eye.close()
        self._bell.close()

    def __enter__(self) -> Watch:  # noqa: PYI034 (Self needs Python 3.11)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Bell:
    """What one thread rings to wake another that waits for files."""

    def __init__(self) -> None:
        self.ear, self._rope = socket.socketpair()
        self.ear.setblocking(False)
        self._rope.setblocking(False)

    def ring(self) -> None:
        try:
            self._rope.send(b"\0")
        except OSError:  # it rings already, or was taken down
            return

    def wait(self, timeout: float) -> bool:
        select.select([self.ear], [], [], max(0.0, timeout))
        return self.rang()

    def rang(self) -> bool:
        """Tell whether it was rung since the last time."""
        any_received = False
        try:
            while self.ear.recv(1 << 10):
                any_received = True
        except OSError:
            pass
        return any_received

    def close(self) -> None:
        self.ear.close()
        self._rope.close()


class _Inotify:
    def __init__(self, bell: _Bell) -> None:
        self._bell = bell
        self._watches: dict[Path, int] = {}
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def add(self, folder: Path) -> None:
        watch = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), _MASK)
        if watch < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
        self._watches[folder] = watch

    def remove(self, folder: Path) -> None:
        # A folder that was deleted took its watch along: an error that says nothing.
        self._libc.inotify_rm_watch(self._fd, self._watches.pop(folder))

    def wait(self, timeout: float) -> bool:
        ready, _, _ = select.select([self._fd, self._bell.ear], [], [], max(0.0, timeout))
        if not ready:
            return False
        self._drain()
        self._bell.rang()
        return True

    def _drain(self) -> None:
        try:
            while len(os.read(self._fd, 1 << 16)) >= _HEADER.size:
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Polling:
    def __init__(self, bell: _Bell) -> None:
        self._bell = bell
        self._seen: dict[Path, frozenset[tuple[str, int, int]]] = {}
        self._pause = SHORTEST

    def add(self, folder: Path) -> None:
        self._seen[folder] = _listing(folder)

    def remove(self, folder: Path) -> None:
        del self._seen[folder]

    def wait(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        rung = self._bell.rang()
        while True:
            if self._changed() or rung:
                self._pause = SHORTEST
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            rung = self._bell.wait(min(self._pause, left))
            self._pause = min(self._pause * 1.5, LONGEST)

    def _changed(self) -> bool:
        now = {folder: _listing(folder) for folder in self._seen}
        changed = now != self._seen
        self._seen = now
        return changed

    def close(self) -> None:
        self._seen.clear()


def _listing(folder: Path) -> frozenset[tuple[str, int, int]]:
    entries = set()
    try:
        for entry in os.scandir(folder):
            stat = entry.stat(follow_symlinks=False)
            entries.add((entry.name, stat.st_size, stat.st_mtime_ns))
    except OSError:  # removed under us, as a whole or a file of it: that is a change too
        entries.add(("", -1, len(entries)))
    return frozenset(entries)


def _best(bell: _Bell) -> _Eye:
    if sys.platform == "linux":
        try:
            return _Inotify(bell)
        except (OSError, AttributeError):  # no instances left, or a C library without it
            return _Polling(bell)
    return _Polling(bell)
