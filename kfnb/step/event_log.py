"""What a step process reports: events as JSON lines, its text in a second file, and wake-ups."""

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
"""Seconds between two wake-ups of the driver, at least."""

# A loop that prints forever must not fill the disk.
LOG_LIMIT = 64 << 20
_RESERVE = 2 << 20
_CAPPED = "\n[kfnb: the log ends here at {size} MB; the step printed more]\n"


class EventLog:
    """Appends events to a file as they happen. Safe to use from several threads.

    An error of the disk is not raised here: ``error`` keeps the first one, and the step checks it
    where it can act on it.
    """

    def __init__(self, path: Path, *, wakeup_socket: str | None = None) -> None:
        self.error: OSError | None = None
        self._lock = threading.Lock()
        self._number = 0
        self._torn = False
        self._wakeup = DriverWakeup(wakeup_socket)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def append(self, event_type: str, /, **data: Any) -> None:
        """Write one event and wake the driver."""
        with self._lock:
            self._number += 1
            event = {"n": self._number, "time": time.time(), "type": event_type, "data": data}
            line = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
            try:
                self._write(line.encode("utf-8", "replace") + b"\n")
            except OSError as error:
                self._torn = True
                self.error = self.error or error
        self._wakeup.send()

    def close(self) -> None:
        """Send a wake-up if one is due, and close."""
        self._wakeup.close()
        os.close(self._fd)

    def _write(self, line: bytes) -> None:
        if self._torn:
            # The last write may have left half a line, which readers skip when it ends.
            line, self._torn = b"\n" + line, False
        write_all(self._fd, line)


class TextLog:
    """The text that a step printed, in one file of bounded size."""

    def __init__(self, path: Path, *, limit: int = LOG_LIMIT) -> None:
        self.error: OSError | None = None
        self.capped = False
        self._limit = limit
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
            # The cut may fall into a character of several bytes.
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
                # Part of the text may have been written before the disk was full.
                self._size = os.fstat(self._fd).st_size
            return offset, 0
        self._size += len(data)
        return offset, len(data)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


class DriverWakeup:
    """Wakes the driver when there is something to read, at most once in ``GAP`` seconds.

    An event that comes within the gap is announced at the end of the gap, by a timer thread, so
    that the last event is never left unannounced.
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

    def send(self) -> None:
        """Wake the driver now, or at the end of the gap."""
        if self._socket is None:
            return
        with self._lock:
            if self._timer is not None:
                return
            wait = self._last + GAP - time.monotonic()
            if wait <= 0:
                self._send()
            else:
                self._timer = threading.Timer(wait, self._late)
                # An interpreter that exits must not wait for a wake-up.
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Wake the driver at once if a wake-up is due."""
        if self._socket is None:
            return
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._send()
            self._socket.close()
            self._socket = None

    def _late(self) -> None:
        with self._lock:
            self._timer = None
            self._send()

    def _send(self) -> None:
        self._last = time.monotonic()
        if self._socket is not None and self._path:
            # Nobody listens, or the driver has unread wake-ups already: nothing is lost.
            with contextlib.suppress(OSError):
                self._socket.sendto(b"\0", self._path)


def write_all(fd: int, data: bytes) -> None:
    """Write all of ``data`` to a file descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
