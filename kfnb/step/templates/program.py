"""The template's own program: load, then fork a child for each request. Standard library only.

It is started by :meth:`kfnb.step.templates.template.Template.start`. The template itself does
nothing but wait, so that its single thread is in a known place whenever it forks.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from kfnb.step.templates import child_process, kernel_kind, step_kind
from kfnb.step.templates.imports.known_effects import known_effects
from kfnb.step.templates.imports.leading_imports import TakesEffect
from kfnb.step.templates.loaded import Loaded, Run
from kfnb.step.templates.spec import (
    ForkOrder,
    TemplateSpec,
    order_from_json,
    spec_from_json,
    to_json,
)

_PACKET = 1 << 16
_MOST_DESCRIPTORS = 32
_HIGH = 64
_ENVIRONMENT = dict(os.environ)


def main(arguments: Sequence[str]) -> Run:
    """Load and serve. Returns in a child only: what the child executes at the top of its stack.

    ``arguments`` are the descriptor of the connection and the parent's process number; when the
    program has started anew (:func:`_start_again`), also the descriptor of what it continues with.
    """
    # Children get their descriptors under the lowest numbers.
    high = fcntl.fcntl(int(arguments[0]), fcntl.F_DUPFD_CLOEXEC, _HIGH)
    os.close(int(arguments[0]))
    connection = socket.socket(fileno=high)
    child_process.die_with_parent(int(arguments[1]))
    try:
        spec, left_out = _assignment(connection, arguments[2:])
        try:
            loaded = step_kind.load() if spec.kind == "step" else kernel_kind.load(spec)
        except TakesEffect as offence:
            _start_again(spec, {**left_out, **offence.effects}, connection.fileno())
        return _Server(connection, replace(loaded, left_out=left_out)).serve()
    except (IndexError, BrokenPipeError, ConnectionResetError):
        os._exit(0)  # the parent has ended
    except child_process.ChildError:
        raise
    except BaseException as error:
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}"
        _tell(connection, event="unusable", reason=reason[:2000])
        sys.stderr.flush()
        # Exit handlers of what was imported belong to the children.
        os._exit(1)


def _assignment(
    connection: socket.socket, arguments: Sequence[str]
) -> tuple[TemplateSpec, dict[str, str]]:
    """Return what to load, and which imports are left out so far."""
    if arguments:
        plain = json.loads(_read(int(arguments[0])))
        return spec_from_json(plain["spec"].encode()), plain["left_out"]
    _, descriptors, _, _ = socket.recv_fds(connection, _PACKET, 1)
    spec = spec_from_json(_read(descriptors.pop()))
    known = known_effects(spec.imports)
    return _without(spec, known), known


def _start_again(spec: TemplateSpec, left_out: Mapping[str, str], connection: int) -> NoReturn:
    """Execute this program anew, without the imports that are left out.

    Number, parent and connection of the process stay; what the imports did goes.
    """
    spec = _without(spec, left_out)
    plain = {"spec": to_json(spec).decode(), "left_out": left_out}
    descriptor = os.memfd_create("kfnb", 0)
    with open(descriptor, "w", closefd=False) as file:
        json.dump(plain, file)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.set_inheritable(connection, True)
    # After the bootstrap come the package's folder, the connection and the parent.
    folder = sys.orig_argv.index("-c") + 2
    numbers = [str(connection), sys.orig_argv[folder + 2], str(descriptor)]
    command = [*sys.orig_argv[: folder + 1], *numbers]
    os.execve(spec.python, command, _ENVIRONMENT)  # noqa: S606


def _without(spec: TemplateSpec, left_out: Mapping[str, str]) -> TemplateSpec:
    return replace(spec, imports=tuple(s for s in spec.imports if s not in left_out))


class _Server:
    """Forks for each request, and reports the ends of its children."""

    def __init__(self, connection: socket.socket, loaded: Loaded) -> None:
        self._socket = connection
        self._loaded = loaded
        self._requests: dict[int, int] = {}
        self._retired = False
        self._pid = os.getpid()
        self._ends, self._signalled = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> Run:
        """Serve until the parent ends; in a child, return what it executes."""
        signal.signal(signal.SIGCHLD, _ignore)
        signal.set_wakeup_fd(self._signalled)
        # Objects that are never collected are not written to either, and stay shared.
        gc.collect()
        gc.freeze()
        self._tell(event="ready", left_out=dict(self._loaded.left_out))
        while True:
            readable, _, _ = select.select([self._socket.fileno(), self._ends], [], [])
            if self._ends in readable:
                os.read(self._ends, 4096)
                self._reap()
            if self._socket.fileno() in readable:
                run = self._receive()
                if run is not None:
                    return run
            if self._retired and not self._requests:
                os._exit(0)

    def _receive(self) -> Run | None:
        data, descriptors, _, _ = socket.recv_fds(self._socket, _PACKET, _MOST_DESCRIPTORS)
        if not data:
            # The parent has closed: children that run would be killed with us at its end anyway.
            os._exit(0)
        message = json.loads(data)
        if "retire" in message:
            self._retired = True
            return None
        order, passed = order_from_json(_read(descriptors[0])), descriptors[1:]
        run = self._fork(message["request"], order, passed)
        # In a child, these numbers mean other descriptors by now.
        if run is None:
            for descriptor in passed:
                os.close(descriptor)
        return run

    def _fork(self, request: int, order: ForkOrder, descriptors: list[int]) -> Run | None:
        reason = "the template was retired" if self._retired else self._loaded.refuse(order)
        if reason is not None:
            self._tell(event="not-forked", request=request, reason=reason)
            return None
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            pid = _fork_quietly()
        except OSError as error:
            self._tell(event="not-forked", request=request, reason=f"fork: {error.strerror}")
            return None
        if pid:
            self._requests[pid] = request
            if not order.watch:
                self._tell(event="forked", request=request, pid=pid)
            return None
        return self._become_child(request, order, descriptors)

    def _become_child(self, request: int, order: ForkOrder, descriptors: list[int]) -> Run:
        connection = self._socket
        try:
            child_process.die_with_parent(self._pid)
            child_process.reset_signals()
            own = connection.fileno()
            numbers = child_process.arrange_descriptors(order, descriptors, also=own)
            child_process.replace_surroundings(order, numbers)
            child_process.reseed()
            run = self._loaded.start(order)
            if order.watch:
                _report_listener(connection, request)
            connection.close()
        except BaseException as error:
            raise child_process.ChildError(f"kfnb: the child cannot begin: {error}") from error
        return run

    def _reap(self) -> None:
        while self._requests:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            request = self._requests.pop(pid, 0)
            self._tell(
                event="exited",
                request=request,
                pid=pid,
                status=os.waitstatus_to_exitcode(status),
                peak_memory=usage.ru_maxrss << 10,
                cpu_seconds=round(usage.ru_utime + usage.ru_stime, 3),
            )

    def _tell(self, **message: Any) -> None:
        _tell(self._socket, **message)


def _report_listener(connection: socket.socket, request: int) -> None:
    """Install the filter that reports opened files, and hand its listener to the parent."""
    from kfnb.step.opened_files.seccomp_filter import watch_this_process

    message = json.dumps({"event": "forked", "request": request, "pid": os.getpid()}).encode()
    try:
        listener = watch_this_process()
    except OSError:
        # The system does not allow it: the parent sees that there is no listener.
        connection.send(message)
        return
    try:
        socket.send_fds(connection, [message], [listener])
    finally:
        # A copy left here would make the next open of a file wait for ever.
        os.close(listener)


def _fork_quietly() -> int:
    with warnings.catch_warnings():
        # Python warns of threads in a process that forks. Those that are left here are known to
        # survive it.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _tell(connection: socket.socket, **message: Any) -> None:
    connection.send(json.dumps(message).encode())


def _read(descriptor: int) -> bytes:
    with open(descriptor, "rb") as file:
        return file.read()


def _ignore(*_: object) -> None:
    """Let the signal wake select(), and nothing else."""
