"""Steps as processes of this machine.

Each attempt is a process in a new session, so that a signal to the driver's terminal does
not reach it. It inherits a locked file, by which a later driver sees whether it still executes.
The supervisor starts it, where there is one; otherwise this process does.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfnb.engine.runner import Ended, Notice, Work
from kfnb.errors import InfrastructureError, UsageError
from kfnb.masked_parameters import VARIABLE as MASKED_FD
from kfnb.masked_parameters import passed
from kfnb.pipeline import Diagnostic, Pipeline
from kfnb.runners.local.supervised import SupervisedAttempts
from kfnb.runners.local.unsupported_options import options_without_effect
from kfnb.runners.masked_values import missing_sentence
from kfnb.step import group_pipe
from kfnb.step.order import StepOrder
from kfnb.step.supervisor.leftovers import GUARD
from kfnb.step.supervisor.process_table import outlives_attempts
from kfnb.store import disk, locks

ALIVE_FD = "KFNB_ALIVE_FD"
GRACE = 15.0
"""Seconds between asking an attempt to end and killing it."""

# Seconds between two looks at a process without a pidfd, whose end does not wake the driver.
_POLL = 0.2
_LINGER_POLL = 0.02
_STEP = [sys.executable, "-m", "kfnb.step"]
# After this time an attempt counts as ended, even if a process that it started holds its lock.
_LINGER = 5.0


@dataclass(slots=True)
class _Process:
    work: Work
    pid: int | None
    popen: subprocess.Popen[bytes] | None = None
    supervised: bool = False
    pidfd: int = -1
    stop_at: float | None = None
    died_at: float | None = None
    # The folder of the attempt whose process executes this one in the kernel of its group.
    kernel_folder: Path | None = None


class LocalRunner:
    """Executes attempts as ``python -m kfnb.step``.

    Parameters
    ----------
    command
        The program to execute; the order's path is added as last argument.
    environment
        Variables for the steps, in addition to this process's own and the order's.
    grace
        Seconds that an attempt has to end when it is asked to.
    masked
        Values of masked parameters, which no file has.
    """

    def __init__(
        self,
        *,
        command: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        grace: float = GRACE,
        masked: Mapping[str, Any] | None = None,
    ) -> None:
        self._command = list(command or _STEP)
        self._environment = dict(environment or {})
        self._grace = grace
        self._masked = dict(masked or {})
        self._processes: dict[Work, _Process] = {}
        self._selector: selectors.BaseSelector | None = None
        self._supervised = SupervisedAttempts()
        self._notices: list[Notice] = []

    def attach(self, selector: selectors.BaseSelector) -> None:
        """Register the ends of processes with ``selector``."""
        self._selector = selector
        self._supervised.attach(selector)

    def start(self, work: Work, order: StepOrder) -> None:
        """Start an attempt's process.

        Raises
        ------
        InfrastructureError
            If the system refuses.
        UsageError
            If the value of a masked parameter is not known.
        """
        folder = work.folder
        if order.kernel_folder:
            self._hand_over(work, Path(order.kernel_folder))
            return
        if missing := [name for name in order.masked if name not in self._masked]:
            raise UsageError(missing_sentence(order.run, missing))
        with disk.writing(folder.path):
            # The driver holds the lock until the process has inherited it, so it is never free in
            # between.
            lock = locks.acquire(folder.alive, patience=0.2)
            if lock is None:
                if not self.adopt(work):
                    raise InfrastructureError(
                        f"The attempt's folder {folder.path} is locked, but no process executes "
                        "the attempt."
                    )
                return
            try:
                with disk.private_log(folder.path / "process.log") as log:
                    # Which steps of its group it executes may show later.
                    shared = order.after != "end"
                    secrets = {n: v for n, v in self._masked.items() if shared or n in order.masked}
                    with passed(secrets) as pipe:
                        process = self._start_process(
                            work, order, log=log.fileno(), lock=lock, masked=pipe
                        )
            finally:
                os.close(lock)
        self._watch(process)
        if process.pid is not None:
            _note_process(work, process.pid)

    def _hand_over(self, work: Work, kernel_folder: Path) -> None:
        """Have an attempt executed by the process that holds the kernel of its group."""
        # Those before it have reported their results.
        for other in [p for p in self._processes.values() if p.kernel_folder == kernel_folder]:
            self._forget(other)
        if not group_pipe.send_order(kernel_folder, work.folder.order):
            raise InfrastructureError(
                f'The kernel that step "{work.step}" shares with earlier steps has ended.'
            )
        self._watch(_Process(work, None, kernel_folder=kernel_folder))

    def waits(self, work: Work) -> bool:
        """Return whether an attempt's kernel waits for the next step, or executes it."""
        return group_pipe.has_reader(work.folder.path)

    def end(self, work: Work) -> None:
        """Have an attempt's kernel end."""
        group_pipe.send_end(work.folder.path)
        for other in [p for p in self._processes.values() if p.kernel_folder == work.folder.path]:
            self._forget(other)

    def adopt(self, work: Work) -> bool:
        """Take over an attempt whose lock is held; False if no process holds it."""
        if work in self._processes:
            return True
        if self._supervised.adopt(work):
            self._watch(_Process(work, None, supervised=True))
            return True
        if not locks.is_locked(work.folder.alive):
            return False
        self._watch(_Process(work, _find_process(work)))
        return True

    def may_have_executed(self, work: Work) -> bool:
        """Return whether the attempt's lock file exists."""
        return work.folder.alive.exists()

    def stop(self, work: Work) -> None:
        """Send SIGTERM, and SIGKILL to the process group when the grace is over."""
        process = self._processes.get(work)
        if process is None or process.stop_at is not None:
            return
        process.stop_at = time.monotonic() + self._grace
        self._signal(process, signal.SIGTERM, group=False)

    def poll(self) -> list[Ended]:
        """List the attempts that ended; kill those whose grace is over."""
        ended = []
        for work, pid in self._supervised.started():
            _note_process(work, pid)
        for work, status, notices in self._supervised.poll():
            self._notices += notices
            if work in self._processes:
                ended.append(Ended(work, status))
                self._forget(self._processes[work])
        now = time.monotonic()
        for process in list(self._processes.values()):
            if self._has_ended(process, now):
                code = process.popen.returncode if process.popen else None
                ended.append(Ended(process.work, code))
                self._forget(process)
            elif process.stop_at is not None and now >= process.stop_at:
                self._signal(process, signal.SIGKILL, group=True)
                # Killing can take a moment, for example while the process waits for a disk.
                process.stop_at = now + 1.0
        return ended

    def notes(self) -> list[Notice]:
        """List what attempts left running, each once."""
        notices, self._notices = [*self._notices, *self._supervised.notices()], []
        return notices

    def poll_interval(self) -> float | None:
        """Return the seconds until :meth:`poll` has something to do."""
        now = time.monotonic()
        waits = []
        for process in self._processes.values():
            if process.died_at is not None:
                waits.append(_LINGER_POLL)
            elif process.pidfd < 0 and not process.supervised:
                waits.append(_POLL)
            if process.stop_at is not None:
                waits.append(max(0.0, process.stop_at - now))
        if (wait := self._supervised.poll_interval()) is not None:
            waits.append(wait)
        return min(waits, default=None)

    def running(self) -> Sequence[Work]:
        """List the attempts whose processes have not ended."""
        return list(self._processes)

    def unsupported_options(self, pipeline: Pipeline) -> list[Diagnostic]:
        """Return one warning about the options that need a cluster."""
        return options_without_effect(pipeline)

    def _has_ended(self, process: _Process, now: float) -> bool:
        """Return whether the process has ended, and everything that it started.

        A killed step leaves a guard process, which ends the kernel and holds the lock meanwhile.
        """
        if process.kernel_folder is not None:
            # It takes the lock of its folder a moment after it has got the order.
            folders = (process.kernel_folder, process.work.folder.path)
            return not group_pipe.has_reader(folders[0]) and not locks.is_locked(
                process.work.folder.alive
            )
        if process.supervised:
            if self._supervised.supervises(process.work):
                return False
            # It ends with its supervisor; what is left to see of it is the lock.
            process.supervised = False
        if process.popen is not None and process.popen.poll() is None:
            return False
        # Nobody holds the lock: neither the step nor its guard is left.
        if not locks.is_locked(process.work.folder.alive):
            return True
        if process.popen is None and not self._readable(process):
            return False
        if process.died_at is None:
            process.died_at = now
            self._unwatch(process)
        return process.popen is not None and now - process.died_at > _LINGER

    def _start_process(
        self, work: Work, order: StepOrder, *, log: int, lock: int, masked: int | None
    ) -> _Process:
        """Start the process by the supervisor, or without one as a child of this process."""
        command = [*self._command, str(work.folder.order)]
        environment = {**os.environ, **self._environment, **order.environment}
        if self._supervised.start(
            work,
            command,
            environment,
            descriptors=(log, lock) if masked is None else (log, lock, masked),
            from_template=self._command == _STEP,
        ):
            if self._command == _STEP:
                self._supervised.expect_kernel(order, environment)
            return _Process(work, None, supervised=True)
        popen = subprocess.Popen(
            command,
            cwd=work.folder.path,
            env={
                **environment,
                ALIVE_FD: str(lock),
                **({MASKED_FD: str(masked)} if masked is not None else {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl+C in the driver's terminal is sent to its process group only.
            start_new_session=True,
            pass_fds=(lock,) if masked is None else (lock, masked),
        )
        return _Process(work, popen.pid, popen)

    def _readable(self, process: _Process) -> bool:
        if process.died_at is not None:
            return True
        if process.pidfd < 0:
            return False
        import select

        poll = select.poll()
        poll.register(process.pidfd, select.POLLIN)
        return bool(poll.poll(0))

    def _watch(self, process: _Process) -> None:
        self._processes[process.work] = process
        # The supervisor reports the end of its attempts, when nothing of them is left.
        if process.supervised or process.pid is None:
            return
        if self._selector is None or not hasattr(os, "pidfd_open"):
            return
        try:
            process.pidfd = os.pidfd_open(process.pid)
        except OSError:  # an old kernel, or the process has ended
            return
        self._selector.register(process.pidfd, selectors.EVENT_READ)

    def _unwatch(self, process: _Process) -> None:
        if process.pidfd >= 0:
            if self._selector is not None:
                with contextlib.suppress(KeyError):
                    self._selector.unregister(process.pidfd)
            os.close(process.pidfd)
            process.pidfd = -1

    def _forget(self, process: _Process) -> None:
        self._unwatch(process)
        del self._processes[process.work]

    def _signal(self, process: _Process, number: int, *, group: bool) -> None:
        if process.supervised and self._supervised.supervises(process.work):
            self._supervised.signal(process.work, number, group=group)
            return
        if process.popen is None:
            # Not our child: another process may have its pid by now.
            process.pid = _find_process(process.work)
        elif process.popen.poll() is not None:
            return
        if process.pid is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if group:
                os.killpg(process.pid, number)
            else:
                os.kill(process.pid, number)


def _note_process(work: Work, pid: int) -> None:
    with contextlib.suppress(OSError):  # a later driver can find the process without it
        note = {"pid": pid, "order": str(work.folder.order), "started": time.time()}
        disk.replace(work.folder.process, json.dumps(note).encode(), durable=False)


def _find_process(work: Work) -> int | None:
    """Find the process that executes an attempt by its command line."""
    import psutil

    order = str(work.folder.order)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        noted = int(json.loads(work.folder.process.read_bytes())["pid"])
        # Another process may have this pid by now, so the command line decides.
        with contextlib.suppress(psutil.Error):
            if order in psutil.Process(noted).cmdline():
                return noted
    leaders = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if order in (process.info["cmdline"] or ()):
            with contextlib.suppress(ProcessLookupError):
                # The guard, a copy of the step process, matches too, but is in another session.
                leaders.append((os.getpgid(process.info["pid"]), int(process.info["pid"])))
    # The guard is started by the step, so the step has the lower number.
    own = [pid for _, pid in sorted(leaders, key=lambda p: p[1])]
    return own[0] if own else _holder(work.folder.alive)


def _holder(lock: Path) -> int | None:
    """Find the step process that was forked from a template, by the lock that it has inherited.

    Its command line is that of the template.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_guard = (process / "comm").read_text().strip() == GUARD
            # The supervisor holds the lock until nothing of the attempt is left.
            other = is_guard or outlives_attempts(int(process.name))
            descriptors = [] if other else list((process / "fd").iterdir())
            for descriptor in descriptors:
                with contextlib.suppress(OSError):
                    if descriptor.readlink() == lock:
                        return int(process.name)
    return None
