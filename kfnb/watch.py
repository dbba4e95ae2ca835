"""Wait until something in a folder changes.

On Linux, inotify reports changes (through ctypes: four calls need no package). On other systems,
and if no inotify watches are left, folders are listed at intervals that grow to half a second.
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
from typing import Protocol

# From <sys/inotify.h>. Reading a file is no change: otherwise, checking a lock file would wake the
# process that checks it.
_MODIFY, _CLOSE_WRITE, _MOVED_TO, _CREATE = 0x2, 0x8, 0x80, 0x100
_DELETE, _DELETE_SELF, _MOVE_SELF = 0x200, 0x400, 0x800
_MASK = _MODIFY | _CLOSE_WRITE | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
_HEADER = struct.Struct("iIII")

SHORTEST, LONGEST = 0.05, 0.5
"""Seconds between two listings of a folder, if the system does not report changes."""


class _Watcher(Protocol):
    def add(self, folder: Path) -> None: ...
    def remove(self, folder: Path) -> None: ...
    def wait(self, timeout: float) -> bool: ...
    def close(self) -> None: ...


class Watch:
    """Waits for files in some folders (not below them) to be written, created or removed.

    A change between two calls of :meth:`wait` is not missed: the second returns at once.

    Parameters
    ----------
    folders
        Folders to watch; one that does not exist is ignored and can be added later.
    poll
        List the folders at intervals even if inotify is available (for network file systems).
    """

    def __init__(self, folders: Iterable[Path] = (), *, poll: bool = False) -> None:
        self._wakeup = _WakeupPair()
        self._watcher: _Watcher = _Polling(self._wakeup) if poll else _best(self._wakeup)
        self._known: set[Path] = set()
        for folder in folders:
            self.add(folder)

    def add(self, folder: Path) -> None:
        """Watch one more folder; adding it twice does nothing."""
        if folder in self._known or not folder.is_dir():
            return
        self._known.add(folder)
        try:
            self._watcher.add(folder)
        except OSError:  # No watches left: from now on all folders are listed.
            self._watcher.close()
            self._watcher = _Polling(self._wakeup)
            for known in self._known:
                self._watcher.add(known)

    def remove(self, folder: Path) -> None:
        """Stop watching a folder; one that is not watched is ignored."""
        if folder in self._known:
            self._known.remove(folder)
            self._watcher.remove(folder)

    def wait(self, timeout: float) -> bool:
        """Return when something changed or :meth:`wake` was called, else after ``timeout`` seconds.

        Returns
        -------
        bool
            False when the time has passed.
        """
        return self._watcher.wait(timeout)

    def rest(self, timeout: float) -> bool:
        """Wait like :meth:`wait`, but only :meth:`wake` ends it; changes accumulate meanwhile."""
        return self._wakeup.wait(timeout)

    def wake(self) -> None:
        """Make :meth:`wait` return now, or at its next call; for other threads."""
        self._wakeup.send()

    def close(self) -> None:
        """Release the system's watches."""
        self._watcher.close()
        self._wakeup.close()

    def __enter__(self) -> Watch:  # noqa: PYI034 (Self needs Python 3.11)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _WakeupPair:
    """A pair of sockets with which one thread wakes another that waits for files."""

    def __init__(self) -> None:
        self.receiver, self._sender = socket.socketpair()
        self.receiver.setblocking(False)
        self._sender.setblocking(False)

    def send(self) -> None:
        try:
            self._sender.send(b"\0")
        except OSError:  # The buffer is full already, or the pair was closed.
            return

    def wait(self, timeout: float) -> bool:
        select.select([self.receiver], [], [], max(0.0, timeout))
        return self.drain()

    def drain(self) -> bool:
        """Return whether there was a wake-up since the last call."""
        any_received = False
        try:
            while self.receiver.recv(1 << 10):
                any_received = True
        except OSError:
            pass
        return any_received

    def close(self) -> None:
        self.receiver.close()
        self._sender.close()


class _Inotify:
    def __init__(self, wakeup: _WakeupPair) -> None:
        self._wakeup = wakeup
        self._watches: dict[Path, int] = {}
        self._libc = ctypes.CDLL(None, use_errno=True)
        # Processes that are started from here must not inherit the file descriptor.
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def add(self, folder: Path) -> None:
        watch = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), _MASK)
        if watch < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
        self._watches[folder] = watch

    def remove(self, folder: Path) -> None:
        # The watch of a deleted folder is gone already: the error does not matter.
        self._libc.inotify_rm_watch(self._fd, self._watches.pop(folder))

    def wait(self, timeout: float) -> bool:
        ready, _, _ = select.select([self._fd, self._wakeup.receiver], [], [], max(0.0, timeout))
        if not ready:
            return False
        self._drain()
        self._wakeup.drain()
        return True

    def _drain(self) -> None:
        try:
            # The events are discarded, because callers look at the files themselves.
            while len(os.read(self._fd, 1 << 16)) >= _HEADER.size:
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Polling:
    def __init__(self, wakeup: _WakeupPair) -> None:
        self._wakeup = wakeup
        self._seen: dict[Path, frozenset[tuple[str, int, int]]] = {}
        self._pause = SHORTEST

    def add(self, folder: Path) -> None:
        self._seen[folder] = _listing(folder)

    def remove(self, folder: Path) -> None:
        del self._seen[folder]

    def wait(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        # A wake-up that came before this call ends it at once.
        woken = self._wakeup.drain()
        while True:
            if self._changed() or woken:
                self._pause = SHORTEST
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            woken = self._wakeup.wait(min(self._pause, left))
            # A quiet folder is listed less and less often.
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
    except OSError:  # The folder or a file was removed meanwhile: that is a change too.
        entries.add(("", -1, len(entries)))
    return frozenset(entries)


def _best(wakeup: _WakeupPair) -> _Watcher:
    if sys.platform == "linux":
        try:
            return _Inotify(wakeup)
        except (OSError, AttributeError):  # No instances left, or a C library without inotify.
            return _Polling(wakeup)
    return _Polling(wakeup)
