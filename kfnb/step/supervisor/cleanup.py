"""Find and end what attempts leave running."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from kfnb.step.supervisor import process_table
from kfnb.step.supervisor.attempts import Attempt

# A step's guard needs up to two seconds to end a kernel.
_GUARD_TIMEOUT = 4.0
# Workers that notice the end of their parent, and end by themselves, were not left running.
_PATIENCE = 0.5
_TERM_TIMEOUT = 0.5
_CLEANUP_TIMEOUT = 6.0

Done = Callable[[tuple[str, ...]], None]


@dataclass(slots=True, eq=False)
class _Cleanup:
    """Ends what an attempt left behind, and then calls ``done`` with descriptions of it.

    Until ``settled`` nothing is ended, because much ends by itself; ``asked`` says when each
    process was asked to end.
    """

    attempt: Attempt
    done: Done
    began: float = field(default_factory=time.monotonic)
    settled: float = field(default_factory=lambda: time.monotonic() + _PATIENCE)
    left: dict[int, str] = field(default_factory=dict)
    asked: dict[int, float] = field(default_factory=dict)


class Cleanups:
    """Looks again and again at what attempts left behind, without ever waiting.

    Only children of the supervisor are signalled, because their pids cannot be those of other
    processes meanwhile. What is below them becomes its child when they end.
    """

    def __init__(self) -> None:
        self._cleanups: list[_Cleanup] = []
        self._own = os.getpid()

    @property
    def pending(self) -> bool:
        """Whether :meth:`advance` must be called again soon."""
        return bool(self._cleanups)

    def add(self, attempt: Attempt, done: Done) -> None:
        """End what the attempt left running; ``done`` is called when nothing is left."""
        self._cleanups.append(_Cleanup(attempt, done))

    def advance(self, running: Mapping[str, Attempt], others: Collection[int]) -> None:
        """Look once at what was left behind, and end it.

        Parameters
        ----------
        running
            The attempts, including those whose process has ended.
        others
            Children of the supervisor that belong to no attempt.
        """
        if running and not self._cleanups:
            return
        known = {a.pid for a in running.values() if a.status is None} | set(others)
        orphans = [pid for pid in process_table.children(self._own) if pid not in known]
        owners = {pid: _owner(pid, running) for pid in orphans} if self._cleanups else {}
        now = time.monotonic()
        for cleanup in list(self._cleanups):
            own = [pid for pid in orphans if owners[pid] is cleanup.attempt]
            waiting = _end(cleanup, own, now)
            if not waiting or now - cleanup.began > _CLEANUP_TIMEOUT:
                self._cleanups.remove(cleanup)
                cleanup.done(tuple(cleanup.left.values()))
        if not running:
            for pid in orphans:
                # It belongs to no attempt any more, for example because it removed its mark.
                if not process_table.outlives_attempts(pid) and not process_table.is_guard(pid):
                    _kill(pid, signal.SIGKILL)


def _end(cleanup: _Cleanup, pids: Sequence[int], now: float) -> bool:
    """End processes of a cleanup; return whether any is left to wait for."""
    attempt = cleanup.attempt
    if attempt.status is not None and attempt.kernels:
        # Its step process was killed: nobody needs them any more.
        attempt.kill_kernels()
        cleanup.settled = now + _PATIENCE
        return True
    guards = [pid for pid in pids if process_table.is_guard(pid)]
    if guards and now - cleanup.began < _GUARD_TIMEOUT:
        # The guard of a killed step ends the kernel; what it leaves is looked at afterwards.
        cleanup.settled = now + _PATIENCE
        return True
    waiting = False
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
            _kill(pid, signal.SIGKILL)
    return waiting


def _owner(pid: int, running: Mapping[str, Attempt]) -> Attempt | None:
    """Return the attempt that left a process, as far as it can be known."""
    if process_table.outlives_attempts(pid):
        return None
    mark = process_table.environment_value(pid, process_table.ATTEMPT)
    if mark is not None and mark in running:
        return running[mark]
    status = process_table.process_status(pid)
    if status is None:
        return None
    for attempt in running.values():
        # A fork of a forked kernel has the template's environment.
        if status.group in attempt.groups or status.session in attempt.groups:
            return attempt
    # It removed the mark from its environment. Of the attempts that are old enough it is nobody's
    # in particular until only one is left.
    older = [a for a in running.values() if a.pid and a.started <= status.started]
    return older[0] if len(older) == 1 else None


def _ends_by_itself(pid: int) -> bool:
    """Return whether it is multiprocessing's tracker, which ends after the last worker."""
    return "resource_tracker" in " ".join(process_table.command_line(pid))


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
