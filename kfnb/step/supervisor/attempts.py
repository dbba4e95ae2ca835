"""The attempts that the supervisor executes, and the processes that they leave behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kfnb.step.supervisor import process_table
from kfnb.step.supervisor.connection import Connection
from kfnb.step.supervisor.system_calls import die_with_parent

ALIVE_FD = "KFNB_ALIVE_FD"
CHANNEL_FD = "KFNB_SUPERVISOR_FD"
"""The variable that gives a step process its connection to the supervisor."""

# A step's guard needs up to two seconds to end a kernel.
_GUARD_TIMEOUT = 4.0
# Workers that notice the end of their parent, and end by themselves, were not left running.
_PATIENCE = 0.5
_TERM_TIMEOUT = 0.5
_CLEANUP_TIMEOUT = 6.0


@dataclass(slots=True)
class Attempt:
    """One attempt, from the start of its process until nothing of it is left.

    ``client`` is the driver's connection, None while no driver lives; ``channel`` that of its step
    process. ``started`` is in clock ticks since boot, as processes' starts are.
    """

    key: str
    pid: int
    command: tuple[str, ...]
    started: int
    popen: subprocess.Popen[bytes]
    channel: Connection
    client: Connection | None = None
    status: int | None = None


@dataclass(slots=True)
class Cleanup:
    """Ends what an attempt left behind, and then calls ``done`` with descriptions of it.

    Until ``settled`` nothing is ended, because much ends by itself; ``asked`` says when each
    process was asked to end.
    """

    attempt: Attempt
    done: Callable[[tuple[str, ...]], None]
    began: float = field(default_factory=time.monotonic)
    settled: float = field(default_factory=lambda: time.monotonic() + _PATIENCE)
    left: dict[int, str] = field(default_factory=dict)
    asked: dict[int, float] = field(default_factory=dict)


class Attempts:
    """The table of attempts. Everything in it is done without waiting.

    Parameters
    ----------
    mark
        The supervisor's identity, which marks every process below it.
    """

    def __init__(self, mark: str) -> None:
        self.running: dict[str, Attempt] = {}
        self.cleanups: list[Cleanup] = []
        self._mark = mark
        self._own = os.getpid()

    def start(
        self,
        key: str,
        command: Sequence[str],
        *,
        cwd: str,
        environment: Mapping[str, str],
        log: int,
        alive: int,
    ) -> Attempt:
        """Start an attempt's process; raises OSError if the system refuses."""
        ours, theirs = socket.socketpair()
        parent = self._own
        with theirs:
            try:
                popen = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env={
                        **environment,
                        process_table.ATTEMPT: key,
                        process_table.SUPERVISOR: self._mark,
                        ALIVE_FD: str(alive),
                        CHANNEL_FD: str(theirs.fileno()),
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(alive, theirs.fileno()),
                    # The supervisor has one thread, so this cannot meet a lock that is held.
                    preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509
                )
            except BaseException:
                ours.close()
                raise
        status = process_table.process_status(popen.pid)
        started = status.started if status is not None else 0
        attempt = Attempt(key, popen.pid, tuple(command), started, popen, Connection(ours))
        self.running[key] = attempt
        return attempt

    def reap(self) -> list[Attempt]:
        """Collect the exit statuses of ended children; return the attempts whose process ended."""
        ended = []
        while True:
            try:
                pid, raw = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            for attempt in self.running.values():
                if attempt.pid == pid and attempt.status is None:
                    attempt.status = os.waitstatus_to_exitcode(raw)
                    # Popen would otherwise ask for the status of a process that is gone.
                    attempt.popen.returncode = attempt.status
                    ended.append(attempt)
        return ended

    def signal(self, attempt: Attempt, number: int, *, group: bool) -> None:
        """Send a signal to an attempt's process that was not collected yet."""
        if attempt.status is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if group else os.kill)(attempt.pid, number)

    def clean_up(self, attempt: Attempt, done: Callable[[tuple[str, ...]], None]) -> None:
        """End what the attempt left running; ``done`` is called when nothing is left."""
        self.cleanups.append(Cleanup(attempt, done))

    def advance(self, known: Sequence[int] = ()) -> None:
        """Look once at what was left behind, and end it.

        Parameters
        ----------
        known
            Children of the supervisor that belong to no attempt.
        """
        if not self.cleanups and self.running:
            return
        mine = {attempt.pid for attempt in self.running.values() if attempt.status is None}
        orphans = [
            pid for pid in process_table.children(self._own) if pid not in mine and pid not in known
        ]
        owners = {pid: self._owner(pid) for pid in orphans}
        now = time.monotonic()
        for cleanup in list(self.cleanups):
            own = [pid for pid in orphans if owners[pid] is cleanup.attempt]
            waiting = self._end(cleanup, own, now)
            if not waiting or now - cleanup.began > _CLEANUP_TIMEOUT:
                self.cleanups.remove(cleanup)
                cleanup.done(tuple(cleanup.left.values()))
        if not self.running:
            for pid in orphans:
                # It belongs to no attempt any more, for example because it removed its mark.
                if not process_table.outlives_attempts(pid):
                    _kill(pid, signal.SIGKILL)

    def _end(self, cleanup: Cleanup, pids: Sequence[int], now: float) -> bool:
        """End processes that a cleanup has found; return whether any is left to wait for."""
        waiting = False
        guards = [pid for pid in pids if _is_copy(pid, cleanup.attempt)]
        if guards and now - cleanup.began < _GUARD_TIMEOUT:
            # The guard of a killed step ends the kernel; what it leaves is looked at afterwards.
            cleanup.settled = now + _PATIENCE
            return True
        for pid in pids:
            status = process_table.process_status(pid)
            if status is None or status.state == "Z":
                continue
            waiting = True
            helper = pid in guards or _ends_by_itself(pid)
            if now < cleanup.settled or (helper and now - cleanup.began < _GUARD_TIMEOUT):
                continue
            if pid not in cleanup.asked:
                cleanup.asked[pid] = now
                if not helper:
                    cleanup.left[pid] = process_table.describe(pid)
                _kill(pid, signal.SIGTERM)
            elif now - cleanup.asked[pid] > _TERM_TIMEOUT:
                # Only children are signalled: what is below them becomes our child when they end.
                _kill(pid, signal.SIGKILL)
        return waiting

    def _owner(self, pid: int) -> Attempt | None:
        """Return the attempt that left a process, as far as it can be known."""
        if process_table.outlives_attempts(pid):
            return None
        mark = process_table.environment_value(pid, process_table.ATTEMPT)
        if mark in self.running:
            return self.running[mark]
        status = process_table.process_status(pid)
        if status is None:
            return None
        # It removed the mark from its environment. Of the attempts that are old enough it is
        # nobody's in particular until only one is left.
        older = [a for a in self.running.values() if a.started <= status.started]
        return older[0] if len(older) == 1 else None


def _is_copy(pid: int, attempt: Attempt) -> bool:
    """Return whether a process is a fork of the attempt's step process: its guard."""
    return tuple(process_table.command_line(pid)) == attempt.command


def _ends_by_itself(pid: int) -> bool:
    """Return whether it is multiprocessing's tracker, which ends after the last worker."""
    return "resource_tracker" in " ".join(process_table.command_line(pid))


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
