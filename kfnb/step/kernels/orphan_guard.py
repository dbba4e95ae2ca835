"""Kill kernels whose step process has died.

A step process that is killed with SIGKILL cannot clean up. So it forks a guard before it starts a
kernel. The guard waits on a pipe that closes when the step process ends, and then kills the
process groups that were registered. It inherits the attempt's lock and holds it until they are
gone, so that no other attempt starts meanwhile. A kernel that was forked from a template needs no
guard: the supervisor ends it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

ALIVE_FD = "KFNB_ALIVE_FD"

_KILL_TIMEOUT = 2.0


class Guard:
    """Forks the guard when it is needed, and tells it what to end.

    Until :meth:`start`, nothing is watched.
    """

    def __init__(self) -> None:
        self._pipe = -1

    def start(self) -> None:
        """Fork the guard, unless it runs; the earlier, the smaller it is."""
        if self._pipe < 0:
            self._pipe = _fork()

    def watch(self, group: int) -> None:
        """Kill the process group ``group`` when this process ends."""
        self._send(f"+{group}\n")

    def release(self, group: int) -> None:
        """Unregister a process group that has ended."""
        self._send(f"-{group}\n")

    def remove(self, folder: str) -> None:
        """Remove the folder ``folder`` when this process ends."""
        self._send(f"/{folder}\n")

    def _send(self, line: str) -> None:
        if self._pipe >= 0:
            with contextlib.suppress(OSError):
                os.write(self._pipe, line.encode())


def _fork() -> int:
    """Fork the guard's process; the pipe to it."""
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            _guard(read, write)
        finally:
            # A forked copy must not run the exit handlers of the step process.
            os._exit(0)
    os.close(read)
    return write


def kill_group(group: int, *, signum: int | None = None) -> bool:
    """Send ``signum`` (default: SIGKILL) to a process group; False if it has no process."""
    try:
        os.killpg(group, signal.SIGKILL if signum is None else signum)
    except (ProcessLookupError, PermissionError):  # Gone, or (on macOS) only zombies are left.
        return False
    return True


def _guard(read: int, write: int) -> None:
    os.close(write)
    # In a session of its own, so that what kills the step's process group spares the guard.
    os.setsid()
    with contextlib.suppress(OSError):  # there is no /proc
        # The supervisor tells it by this name from what a step leaves running.
        Path("/proc/self/comm").write_text("kfnb-guard")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # An open copy of the step's stdout would keep its reader from seeing the end.
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    groups: set[int] = set()
    folders: list[bytes] = []
    rest = b""
    # The pipe ends when the step process ends, whatever ended it.
    while data := os.read(read, 4096):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            what, argument = line[:1], line[1:]
            if what == b"/":
                folders.append(argument)
            else:
                (groups.add if what == b"+" else groups.discard)(int(argument))
    deadline = time.monotonic() + _KILL_TIMEOUT
    # A killed process stays in its group until its parent has read its exit code.
    while groups and time.monotonic() < deadline:
        groups = {group for group in groups if kill_group(group)}
        time.sleep(0.01)
    for folder in folders:
        with contextlib.suppress(OSError):
            _remove(folder)


def _remove(folder: bytes) -> None:
    path = Path(os.fsdecode(folder))
    for entry in path.iterdir():
        entry.unlink()
    path.rmdir()
