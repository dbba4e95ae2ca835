"""A template as its parent sees it: start it, have it fork, and hear what becomes of the children.

The parent is the supervisor, which must never block, so everything here returns at once. A message
is one packet of JSON on a socket pair; what may be large (a spec, an order) comes beside it, as a
descriptor of a file in memory. Linux only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfnb.step.templates.spec import ForkOrder, TemplateSpec, to_json

__all__ = [
    "Event",
    "Exited",
    "ForkOrder",
    "Forked",
    "NotForked",
    "Ready",
    "Template",
    "TemplateSpec",
    "Unusable",
]

_PACKET = 1 << 16
_PACKAGE = Path(__file__).resolve().parents[2]
# The package is loaded from its folder, because another environment's interpreter does not have it
# on its path. Without "" on the path, no module of the current folder is imported by mistake.
_BOOTSTRAP = (
    "import sys; sys.path[:1] == [''] and sys.path.pop(0); import importlib.util as u; "
    "s = u.spec_from_file_location('kfnb', sys.argv[1] + '/__init__.py', "
    "submodule_search_locations=[sys.argv[1]]); "
    "m = sys.modules['kfnb'] = u.module_from_spec(s); s.loader.exec_module(m); "
    "from kfnb.step.templates.program import main; main(sys.argv[2:])()"
)


@dataclass(frozen=True, slots=True)
class Ready:
    """The template has loaded everything.

    ``left_out`` has the import statements that it left to its children, each with the reason.
    """

    left_out: dict[str, str]


@dataclass(frozen=True, slots=True)
class Forked:
    """A child has begun; ``listener`` reports the files it opens, if the order asked for that."""

    request: int
    pid: int
    listener: int | None = None


@dataclass(frozen=True, slots=True)
class NotForked:
    """A request could not be fulfilled; an ordinary process should be started instead."""

    request: int
    reason: str


@dataclass(frozen=True, slots=True)
class Exited:
    """A child has ended.

    ``status`` is its exit code, a signal as a negative number; memory in bytes, time in seconds.
    """

    pid: int
    status: int
    peak_memory: int = 0
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Unusable:
    """The template has ended, or cannot be used; ``reason`` is a sentence."""

    reason: str


Event = Ready | Forked | NotForked | Exited | Unusable


class Template:
    """The parent's handle of one template process. Start it with :meth:`start`."""

    def __init__(
        self, process: subprocess.Popen[bytes], connection: socket.socket, spec: TemplateSpec
    ) -> None:
        self.spec = spec
        self.pid = process.pid
        self.ready = False
        self.children: set[int] = set()
        self._process = process
        self._socket = connection
        self._requests = 0
        self._pending: set[int] = set()
        self._unsent: deque[tuple[bytes, list[int]]] = deque()
        self._ended = False

    @classmethod
    def start(cls, spec: TemplateSpec, *, log: int) -> Template:
        """Start the template's process, which ends with this one (and with this thread).

        Parameters
        ----------
        spec
            What to load.
        log
            Descriptor of a file for what the template itself writes to stdout and stderr.

        Raises
        ------
        OSError
            If the interpreter cannot be started.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            ours.setblocking(False)
            arguments = [str(_PACKAGE), str(theirs.fileno()), str(os.getpid())]
            try:
                process = subprocess.Popen(
                    [spec.python, *spec.options, "-c", _BOOTSTRAP, *arguments],
                    # A template may outlive the folder in which it was started.
                    cwd="/",
                    env=dict(spec.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        template = cls(process, ours, spec)
        template._send({}, [_file_in_memory(to_json(spec))])
        return template

    def fileno(self) -> int:
        """Return the descriptor that is readable when :meth:`receive` has something."""
        return self._socket.fileno()

    @property
    def sending(self) -> bool:
        """Whether requests wait until the template reads; ``flush`` sends them."""
        return bool(self._unsent)

    def fork(self, order: ForkOrder, descriptors: Sequence[int]) -> int:
        """Ask for a child; the number of the request.

        ``descriptors`` are those that the order names; they are duplicated, so the caller may
        close its own. The answer is a :class:`Forked` or a :class:`NotForked`.
        """
        if len(order.descriptors) != len(descriptors):
            raise ValueError("An order names as many descriptors as are passed with it.")
        self._requests += 1
        self._pending.add(self._requests)
        copies = [fcntl.fcntl(d, fcntl.F_DUPFD_CLOEXEC, 3) for d in descriptors]
        message = {"request": self._requests}
        self._send(message, [_file_in_memory(to_json(order)), *copies])
        return self._requests

    def receive(self) -> list[Event]:
        """Return what has happened since the last call, in order."""
        self.flush()
        events: list[Event] = []
        while not self._ended:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._socket, _PACKET, 1)
            except BlockingIOError:
                break
            except OSError as error:
                data, descriptors = b"", []
                events += self._end(str(error))
                break
            if not data:
                events += self._end("its process has ended")
                break
            events += self._event(json.loads(data), descriptors)
        return events

    def flush(self) -> None:
        """Send the requests that wait, as far as the template reads them."""
        while self._unsent and not self._ended:
            data, descriptors = self._unsent[0]
            try:
                socket.send_fds(self._socket, [data], descriptors)
            except BlockingIOError:
                return
            except OSError:  # it has ended: receive() says so
                pass
            self._unsent.popleft()
            _close_all(descriptors)

    def retire(self) -> None:
        """Have it end as soon as its children have ended; it forks no more."""
        self._send({"retire": True}, [])

    def close(self) -> None:
        """End the template now, and with it all of its children. May be called again."""
        self._ended = True
        self._socket.close()
        while self._unsent:
            _close_all(self._unsent.popleft()[1])
        with contextlib.suppress(ProcessLookupError):
            if self._process.poll() is None:
                os.kill(self.pid, signal.SIGKILL)
                self._process.wait()

    def _send(self, message: dict[str, Any], descriptors: list[int]) -> None:
        self._unsent.append((json.dumps(message).encode(), descriptors))
        self.flush()

    def _event(self, message: dict[str, Any], descriptors: list[int]) -> Iterable[Event]:
        kind = message.pop("event")
        request = message.get("request", 0)
        if kind == "ready":
            self.ready = True
            return [Ready(message["left_out"])]
        if kind == "unusable":
            return [Unusable(message["reason"])]
        if kind == "not-forked":
            self._pending.discard(request)
            return [NotForked(request, message["reason"])]
        if kind == "forked":
            self._pending.discard(request)
            self.children.add(message["pid"])
            return [Forked(request, message["pid"], descriptors[0] if descriptors else None)]
        self.children.discard(message["pid"])
        if request in self._pending:
            self._pending.discard(request)
            return [NotForked(request, f"the child ended ({message['status']}) before it began")]
        del message["request"]
        return [Exited(**message)]

    def _end(self, reason: str) -> list[Event]:
        self._ended = True
        lost: list[Event] = [NotForked(request, reason) for request in sorted(self._pending)]
        self._pending.clear()
        # Its children die with it, and nobody is left who could know their exit status.
        lost += [Exited(pid, -int(signal.SIGKILL)) for pid in sorted(self.children)]
        self.children.clear()
        return [*lost, Unusable(f"The template ended: {reason}.")]


def _file_in_memory(data: bytes) -> int:
    descriptor = os.memfd_create("kfnb")
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
