"""Executes attempts and kernels for the supervisor's clients: forked from templates, or not."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from kfnb.step.kernels import socket_folder
from kfnb.step.opened_files import report as reports
from kfnb.step.opened_files.listener import Listener
from kfnb.step.supervisor import messages, process_table
from kfnb.step.supervisor.attempts import Attempt, Limits, start_process
from kfnb.step.supervisor.cleanup import Cleanups
from kfnb.step.supervisor.connection import Connection, Received
from kfnb.step.supervisor.template_pool import TemplatePool, end_unwanted
from kfnb.step.templates.spec import ForkOrder, order_from_json, spec_from_json
from kfnb.step.templates.template import Exited, Forked, Template

_NOT_STARTED = 4
"""The exit code of an attempt that could not be started: that of infrastructure failures."""

Handler = Callable[[], None]


class Executor:
    """All attempts of one supervisor, with the templates and listeners that serve them.

    Parameters
    ----------
    mark
        The supervisor's identity, which marks every process below it.
    watch, unwatch
        Have a function called when a descriptor is readable, and no more.
    listen_to, drop
        Have a function called with what a connection receives, and close it.
    ended
        Called with the connection of an attempt's driver, if it lives, and the attempt's end.
    """

    def __init__(
        self,
        mark: str,
        *,
        watch: Callable[[Any, Handler], None],
        unwatch: Callable[[Any], None],
        listen_to: Callable[[Connection, Callable[[Received], None]], None],
        drop: Callable[[Connection], None],
        ended: Callable[[Connection | None, messages.Ended], None],
    ) -> None:
        self.attempts: dict[str, Attempt] = {}
        self._mark = mark
        self._watch, self._unwatch = watch, unwatch
        self._listen_to, self._drop, self._ended = listen_to, drop, ended
        self._cleanups = Cleanups()
        self.pool = TemplatePool(
            mark,
            sys.stderr.fileno(),
            watch=self._watch_template,
            unwatch=unwatch,
            exited=self._forked_process_ended,
        )

    @property
    def cleaning(self) -> bool:
        """Whether :meth:`advance` must be called again soon."""
        return self._cleanups.pending

    def deadline(self) -> float | None:
        """Return when :meth:`advance` must be called; monotonic seconds."""
        times = [a.limits.deadline() for a in self.attempts.values() if a.limits is not None]
        return min((at for at in [*times, self.pool.deadline()] if at is not None), default=None)

    def advance(self) -> None:
        """Collect ended children, end what attempts left running, give up what takes too long."""
        self._reap()
        self._enforce_limits()
        self._cleanups.advance(self.attempts, self.pool.pids())
        self.pool.advance()

    # -- attempts ---------------------------------------------------------------------------

    def start(
        self, client: Connection, order: messages.StartAttempt, descriptors: Sequence[int]
    ) -> None:
        """Start an attempt; if that fails, it ends at once and its log says why."""
        log, alive, *masked = descriptors
        if order.key in self.attempts:
            return
        ours, theirs = socket.socketpair()
        attempt = self.attempts[order.key] = Attempt(
            order.key, Connection(ours), client, alive=os.dup(alive)
        )
        self._listen_to(attempt.channel, lambda received: self._serve_step(attempt, received))
        environment = {
            **order.environment,
            process_table.ATTEMPT: order.key,
            process_table.SUPERVISOR: self._mark,
        }
        if not order.template:
            with theirs:
                self._start_process(
                    attempt, order, environment, (log, alive, theirs.fileno(), *masked)
                )
            return
        # The caller closes its descriptors, and they may be needed after the template's answer.
        copies = (os.dup(log), os.dup(alive), theirs.detach(), *map(os.dup, masked))

        def done(forked: Forked | None) -> None:
            try:
                if forked is not None:
                    self._has_process(attempt, forked.pid)
                else:
                    self._start_process(attempt, order, environment, copies)
            finally:
                for descriptor in copies:
                    os.close(descriptor)

        fork = ForkOrder(
            tuple(order.arguments),
            order.cwd,
            environment,
            descriptors=(
                "stdout",
                "stderr",
                "alive",
                "supervisor",
                *(["masked"] if masked else []),
            ),
        )
        spec = spec_from_json(order.template.encode())
        self.pool.fork(spec, fork, (copies[0], *copies), done)

    def prepare(self, template: str) -> None:
        """Start a template that will be needed soon."""
        self.pool.prepare(spec_from_json(template.encode()))

    def _start_process(
        self,
        attempt: Attempt,
        order: messages.StartAttempt,
        environment: dict[str, str],
        descriptors: tuple[int, ...],
    ) -> None:
        log, alive, channel, *masked = descriptors
        try:
            popen = start_process(
                order.command,
                cwd=order.cwd,
                environment=environment,
                log=log,
                alive=alive,
                channel=channel,
                masked=masked[0] if masked else None,
            )
        except OSError as error:
            name = f" ({error.filename})" if error.filename else ""
            reason = os.strerror(error.errno or errno.EIO)
            os.write(log, f"kfnb: The step cannot be started: {reason}{name}.\n".encode())
            self._process_ended(attempt, _NOT_STARTED)
        else:
            self._has_process(attempt, popen.pid, popen)

    def _has_process(
        self, attempt: Attempt, pid: int, popen: subprocess.Popen[bytes] | None = None
    ) -> None:
        attempt.has_process(pid, popen)
        if attempt.client is not None:
            attempt.client.send(messages.Started(attempt.key, pid))

    def _reap(self) -> None:
        """Collect the exit statuses of all children that have ended."""
        while True:
            try:
                pid, raw = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for attempt in list(self.attempts.values()):
                if attempt.popen is not None and attempt.pid == pid and attempt.status is None:
                    status = os.waitstatus_to_exitcode(raw)
                    # Popen would otherwise ask for the status of a process that is gone.
                    attempt.popen.returncode = status
                    self._process_ended(attempt, status)

    def _enforce_limits(self) -> None:
        """Kill attempts whose step processes have not enforced a limit."""
        for attempt in self.attempts.values():
            if attempt.limits is None or attempt.status is not None:
                continue
            code = attempt.limits.exceeded(attempt.kernel_processes)
            if code is not None:
                attempt.limits, attempt.killed_for = None, code
                attempt.signal(signal.SIGKILL, group=True)

    def _process_ended(self, attempt: Attempt, status: int) -> None:
        if status == -signal.SIGKILL and attempt.killed_for is not None:
            status = attempt.killed_for
        attempt.status = status
        self._drop(attempt.channel)

        def done(left: tuple[str, ...]) -> None:
            del self.attempts[attempt.key]
            attempt.close()
            self._ended(attempt.client, messages.Ended(attempt.key, status, left))

        self._cleanups.add(attempt, done)

    def _forked_process_ended(self, exited: Exited) -> None:
        for attempt in list(self.attempts.values()):
            if attempt.popen is None and attempt.pid == exited.pid and attempt.status is None:
                self._process_ended(attempt, exited.status)
            elif exited.pid in attempt.kernels:
                attempt.kernels.discard(exited.pid)
                attempt.channel.send(
                    messages.KernelEnded(
                        exited.pid, exited.status, exited.peak_memory, exited.cpu_seconds
                    )
                )

    # -- what step processes ask for --------------------------------------------------------

    def _serve_step(self, attempt: Attempt, received: Received) -> None:
        message = received.message
        if isinstance(message, messages.StartKernel):
            self._start_kernel(attempt, message, received.descriptors)
        elif isinstance(message, messages.ListenTo):
            (descriptor,) = received.descriptors
            self._listen(os.dup(descriptor), Path(message.report))
        elif isinstance(message, messages.Limit):
            attempt.limits = Limits(seconds=message.seconds, memory=message.memory)
        elif isinstance(message, messages.EndLeftovers):

            def done(left: tuple[str, ...]) -> None:
                attempt.channel.send(messages.LeftoversEnded(message.request, left))

            self._cleanups.add(attempt, done)

    def _start_kernel(
        self, attempt: Attempt, message: messages.StartKernel, descriptors: Sequence[int]
    ) -> None:
        def done(forked: Forked | None) -> None:
            if forked is None:
                attempt.channel.send(messages.KernelStarted(message.request))
                return
            if attempt.status is not None:
                # Its step process was killed meanwhile.
                end_unwanted(forked)
                return
            attempt.kernels.add(forked.pid)
            attempt.groups.add(forked.pid)
            watched = forked.listener is not None
            if forked.listener is not None:
                self._listen(forked.listener, Path(attempt.key) / reports.NAME)
            attempt.channel.send(messages.KernelStarted(message.request, forked.pid, watched))

        order = order_from_json(message.order.encode())
        attempt.sockets.update(_socket_folders(order.arguments))
        self.pool.fork(spec_from_json(message.template.encode()), order, descriptors, done)

    def _listen(self, descriptor: int, report: Path) -> None:
        """Answer the calls of a watched process until all processes that it covers have ended."""
        listener = Listener(descriptor, report)

        def answer() -> None:
            try:
                listener.answer()
            except Exception:
                traceback.print_exc()
            if listener.finished:
                self._unwatch(listener)
                listener.close()

        self._watch(listener, answer)

    def _watch_template(self, template: Template) -> None:
        self._watch(template, lambda: self.pool.receive(template))


def _socket_folders(arguments: Sequence[str]) -> list[str]:
    """Return the folder of a kernel's connection file, if kfnb made it for the kernel."""
    folders = [Path(file).parent for option, file in pairwise(arguments) if option == "-f"]
    return [str(folder) for folder in folders if folder.name.startswith(socket_folder.PREFIX)]
