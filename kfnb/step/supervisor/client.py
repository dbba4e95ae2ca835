"""The supervisor as drivers and step processes see it."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfnb.errors import InfrastructureError
from kfnb.step.supervisor import messages, process_table
from kfnb.step.supervisor.messages import Ended, Started
from kfnb.step.templates.kernel_source import KernelEnd, StartedProcess
from kfnb.step.templates.spec import ForkOrder, TemplateSpec, to_json

if TYPE_CHECKING:
    from kfnb.step.supervisor.connection import Connection

TEMPLATES = "KFNB_TEMPLATES"
"""The variable that switches the supervisor and its templates off, or on."""

_DEFAULT = "on"
_TIMEOUT = 20.0
_LONGEST_ANSWER = 60.0


class SupervisorLost(Exception):  # noqa: N818 (a state, which its users handle)
    """The supervisor has ended, or does not answer."""


def is_available() -> bool:
    """Return whether this system and the environment allow a supervisor."""
    if os.environ.get(TEMPLATES, _DEFAULT).strip().lower() in ("off", "0", "no", "false"):
        return False
    # Without /proc nobody could find what an attempt leaves behind.
    return sys.platform == "linux" and Path("/proc/self/stat").exists()


class Supervisor:
    """A driver's, or a visitor's, connection to the supervisor."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._requests = itertools.count(1)
        self._ended: list[Ended] = []
        self._started: list[Started] = []
        self.lost = False

    @classmethod
    def connect(cls, *, start: bool, role: str = "driver") -> Supervisor | None:
        """Connect to the supervisor; None where there is none and none can be started."""
        if not is_available():
            return None
        from kfnb.step.supervisor.address import supervisor_address
        from kfnb.step.supervisor.starting import open_connection

        try:
            address = supervisor_address()
            if address is None:
                return None
            connection = open_connection(address, role=role, start=start)
        # Whatever the system refuses: runs work without a supervisor, too.
        except OSError:
            return None
        return cls(connection) if connection is not None else None

    def fileno(self) -> int:
        """Return a descriptor that is readable when :meth:`ended` has news."""
        return self._connection.fileno()

    @property
    def pid(self) -> int:
        """The supervisor's process."""
        return self._connection.served_by

    def is_stopped(self) -> bool:
        """Return whether somebody has stopped the process (SIGSTOP), so that it does nothing."""
        status = process_table.process_status(self.pid)
        return status is not None and status.state == "T"

    def kill(self) -> None:
        """Kill it, and with it all of its attempts."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, signal.SIGKILL)

    def start_attempt(
        self,
        key: str,
        command: Sequence[str],
        *,
        cwd: str,
        environment: Mapping[str, str],
        descriptors: tuple[int, ...],
        template: TemplateSpec | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        """Start an attempt, without waiting for it; whatever becomes of it, its end is reported.

        Parameters
        ----------
        key
            The attempt's folder.
        descriptors
            The file for what it prints, the attempt's lock, and the pipe with masked parameters if
            there are any.
        template, arguments
            A template that may fork it instead of executing ``command``, and how.
        """
        spec = to_json(template).decode() if template is not None else ""
        message = messages.StartAttempt(
            key, tuple(command), cwd, dict(environment), spec, tuple(arguments)
        )
        self._connection.send(message, descriptors)

    def prepare(self, template: TemplateSpec) -> None:
        """Start a template that will be asked for soon."""
        self._connection.send(messages.PrepareTemplate(to_json(template).decode()))

    def adopt(self, key: str) -> bool:
        """Have the end of an attempt reported here; return whether it executes.

        Raises
        ------
        SupervisorLost
            If the supervisor does not answer.
        """
        return bool(self._ask(messages.Adopt(next(self._requests), key)).executes)

    def signal(self, key: str, number: int, *, group: bool) -> None:
        """Send a signal to an attempt's process or process group; does nothing if it has ended."""
        self._connection.send(messages.SignalAttempt(key, number, group))

    def ended(self) -> list[Ended]:
        """Return the attempts that ended since the last call; sets ``lost`` if that is known."""
        self._receive()
        ended, self._ended = self._ended, []
        return ended

    def started(self) -> list[Started]:
        """Return the attempts whose processes started since the last call."""
        self._receive()
        started, self._started = self._started, []
        return started

    def processes(self) -> messages.ProcessList:
        """Return what lives below the supervisor; raises SupervisorLost."""
        answer = self._ask(messages.ListProcesses(next(self._requests)))
        assert isinstance(answer, messages.ProcessList)
        return answer

    def close(self) -> None:
        """Disconnect; attempts go on."""
        self._connection.close()

    def _ask(self, message: Any, descriptors: Sequence[int] = ()) -> Any:
        deadline = time.monotonic() + _TIMEOUT
        self._connection.send(message, descriptors)
        while not self._connection.closed and (left := deadline - time.monotonic()) > 0:
            unsent = [self._connection] if self._connection.has_unsent else []
            select.select([self._connection], unsent, [], left)
            self._connection.flush()
            for answer in self._receive():
                if answer.request == message.request:
                    return answer
        self.lost = True
        self._connection.close()
        raise SupervisorLost

    def _receive(self) -> list[Any]:
        """Note the ends that were reported, and return all other messages."""
        answers = []
        if not self.lost:
            self._connection.flush()
            for message, descriptors in self._connection.receive():
                for descriptor in descriptors:
                    os.close(descriptor)
                if isinstance(message, Ended):
                    self._ended.append(message)
                elif isinstance(message, Started):
                    self._started.append(message)
                else:
                    answers.append(message)
            if self._connection.closed:
                self.lost = True
        return answers


class StepChannel:
    """A step process's connection to the supervisor that started it.

    Parameters
    ----------
    connection
        None in a step process that no supervisor started; then every call does nothing.
    """

    def __init__(self, connection: Connection | None) -> None:
        self._connection = connection
        self._requests = itertools.count(1)
        self._kernel_ends: dict[int, KernelEnd] = {}
        self._limited = False

    @classmethod
    def inherited(cls) -> StepChannel:
        """Take the channel that this process has inherited; children do not inherit it."""
        import socket

        from kfnb.step.supervisor.attempts import CHANNEL_FD
        from kfnb.step.supervisor.connection import Connection

        number = os.environ.pop(CHANNEL_FD, "")
        if not number:
            return cls(None)
        with contextlib.suppress(OSError, ValueError):
            descriptor = int(number)
            os.set_inheritable(descriptor, False)
            return cls(Connection(socket.socket(fileno=descriptor)))
        return cls(None)

    @property
    def is_connected(self) -> bool:
        """Whether a supervisor started this process and lives, as far as known."""
        return self._connection is not None and not self._connection.closed

    def check(self) -> None:
        """Raise InfrastructureError if the supervisor has ended."""
        if self._connection is not None:
            self._receive()
            if self._connection.closed:
                raise InfrastructureError("kfnb's supervisor ended while the step executed.")

    def limit(self, *, seconds: float | None, memory: int | None) -> None:
        """Have the attempt killed if this process does not enforce a limit, because it hangs.

        The limits before do not hold any more.
        """
        limited = seconds is not None or memory is not None
        if self._connection is not None and (limited or self._limited):
            self._limited = limited
            self._connection.send(messages.Limit(seconds, memory))

    def end_leftovers(self) -> tuple[str, ...]:
        """End what the kernel left running, which may take seconds; return descriptions of it."""
        answer = self._ask(messages.EndLeftovers(next(self._requests)))
        return answer.left if isinstance(answer, messages.LeftoversEnded) else ()

    def start_kernel(
        self, spec: TemplateSpec, order: ForkOrder, descriptors: Sequence[int]
    ) -> StartedProcess | None:
        """Fork a kernel from a template; None if that is not possible now.

        It waits for a template that is loading: the kernel would have to load the same.
        """
        request = next(self._requests)
        plain = (to_json(spec).decode(), to_json(order).decode())
        answer = self._ask(messages.StartKernel(request, *plain), descriptors)
        if not isinstance(answer, messages.KernelStarted) or not answer.pid:
            return None
        return StartedProcess(answer.pid)

    def kernel_ended(self, pid: int) -> KernelEnd | None:
        """Return how a forked kernel ended; None while that is not known. Never waits."""
        self._receive()
        lost = self._connection is None or self._connection.closed
        if lost and pid not in self._kernel_ends:
            # The kernel ends with the supervisor.
            return KernelEnd(-signal.SIGKILL)
        return self._kernel_ends.get(pid)

    def listen(self, descriptor: int, report: Path) -> bool:
        """Have the supervisor write the files that a kernel opens; False if there is none.

        It is called in another thread than everything else, but while nothing else is sent.
        """
        if self._connection is None or self._connection.closed:
            return False
        self._connection.send(messages.ListenTo(str(report)), (descriptor,))
        return not self._connection.closed

    def _ask(self, message: Any, descriptors: Sequence[int] = ()) -> Any:
        """Return the answer to a message; None without supervisor, or if it does not answer."""
        connection = self._connection
        if connection is None or connection.closed:
            return None
        connection.send(message, descriptors)
        deadline = time.monotonic() + _LONGEST_ANSWER
        while not connection.closed and (left := deadline - time.monotonic()) > 0:
            select.select([connection], [connection] if connection.has_unsent else [], [], left)
            connection.flush()
            for answer in self._receive():
                if answer.request == message.request:
                    return answer
        return None

    def _receive(self) -> list[Any]:
        """Note the ends of kernels, and return all other messages."""
        answers = []
        for message, descriptors in self._connection.receive() if self._connection else ():
            for descriptor in descriptors:
                os.close(descriptor)
            if isinstance(message, messages.KernelEnded):
                end = KernelEnd(message.status, message.peak_memory, message.cpu_seconds)
                self._kernel_ends[message.pid] = end
            else:
                answers.append(message)
        return answers
