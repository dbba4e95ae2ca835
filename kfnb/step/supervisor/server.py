"""The supervisor's loop: clients, ends of processes, and when it leaves."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import selectors
import signal
import socket
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kfnb.step.opened_files.listener import Listener
from kfnb.step.supervisor import messages, process_table
from kfnb.step.supervisor.address import Address
from kfnb.step.supervisor.attempts import Attempt, Attempts
from kfnb.step.supervisor.connection import Connection, Received

_CLEANUP_POLL = 0.02
_STARTING = 15.0
"""Seconds in which the first client must come, where it leaves with the last run."""

_HOME_POLL = 30.0
_MOST_ENDED = 1000


class Server:
    """Serves clients until nobody needs it any more.

    Parameters
    ----------
    address
        Where ``listener`` is bound.
    idle
        Seconds without driver and attempt after which it leaves.
    home
        The KFNB_HOME that it works for; when that was removed it leaves, too.
    """

    def __init__(
        self, address: Address, listener: socket.socket, *, idle: float, home: Path
    ) -> None:
        self._address, self._listener, self._home = address, listener, home
        self._idle = idle
        self._started = time.time()
        self._attempts = Attempts(process_table.identity(os.getpid()))
        self._unreported: dict[str, messages.Ended] = {}
        self._clients: set[Connection] = set()
        self._drivers: dict[Connection, int] = {}
        self._selector = selectors.DefaultSelector()
        self._leaving = False
        self._last_used = time.monotonic()
        self._served = False
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._watch_children()

    def serve(self) -> None:
        """Serve until it is time to leave."""
        while not self._leaving:
            for key, events in self._selector.select(self._patience()):
                handler: Callable[[int], None] = key.data
                try:
                    handler(events)
                except Exception:
                    # One client's mistake must not end the attempts of all others.
                    traceback.print_exc()
            self._advance()
            self._leave_if_idle()

    def _patience(self) -> float:
        if self._attempts.cleanups:
            return _CLEANUP_POLL
        return max(0.05, min(self._leaves_at() - time.monotonic(), _HOME_POLL))

    # -- clients ----------------------------------------------------------------------------

    def _accept(self, _events: int) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            connection = Connection(accepted)
            if connection.peer()[1] != os.getuid():
                connection.close()
                continue
            self._clients.add(connection)
            self._listen_to(connection, self._handle)

    def _listen_to(
        self, connection: Connection, handle: Callable[[Connection, Received], None]
    ) -> None:
        def ready(_events: int) -> None:
            connection.flush()
            for received in connection.receive():
                try:
                    handle(connection, received)
                finally:
                    for descriptor in received.descriptors:
                        os.close(descriptor)
            self._update(connection)

        self._selector.register(connection, selectors.EVENT_READ, ready)

    def _update(self, connection: Connection) -> None:
        """Forget a connection that was closed; watch whether it can take what is unsent."""
        if connection.closed:
            self._drop(connection)
            return
        wanted = selectors.EVENT_READ
        if connection.has_unsent:
            wanted |= selectors.EVENT_WRITE
        key = self._selector.get_key(connection)
        if key.events != wanted:
            self._selector.modify(connection, wanted, key.data)

    def _drop(self, connection: Connection) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection)
        connection.close()
        self._clients.discard(connection)
        if self._drivers.pop(connection, None) is not None:
            self._last_used = time.monotonic()
        for attempt in self._attempts.running.values():
            # The attempt goes on; the next driver adopts it.
            if attempt.client is connection:
                attempt.client = None

    def _send(self, connection: Connection, message: object) -> None:
        connection.send(message)
        if not connection.closed:
            self._update(connection)

    def _handle(self, connection: Connection, received: Received) -> None:
        message: Any = received.message
        if isinstance(message, messages.Hello):
            if message.role == "driver":
                self._drivers[connection] = connection.peer()[0]
                self._served = True
            self._send(connection, messages.Welcome(os.getpid()))
        elif isinstance(message, messages.StartAttempt):
            self._send(connection, self._start(connection, message, received.descriptors))
        elif isinstance(message, messages.Adopt):
            self._adopt(connection, message)
        elif isinstance(message, messages.SignalAttempt):
            attempt = self._attempts.running.get(message.key)
            if attempt is not None:
                self._attempts.signal(attempt, message.number, group=message.group)
        elif isinstance(message, messages.ListProcesses):
            self._send(connection, self._list_processes(message.request))

    def _start(
        self, client: Connection, order: messages.StartAttempt, descriptors: tuple[int, ...]
    ) -> messages.Started:
        if time.monotonic() > order.until or len(descriptors) != 2:
            return messages.Started(order.request, error=errno.ETIMEDOUT)
        if order.key in self._attempts.running:
            return messages.Started(order.request, error=errno.EBUSY)
        log, alive = descriptors
        try:
            attempt = self._attempts.start(
                order.key,
                order.command,
                cwd=order.cwd,
                environment=order.environment,
                log=log,
                alive=alive,
            )
        except OSError as error:
            filename = str(error.filename or "")
            return messages.Started(order.request, error=error.errno or -1, filename=filename)
        attempt.client = client
        self._unreported.pop(order.key, None)
        self._listen_to(attempt.channel, lambda _, received: self._serve_step(attempt, received))
        return messages.Started(order.request, pid=attempt.pid)

    def _adopt(self, client: Connection, message: messages.Adopt) -> None:
        attempt = self._attempts.running.get(message.key)
        if attempt is not None:
            attempt.client = client
        pid = attempt.pid if attempt is not None else 0
        self._send(client, messages.Adopted(message.request, pid))
        # It may have ended while no driver was there.
        ended = self._unreported.pop(message.key, None)
        if ended is not None:
            self._send(client, ended)

    def _list_processes(self, request: int) -> messages.ProcessList:
        below = process_table.descendants(os.getpid())
        return messages.ProcessList(
            request,
            os.getpid(),
            self._started,
            drivers=tuple(self._drivers.values()),
            attempts={key: attempt.pid for key, attempt in self._attempts.running.items()},
            below={str(pid): process_table.describe(pid) for pid in below},
        )

    # -- steps ------------------------------------------------------------------------------

    def _serve_step(self, attempt: Attempt, received: Received) -> None:
        message = received.message
        if isinstance(message, messages.EndLeftovers):

            def done(left: tuple[str, ...]) -> None:
                if not attempt.channel.closed:
                    answer = messages.LeftoversEnded(message.request, left)
                    self._send(attempt.channel, answer)

            self._attempts.clean_up(attempt, done)
        elif isinstance(message, messages.ListenToFiles):
            self._listen_to_files(received.descriptors[0], Path(message.report))

    def _listen_to_files(self, descriptor: int, report: Path) -> None:
        """Answer for the files of a kernel until all its processes have ended."""
        listener = Listener(os.dup(descriptor), report)

        def ready(_events: int) -> None:
            listener.answer()
            if listener.finished:
                self._selector.unregister(listener)
                listener.close()

        self._selector.register(listener, selectors.EVENT_READ, ready)

    def _advance(self) -> None:
        for attempt in self._attempts.reap():
            self._drop(attempt.channel)

            def done(left: tuple[str, ...], attempt: Attempt = attempt) -> None:
                self._report_end(attempt, left)

            self._attempts.clean_up(attempt, done)
        self._attempts.advance()

    def _report_end(self, attempt: Attempt, left: tuple[str, ...]) -> None:
        del self._attempts.running[attempt.key]
        self._last_used = time.monotonic()
        ended = messages.Ended(attempt.key, attempt.status or 0, left)
        if attempt.client is not None and not attempt.client.closed:
            self._send(attempt.client, ended)
            return
        self._unreported[attempt.key] = ended
        while len(self._unreported) > _MOST_ENDED:
            del self._unreported[next(iter(self._unreported))]

    def _watch_children(self) -> None:
        """Have the loop woken whenever a child ends."""
        woken, wakes = socket.socketpair()
        woken.setblocking(False)
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.signal(signal.SIGTERM, self._terminate)

        def drain(_events: int) -> None:
            with contextlib.suppress(BlockingIOError):
                while woken.recv(4096):
                    pass

        self._selector.register(woken, selectors.EVENT_READ, drain)
        self._wakes = wakes

    def _terminate(self, _number: int, _frame: object) -> None:
        # Attempts end with this process, as when it is killed.
        self._leaving = True
        self._remove_files()

    # -- leaving ----------------------------------------------------------------------------

    def _leaves_at(self) -> float:
        if self._attempts.running or self._drivers:
            return float("inf")
        idle = self._idle if self._served or self._idle > _STARTING else _STARTING
        return self._last_used + idle

    def _leave_if_idle(self) -> None:
        if self._attempts.running or self._drivers or self._leaving:
            return
        if self._home.is_dir() and time.monotonic() < self._leaves_at():
            return
        with self._address.lock.open("a") as lock:
            try:
                # Whoever starts or connects holds this lock, and will want us in a moment.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self._accept(0)
            if self._clients:
                # A visitor leaves soon, and a driver has yet to say that it is one.
                return
            self._leaving = True
            self._remove_files()

    def _remove_files(self) -> None:
        for path in (self._address.socket, self._address.identity):
            with contextlib.suppress(OSError):
                path.unlink()
