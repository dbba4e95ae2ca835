"""The driver's side of the supervisor: attempts that it starts, adopts, and is told the end of."""

from __future__ import annotations

import contextlib
import os
import selectors
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kfnb.engine.runner import Notice, Work
from kfnb.pipeline import Diagnostic
from kfnb.runners.local.expected_kernel import expected_template
from kfnb.step.order import StepOrder
from kfnb.step.supervisor.client import Supervisor, SupervisorLost, is_available
from kfnb.step.supervisor.leftovers import (
    PROCESSES_LEFT,
    PROCESSES_LEFT_REMEDY,
    processes_left_message,
)
from kfnb.step.templates.kernel_source import shared_environment
from kfnb.step.templates.spec import TemplateSpec

# A supervisor that ends again and again, for example because the machine has too little memory.
_MOST_LOSSES = 3
STOPPED = "KFNB-W712"
_STOPPED_SECONDS = 30.0
"""How long a supervisor may be stopped before its attempts are given up."""

_LOOK_SECONDS = 5.0


class SupervisedEnd(NamedTuple):
    """An attempt that has ended, its exit status, and what it left running."""

    work: Work
    status: int
    notices: list[Notice]


class SupervisedAttempts:
    """Attempts of one driver that the supervisor executes."""

    def __init__(self) -> None:
        self._supervisor: Supervisor | None = None
        self._selector: selectors.BaseSelector | None = None
        self._works: dict[str, Work] = {}
        self._expected: set[tuple[object, ...]] = set()
        self._losses = 0
        self._refused = False
        self._next_look = 0.0
        self._stopped_since: float | None = None
        self._own_notices: list[Notice] = []

    def attach(self, selector: selectors.BaseSelector) -> None:
        """Register the supervisor's messages with ``selector``; end what a killed one left."""
        self._selector = selector
        if not is_available():
            return
        from kfnb.step.supervisor.sweep import end_orphans_of_killed_supervisors

        self._connect(start=False)
        if self._supervisor is None:
            end_orphans_of_killed_supervisors()

    def start(
        self,
        work: Work,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        descriptors: tuple[int, ...],
        from_template: bool,
    ) -> bool:
        """Have an attempt started, and its end reported; return False if there is no supervisor.

        Parameters
        ----------
        descriptors
            The file for what the process prints, the attempt's lock, and the pipe with masked
            parameters if there are any.
        from_template
            Whether a step template may fork the process instead of executing ``command``.
        """
        self._connect(start=True)
        if self._supervisor is None:
            return False
        folder = str(work.folder.path)
        self._works[folder] = work
        self._supervisor.start_attempt(
            folder,
            command,
            cwd=folder,
            environment=environment,
            descriptors=descriptors,
            template=_step_template(environment) if from_template else None,
            arguments=command[-1:],
        )
        return True

    def expect_kernel(self, order: StepOrder, environment: Mapping[str, str]) -> None:
        """Have a template loaded for the kernel of an attempt that was started, once for each."""
        own = tuple(sorted((n, v) for n, v in order.environment.items() if n[:5] != "KFNB_"))
        what = (order.kernel, order.imports, own)
        if self._supervisor is None or what in self._expected:
            return
        self._expected.add(what)
        template = expected_template(order, environment)
        if template is not None:
            self._supervisor.prepare(template)

    def adopt(self, work: Work) -> bool:
        """Have the end of an attempt reported here; return False if it does not execute."""
        self._connect(start=False)
        if self._supervisor is None:
            return False
        self._works[str(work.folder.path)] = work
        try:
            return self._supervisor.adopt(str(work.folder.path))
        except SupervisorLost:
            self._lose()
            return False

    def supervises(self, work: Work) -> bool:
        """Return whether the end of an attempt will be reported; not after its supervisor ended."""
        return str(work.folder.path) in self._works

    def signal(self, work: Work, number: int, *, group: bool) -> None:
        """Send a signal to an attempt."""
        if self._supervisor is not None:
            self._supervisor.signal(str(work.folder.path), number, group=group)

    def started(self) -> list[tuple[Work, int]]:
        """List the attempts whose processes started since the last call, with their pids."""
        started = self._supervisor.started() if self._supervisor is not None else []
        return [(self._works[one.key], one.pid) for one in started if one.key in self._works]

    def poll(self) -> list[SupervisedEnd]:
        """List the attempts that have ended since the last call."""
        if self._supervisor is None:
            return []
        ended = []
        for end in self._supervisor.ended():
            work = self._works.pop(end.key, None)
            if work is not None:
                ended.append(SupervisedEnd(work, end.status, _notices(work, end.left)))
        self._look_whether_stopped(self._supervisor)
        if self._supervisor.lost:
            self._lose()
        return ended

    def poll_interval(self) -> float | None:
        """Return the seconds until :meth:`poll` has something to do by itself."""
        if self._supervisor is None or not self._works:
            return None
        return max(0.0, self._next_look - time.monotonic())

    def notices(self) -> list[Notice]:
        """Return what is to be reported about the supervisor itself, each once."""
        notices, self._own_notices = self._own_notices, []
        return notices

    def _look_whether_stopped(self, supervisor: Supervisor) -> None:
        """End a supervisor that was stopped: its steps wait for it, and would do so for ever."""
        now = time.monotonic()
        if not self._works or now < self._next_look:
            return
        self._next_look = now + _LOOK_SECONDS
        if not supervisor.is_stopped():
            self._stopped_since = None
            return
        if self._stopped_since is None:
            self._stopped_since = now
        if now - self._stopped_since >= _STOPPED_SECONDS:
            self._stopped_since = None
            diagnostic = stopped_warning(supervisor.pid)
            self._own_notices += [Notice(work, diagnostic) for work in self._works.values()]
            supervisor.kill()

    def _connect(self, *, start: bool) -> None:
        if self._supervisor is not None or self._refused or self._losses >= _MOST_LOSSES:
            return
        self._supervisor = Supervisor.connect(start=start)
        if self._supervisor is None:
            self._refused = start
            return
        if self._selector is not None:
            self._selector.register(self._supervisor, selectors.EVENT_READ)

    def _lose(self) -> None:
        """Forget a supervisor that has ended; the next attempt gets another one."""
        if self._supervisor is None:
            return
        if self._selector is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(self._supervisor)
        self._supervisor.close()
        self._supervisor = None
        self._works.clear()
        self._expected.clear()
        self._losses += 1


def stopped_warning(pid: int) -> Diagnostic:
    """Say that a supervisor was ended because somebody had stopped it."""
    return Diagnostic(
        STOPPED,
        "warning",
        f"The process that supervises the steps (pid {pid}) was stopped by a signal (SIGSTOP) for "
        f"{_STOPPED_SECONDS:g} seconds, so kfnb killed it; its steps are executed again.",
        f"Continue it (kill -CONT {pid}) if you stop it yourself.",
    )


def _step_template(environment: Mapping[str, str]) -> TemplateSpec:
    """Return the template of step processes, which a step's own variables do not change."""
    python = {name: value for name, value in environment.items() if name.startswith("PYTHON")}
    shared = shared_environment({**os.environ, **python})
    return TemplateSpec("step", sys.executable, environment=shared)


def _notices(work: Work, left: Sequence[str]) -> list[Notice]:
    if not left:
        return []
    message = processes_left_message(left)
    return [Notice(work, Diagnostic(PROCESSES_LEFT, "warning", message, PROCESSES_LEFT_REMEDY))]
