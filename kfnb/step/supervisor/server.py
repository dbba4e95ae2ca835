"""The supervisor's loop: clients, ends of processes, and when it leaves."""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import socket
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from kfnb.step.supervisor import messages, process_table
from kfnb.step.supervisor.address import Address
from kfnb.step.supervisor.connection import Connection, Received
from kfnb.step.supervisor.executor import Executor

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
        self._unreported: dict[str, messages.Ended] = {}
        self._clients: set[Connection] = set()
        self._drivers: dict[Connection, int] = {}
        self._selector = selectors.DefaultSelector()
        self._executor = Executor(
            process_table.identity(os.getpid()),
            watch=self._watch,
            unwatch=self._unwatch,
            listen_to=self._listen_to,
            drop=self._drop,
            ended=self._report_end,
        )
        self._leaving = False
        self._last_used = time.monotonic()
        self._served = False
        listener.setblocking(False)
        self._watch(listener, self._accept)
        self._watch_children()

    def serve(self) -> None:
        """Serve until it is time to leave."""
        while not self._leaving:
            ready = self._selector.select(self._patience())
            for handle in [*(key.data for key, _ in ready), self._executor.advance]:
                try:
                    handle()
                except Exception:
                    # One client's mistake must not end the attempts of all others.
                    traceback.print_exc()
            self._leave_if_idle()

    def _patience(self) -> float:
        if self._executor.cleaning:
            return _CLEANUP_POLL
        times = [self._leaves_at(), time.monotonic() + _HOME_POLL]
        if (deadline := self._executor.deadline()) is not None:
            times.append(deadline)
        return max(0.05, min(times) - time.monotonic())

    # -- descriptors ------------------------------------------------------------------------

    def _watch(self, source: Any, handler: Callable[[], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, handler)

    def _unwatch(self, source: Any) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(source)

    def _listen_to(self, connection: Connection, handle: Callable[[Received], None]) -> None:
        def ready() -> None:
            connection.flush()
            for received in connection.receive():
                try:
                    handle(received)
                finally:
                    for descriptor in received.descriptors:
                        os.close(descriptor)
            self._update(connection)

        connection.sent = lambda: self._update(connection)
        self._watch(connection, ready)

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
        self._unwatch(connection)
        connection.sent = lambda: None
        connection.close()
        self._clients.discard(connection)
        if self._drivers.pop(connection, None) is not None:
            self._last_used = time.monotonic()
        for attempt in self._executor.attempts.values():
            # The attempt goes on; the next driver adopts it.
            if attempt.client is connection:
                attempt.client = None

    # -- clients ----------------------------------------------------------------------------

    def _accept(self) -> None:
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
            self._listen_to(connection, partial(self._handle, connection))

    def _handle(self, client: Connection, received: Received) -> None:
        message: Any = received.message
        if isinstance(message, messages.Hello):
            if message.role == "driver":
                self._drivers[client] = client.peer()[0]
                self._served = True
            client.send(messages.Welcome(os.getpid()))
        elif isinstance(message, messages.StartAttempt):
            self._unreported.pop(message.key, None)
            self._executor.start(client, message, received.descriptors)
        elif isinstance(message, messages.PrepareTemplate):
            self._executor.prepare(message.template)
        elif isinstance(message, messages.Adopt):
            self._adopt(client, message)
        elif isinstance(message, messages.SignalAttempt):
            attempt = self._executor.attempts.get(message.key)
            if attempt is not None:
                attempt.signal(message.number, group=message.group)
        elif isinstance(message, messages.ListProcesses):
            client.send(self._list_processes(message.request))

    def _adopt(self, client: Connection, message: messages.Adopt) -> None:
        attempt = self._executor.attempts.get(message.key)
        if attempt is not None:
            attempt.client = client
        client.send(messages.Adopted(message.request, attempt is not None))
        # It may have ended while no driver was there.
        ended = self._unreported.pop(message.key, None)
        if ended is not None:
            client.send(ended)

    def _list_processes(self, request: int) -> messages.ProcessList:
        attempts = self._executor.attempts
        below = process_table.descendants(os.getpid())
        return messages.ProcessList(
            request,
            os.getpid(),
            self._started,
            drivers=tuple(self._drivers.values()),
            attempts={key: attempt.pid for key, attempt in attempts.items()},
            kernels={str(pid): key for key, attempt in attempts.items() for pid in attempt.kernels},
            templates=self._executor.pool.descriptions(),
            below={str(pid): process_table.describe(pid) for pid in below},
        )

    def _report_end(self, client: Connection | None, ended: messages.Ended) -> None:
        self._last_used = time.monotonic()
        if client is not None and not client.closed:
            client.send(ended)
            return
        self._unreported[ended.key] = ended
        while len(self._unreported) > _MOST_ENDED:
            del self._unreported[next(iter(self._unreported))]

    # -- children ---------------------------------------------------------------------------

    def _watch_children(self) -> None:
        """Have the loop woken whenever a child ends."""
        woken, wakes = socket.socketpair()
        woken.setblocking(False)
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.signal(signal.SIGTERM, self._terminate)

        def drain() -> None:
            with contextlib.suppress(BlockingIOError):
                while woken.recv(4096):
                    pass

        self._watch(woken, drain)
        # Referred to, so that it is not closed.
        self._wakes = wakes

    def _terminate(self, _number: int, _frame: object) -> None:
        # Attempts end with this process, as when it is killed.
        self._leaving = True
        self._remove_files()

    # -- leaving ----------------------------------------------------------------------------

    def _leaves_at(self) -> float:
        if self._executor.attempts or self._drivers:
            return float("inf")
        idle = self._idle if self._served or self._idle > _STARTING else _STARTING
        return self._last_used + idle

    def _leave_if_idle(self) -> None:
        if self._executor.attempts or self._drivers or self._leaving:
            return
        if self._home.is_dir() and time.monotonic() < self._leaves_at():
            return
        with self._address.lock.open("a") as lock:
            try:
                # Whoever starts or connects holds this lock, and will want us in a moment.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self._accept()
            if self._clients:
                # A visitor leaves soon, and a driver has yet to say that it is one.
                return
            self._leaving = True
            self._remove_files(locked=True)

    def _remove_files(self, *, locked: bool = False) -> None:
        paths = [self._address.socket, self._address.identity]
        if locked:
            paths.append(self._address.lock)
        with contextlib.suppress(OSError):
            # What it printed, such as a traceback, stays for whoever looks for it.
            if not self._address.log.stat().st_size:
                paths.append(self._address.log)
        for path in paths:
            with contextlib.suppress(OSError):
                path.unlink()
