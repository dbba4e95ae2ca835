"""The attempts that the supervisor executes: their processes, and what is known about them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from kfnb.masked_parameters import VARIABLE as MASKED_FD
from kfnb.step.supervisor import process_table
from kfnb.step.supervisor.connection import Connection
from kfnb.step.supervisor.system_calls import die_with_parent

ALIVE_FD = "KFNB_ALIVE_FD"
CHANNEL_FD = "KFNB_SUPERVISOR_FD"
"""The variable that gives a step process its connection to the supervisor."""


TIMEOUT, MEMORY = 5, 6
"""Exit codes of ``python -m kfnb.step``, which attempts that are killed for it get too."""

_GRACE = 20.0
"""Seconds that a step process has to enforce a limit: it interrupts the cell before it kills."""

_INTERVAL = 2.0


class Limits:
    """The limits of an attempt, for the case that its step process does not enforce them.

    A step process enforces its own limits, and says why it ends. It cannot do so while it is
    stopped (SIGSTOP), or if it hangs. The supervisor then kills the attempt, a while after the
    limit: ``seconds`` from now on, and bytes of ``memory``; None: no limit.
    """

    def __init__(self, *, seconds: float | None, memory: int | None) -> None:
        self._memory = memory
        self._ends_at = None if seconds is None else time.monotonic() + seconds + _GRACE
        self._exceeded_since: float | None = None
        self._next_sample = time.monotonic() + _INTERVAL

    def deadline(self) -> float | None:
        """Return when :meth:`exceeded` must be called; monotonic seconds."""
        times = [self._ends_at, self._next_sample if self._memory is not None else None]
        return min((at for at in times if at is not None), default=None)

    def exceeded(self, kernels: Callable[[], Collection[int]]) -> int | None:
        """Return the exit code for the limit that was exceeded for too long, if one was.

        ``kernels`` lists the processes to which a limit of memory applies.
        """
        now = time.monotonic()
        if self._ends_at is not None and now >= self._ends_at:
            return TIMEOUT
        if self._memory is None or now < self._next_sample:
            return None
        self._next_sample = now + _INTERVAL
        if sum(map(process_table.private_memory, kernels())) <= self._memory:
            self._exceeded_since = None
            return None
        if self._exceeded_since is None:
            self._exceeded_since = now
        return MEMORY if now - self._exceeded_since >= _GRACE else None


@dataclass(slots=True, eq=False)
class Attempt:
    """One attempt, from its request until nothing of it is left.

    Attributes
    ----------
    pid
        Its process, 0 until it has one.
    started
        The process's start, in clock ticks since the machine's boot.
    client
        The driver's connection; None while no driver lives.
    channel
        The connection of its step process.
    kernels
        Kernels that templates forked for it and that have not ended.
    groups
        The process groups and sessions that belong to it.
    limits
        Its limits of time and memory, once its first cell has begun.
    killed_for
        The exit code for the limit because of which the supervisor has killed it.
    alive
        A descriptor of the attempt's lock, which is held until nothing of it is left; -1 if none.
    sockets
        Folders with the sockets of its kernels, which a killed step process cannot remove.
    status
        How its process ended; None before that.
    """

    key: str
    channel: Connection
    client: Connection | None = None
    pid: int = 0
    started: int = 0
    popen: subprocess.Popen[bytes] | None = None
    kernels: set[int] = field(default_factory=set)
    groups: set[int] = field(default_factory=set)
    status: int | None = None
    limits: Limits | None = None
    killed_for: int | None = None
    alive: int = -1
    sockets: set[str] = field(default_factory=set)

    def has_process(self, pid: int, popen: subprocess.Popen[bytes] | None = None) -> None:
        """Note the attempt's process."""
        status = process_table.process_status(pid)
        self.pid, self.popen = pid, popen
        self.started = status.started if status is not None else 0
        self.groups.add(pid)

    def signal(self, number: int, *, group: bool) -> None:
        """Send a signal to the process, unless it has ended."""
        if self.status is not None or not self.pid:
            return
        status = process_table.process_status(self.pid)
        # A template collects its children itself, so another process may have the pid by now.
        if status is None or status.started != self.started:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if group else os.kill)(self.pid, number)

    def kernel_processes(self) -> list[int]:
        """List the processes of its kernels, forked or started by its step process."""
        below = [pid for top in (*self.kernels, self.pid) for pid in process_table.descendants(top)]
        return [*self.kernels, *(pid for pid in below if not process_table.is_guard(pid))]

    def kill_kernels(self) -> None:
        """Kill the kernels that were forked for it, with their process groups."""
        for pid in self.kernels:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def close(self) -> None:
        """Let go of what is held for it, when nothing of it is left."""
        for folder in self.sockets:
            shutil.rmtree(folder, ignore_errors=True)
        if self.alive >= 0:
            os.close(self.alive)
            self.alive = -1


def start_process(
    command: Sequence[str],
    *,
    cwd: str,
    environment: Mapping[str, str],
    log: int,
    alive: int,
    channel: int,
    masked: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start the step process of an attempt, which ends with this process.

    Raises
    ------
    OSError
        If the system refuses.
    """
    parent = os.getpid()
    return subprocess.Popen(
        command,
        cwd=cwd,
        env={
            **environment,
            ALIVE_FD: str(alive),
            CHANNEL_FD: str(channel),
            **({MASKED_FD: str(masked)} if masked is not None else {}),
        },
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        # A signal to the supervisor's process group does not reach it.
        start_new_session=True,
        pass_fds=(alive, channel) if masked is None else (alive, channel, masked),
        # The supervisor has one thread, so this cannot meet a lock that is held.
        preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509
    )
