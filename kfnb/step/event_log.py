"""What a step process reports: events as JSON lines, text beside them, and a wakeup_socket."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

GAP = 0.02
"""Seconds between two pokes of the wakeup_socket, at least."""

LOG_LIMIT = 64 << 20
_RESERVE = 2 << 20
_CAPPED = "\n[kfnb: this log is cut here at {size} MB; the step printed more]\n"


class EventLog:
    """Appends events to a file as they happen. Safe to use from several threads.

    A disk that refuses does not raise here: ``error`` keeps the first refusal, and
    the step looks at it when it can act on it.
    """

    def __init__(self, path: Path, *, wakeup_socket: str | None = None) -> None:
        self.error: OSError | None = None
        self._lock = threading.Lock()
        self._number = 0
        self._torn = False
        self._bell = DriverWakeup(wakeup_socket)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def append(self, event_type: str, /, **data: Any) -> None:
        """Write one event and poke the wakeup_socket."""
        with self._lock:
            self._number += 1
            event = {"n": self._number, "time": time.time(), "type": event_type, "data": data}
            line = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
            try:
                self._write(line.encode("utf-8", "replace") + b"\n")
            except OSError as error:
                self._torn = True
                self.error = self.error or error
        self._bell.ring()

    def close(self) -> None:
        """Poke the wakeup_socket if that is still due, and close."""
        self._bell.close()
        os.close(self._fd)

    def _write(self, line: bytes) -> None:
        if self._torn:
            line, self._torn = b"\n" + line, False
        write_all(self._fd, line)


class TextLog:
    """The text that a step printed, in one file of bounded size."""

    def __init__(self, path: Path, *, limit: int = LOG_LIMIT) -> None:
        self.error: OSError | None = None
        self.capped = False
        self._limit = limit
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._size = os.fstat(self._fd).st_size

    def write(self, text: str, *, important: bool = False) -> tuple[int, int]:
        """Append ``text``; its offset and length in bytes (0 where the log is full).

        ``important`` text (errors, results) may still be written for a while
        when what was printed has filled the log.
        """
        data = text.encode("utf-8", "replace")
        limit = self._limit + (_RESERVE if important else 0)
        room = limit - self._size
        if len(data) > room:
            data = data[: max(room, 0)].decode("utf-8", "ignore").encode()
            if not self.capped:
                self.capped = True
                data += _CAPPED.format(size=self._limit >> 20).encode()
        offset = self._size
        try:
            write_all(self._fd, data)
        except OSError as error:
            self.error = self.error or error
            with contextlib.suppress(OSError):
                self._size = os.fstat(self._fd).st_size
            return offset, 0
        self._size += len(data)
        return offset, len(data)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


class DriverWakeup:
    """Tells the driver that there is something to read, at most once in ``GAP`` seconds.

    The last event is never left unannounced: what comes within the gap is announced
    by a thread at its end.
    """

    def __init__(self, path: str | None) -> None:
        self._socket: socket.socket | None = None
        self._path = path
        self._last = 0.0
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        if path:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    def ring(self) -> None:
        """Poke now, or when the gap is over."""
        if self._socket is None:
            return
        with self._lock:
            if self._timer is not None:
                return
            wait = self._last + GAP - time.monotonic()
            if wait <= 0:
                self._poke()
            else:
                self._timer = threading.Timer(wait, self._late)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Poke at once if a poke is due."""
        if self._socket is None:
            return
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._poke()
            self._socket.close()
            self._socket = None

    def _late(self) -> None:
        with self._lock:
            self._timer = None
            self._poke()

    def _poke(self) -> None:
        self._last = time.monotonic()
        if self._socket is not None and self._path:
            # nobody listens, or so many pokes wait to be read that one more says nothing
            with contextlib.suppress(OSError):
                self._socket.sendto(b"\0", self._path)


def write_all(fd: int, data: bytes) -> None:
    """Write all of ``data`` to a file descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
