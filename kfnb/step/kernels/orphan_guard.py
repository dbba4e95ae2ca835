"""A watcher that outlives the step process: when that dies, its kernel dies.

A step that is killed with -9 can clean up nothing. So it forks a guard before it
does anything else; the guard waits on a pipe that closes with the step's life,
and kills the process groups that it was told of. It keeps the attempt's lock
until they are gone, so that nobody starts the next attempt beside them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass

ALIVE_FD = "KFNB_ALIVE_FD"

_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Guard:
    """The step's end of the pipe; -1 if there is no guard."""

    pipe: int = -1

    def watch(self, group: int) -> None:
        """Let the process group ``group`` die with this process."""
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        """Forget the process group: it is gone."""
        self._tell(f"-{group}\n")

    def remove(self, folder: str) -> None:
        """Let the folder ``folder`` go with this process."""
        self._tell(f"/{folder}\n")

    def _tell(self, line: str) -> None:
        if self.pipe >= 0:
            with contextlib.suppress(OSError):
                os.write(self.pipe, line.encode())


def start() -> Guard:
    """Fork the guard. To be called while the process is small and has one thread."""
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            _keep_watch(read, write)
        finally:
            os._exit(0)
    os.close(read)
    return Guard(write)


def kill_group(group: int, *, signum: int | None = None) -> bool:
    """Send ``signum`` (default: SIGKILL) to a process group; whether any process was there."""
    try:
        os.killpg(group, signal.SIGKILL if signum is None else signum)
    except (ProcessLookupError, PermissionError):  # gone, or (macOS) only zombies are left
        return False
    return True


def _keep_watch(read: int, write: int) -> None:
    os.close(write)
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    groups: set[int] = set()
    folders: list[bytes] = []
    rest = b""
    while data := os.read(read, 4096):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            what, about = line[:1], line[1:]
            if what == b"/":
                folders.append(about)
            else:
                (groups.add if what == b"+" else groups.discard)(int(about))
    deadline = time.monotonic() + _PATIENCE
    # a killed process stays in its group until somebody has asked for its exit code
    while groups and time.monotonic() < deadline:
        groups = {group for group in groups if kill_group(group)}
        time.sleep(0.01)
    for folder in folders:
        with contextlib.suppress(OSError):
            _remove(folder)


def _remove(folder: bytes) -> None:
    from pathlib import Path

    path = Path(os.fsdecode(folder))
    for entry in path.iterdir():
        entry.unlink()
    path.rmdir()
