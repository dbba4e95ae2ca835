"""The driver: carries out what the engine decides, and journals what happens.

The journal's lock allows one driver for a run. It may be killed at any moment: the next driver
reads the journal and looks at the attempts that it names (see :mod:`kfnb.engine.core.commands` for
what is durable when). A manifest means that the attempt succeeded, a held lock that it executes.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import time

from kfnb.engine import driver_requests
from kfnb.engine.attempts import Attempts
from kfnb.engine.core.commands import Command, EndKernel, Prepare, Record, Start, Stop, Wake
from kfnb.engine.core.event_decoding import convert_body
from kfnb.engine.core.event_types import (
    AttemptStarted,
    DriverStarted,
    KernelEnded,
    ReportBody,
    RunCancelled,
    RunFinished,
    StepCached,
    StepFailed,
    StepInvalidated,
    StepReady,
    warning,
)
from kfnb.engine.core.events import Event
from kfnb.engine.core.identity import Attempt
from kfnb.engine.core.retry_policy import Limits
from kfnb.engine.dispatch.attempt_events import AttemptEvents
from kfnb.engine.dispatch.groups import known_groups
from kfnb.engine.dispatch.manifests import step_manifest
from kfnb.engine.journal.file_journal import JournalBusy
from kfnb.errors import KfnbError

POLL_INTERVAL = 2.0
"""Seconds between two looks at what executes, in case a wake-up was lost."""

STOP_GRACE = 20.0
"""Seconds that attempts have to end when the driver cannot go on."""

_REAP_TIMEOUT = 5.0


def collect_garbage_rarely() -> None:
    """Let a driver's process look for garbage less often.

    The state of a run has no cycles and only grows, so the collector would visit it in vain: that
    was a sixth of the engine's time with 10,000 steps.
    """
    gc.set_threshold(50_000, 20, 50)


class Driver(Attempts):
    """Drives one run to its end; the parameters are those of :class:`Attempts`."""

    def drive(self) -> str:
        """Work until the run has ended; its status.

        Raises
        ------
        InfrastructureError
            If the disk is full or the run's folder is gone. What executes was stopped.
        """
        with selectors.DefaultSelector() as selector:
            if self._wakeup.socket is not None:
                selector.register(self._wakeup.socket, selectors.EVENT_READ)
            self._runner.attach(selector)
            try:
                # A request to resume makes an ended run go on, so requests come before the question
                # whether it ended.
                self._handle_requests()
                if not self._engine.state.ended:
                    self._begin()
                while not self._engine.state.ended:
                    self._act()
                    if not self._engine.state.ended:
                        self._wait(selector)
                        self._collect()
                    self._handle_requests()
                self._cache.learned_edges.save(self._engine.state)
                self._wait_for_exits(selector)
            except JournalBusy:
                raise  # what executes belongs to another driver now
            except (KfnbError, OSError):
                # On this machine nobody would read what attempts report; Jobs of a cluster wait for
                # the next driver.
                if not self._attempts_survive:
                    self._give_up(selector)
                raise
            finally:
                self._wakeup.close()
                self._cache.save()
        return self._engine.state.status

    def _begin(self) -> None:
        """Journal that a driver has begun, and find out what became of the last one's attempts."""
        first = self._engine.state.driver is None
        self._write(DriverStarted(pid=os.getpid()))
        if first:
            # In the journal, because a replay must not depend on what is stored later.
            for edge in self._cache.learned_edges.known():
                self._write(edge, edge.target, durable=False)
            for group in known_groups(self._pipeline) if self._kernels is not None else ():
                self._write(group, durable=False)
        # A resumed run has these warnings already.
        if not self._engine.state.warnings:
            for diagnostic in self._runner.unsupported_options(self._pipeline):
                self._write(warning(diagnostic))
        # The last driver may have died after it journaled that a round is void, before it cleared
        # the cache.
        keys: dict[tuple[str | None, str], str | None] = {}
        for event in self._journal.events:
            if isinstance(event.data, StepReady):
                keys[event.step, event.index] = event.data.key
            elif isinstance(event.data, StepInvalidated):
                self._withdraw(event.data, keys.get(event.data.target))
        for kernel in sorted(self._engine.state.kernels):
            if self._kernels is None or not self._kernels.waits(self._attempt(*kernel, 0)):
                self._kernel_ended(kernel, "it ended while the run had no driver")
        reported = _last_reports(self._journal.events)
        for name, index, attempt in self._engine.active():
            state = self._engine.state.steps[name, index]
            work = self._attempt(name, index, attempt, state.active_round)
            self._attempts[work] = AttemptEvents(
                work, after=reported.get((name, index, attempt), 0)
            )
            if self._runner.adopt(work):
                continue
            if (
                state.status != "running"
                or self._runner.may_have_executed(work)
                or step_manifest(self._store, self._run.id, work)
            ):
                self._ended[work] = None
            else:  # the last driver died between journaling the start and starting
                options, settings = self._pipeline.steps[name].options, self._engine.state.settings
                limits = Limits.of(options, self._pipeline.defaults, settings)
                own = state.kernel == (name, index, attempt)
                self._launch(
                    work,
                    state.inputs,
                    timeout=limits.timeout,
                    kernel=None if own else state.kernel,
                    grouped=self._engine.continues(name),
                )
        self._collect()

    def _act(self) -> None:
        """Carry out the engine's decisions until there are no more."""
        while True:
            commands = self._engine.decide(self._now())
            self._wake = None
            for command in commands:
                # An earlier command of this list may have made this one pointless.
                if self._engine.wants(command):
                    self._carry_out(command)
            # Stop and Wake are repeated by each decision, so only the others show that there may be
            # more to do.
            if not any(isinstance(c, (Prepare, Start, Record)) for c in commands):
                return

    def _carry_out(self, command: Command) -> None:
        # Every other command has an effect, and what led to it must be on the disk before.
        if not isinstance(command, Wake):
            self._journal.confirm()
        if isinstance(command, Record):
            # Before the event: if this driver dies in between, the next one cancels the run and
            # cleans up again.
            if isinstance(command.data, RunCancelled) and self._clean_up is not None:
                self._clean_up()
            repaired = any(step.round for step in self._engine.state.steps.values())
            if repaired and isinstance(command.data, RunFinished):
                with contextlib.suppress(KfnbError):  # a person changed one: it stays as it is
                    self._outputs.restore_all()
            self._write(command.data, command.step, index=command.index, round=command.round)
            if isinstance(command.data, StepInvalidated):
                target = self._engine.state.steps[command.data.target]
                self._withdraw(command.data, target.key)
        elif isinstance(command, Prepare):
            self._prepare(command)
        elif isinstance(command, Start):
            self._start(command)
        elif isinstance(command, EndKernel):
            if self._kernels is not None:
                self._kernels.end(self._work(command))
            kernel = (command.step, command.index, command.attempt)
            self._kernel_ended(kernel, "no later step needs it")
        elif isinstance(command, Stop):
            work = self._work(command)
            self._stop_reasons[work] = command.reason
            self._runner.stop(work)
        elif isinstance(command, Wake):
            self._wake = command.at

    def _prepare(self, command: Prepare) -> None:
        outcome = self._preparation.prepare(command, self._engine.state.settings)
        if isinstance(outcome, StepCached):
            self._unsynced = True
        self._write(
            outcome,
            command.step,
            index=command.index,
            round=command.round,
            # A lost StepReady or StepCached costs only another look-up.
            durable=isinstance(outcome, StepFailed),
        )

    def _start(self, command: Start) -> None:
        step = self._pipeline.steps[command.step]
        work = self._work(command)
        self._write(
            AttemptStarted(inputs=dict(command.inputs), kernel=command.kernel),
            step.name,
            index=command.index,
            round=command.round,
            attempt=command.attempt,
        )
        self._launch(
            work,
            command.inputs,
            timeout=command.timeout,
            kernel=command.kernel,
            grouped=command.grouped,
        )

    def _kernel_ended(self, kernel: Attempt, reason: str) -> None:
        step, index, attempt = kernel
        self._write(KernelEnded(reason=reason), step, index=index, attempt=attempt)

    def _wait(self, selector: selectors.BaseSelector) -> None:
        waits = [POLL_INTERVAL, self._runner.poll_interval()]
        if self._wake is not None:
            waits.append(self._wake - self._now())
        selector.select(max(0.0, min(w for w in waits if w is not None)))
        self._wakeup.drain()
        self._journal.confirm()

    def _handle_requests(self) -> None:
        """Carry out people's requests; a stop of an ended run does nothing."""
        if self._fetch_requests is not None:
            self._fetch_requests()
        for request in driver_requests.pending_requests(self._run):
            if request.type == "resume":
                self._write(convert_body("RunResumed", request.data))
            elif request.type == "stop" and not self._engine.state.ended:
                self._write(convert_body("StopRequested", request.data))
            # Only after its event is in the journal: after a crash the request is found again.
            driver_requests.remove_request(request)

    def _wait_for_exits(self, selector: selectors.BaseSelector) -> None:
        """Wait for processes that have reported their result and are about to end."""
        deadline = time.monotonic() + _REAP_TIMEOUT
        while self._runner.running() and time.monotonic() < deadline:
            selector.select(min(0.2, self._runner.poll_interval() or 0.2))
            self._wakeup.drain()
            self._runner.poll()

    def _give_up(self, selector: selectors.BaseSelector) -> None:
        """Stop all attempts: without a journal their results would be lost."""
        deadline = time.monotonic() + STOP_GRACE
        for work in self._runner.running():
            self._runner.stop(work)
        while self._runner.running() and time.monotonic() < deadline:
            selector.select(min(0.5, self._runner.poll_interval() or 0.5))
            self._wakeup.drain()
            with contextlib.suppress(OSError):
                self._runner.poll()


def _last_reports(events: tuple[Event, ...]) -> dict[tuple[str, str, int], int]:
    """Find for each attempt the number of its last report that is in the journal."""
    reported: dict[tuple[str, str, int], int] = {}
    for event in events:
        data = event.data
        if event.step is None or event.attempt is None or not isinstance(data, ReportBody):
            continue
        if isinstance(data.n, int):
            reported[event.step, event.index, event.attempt] = data.n
    return reported
