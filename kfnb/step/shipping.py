"""What a step reports on its way out of a pod: at once to stdout, and in batches to the store.

Both get the same lines: the step's events as they are, and its log in pieces, each with
the byte that it begins at. Lines on stdout begin with a separator that text does not hold,
so that they are told from whatever else a container prints.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import time
from pathlib import Path

from kfnb.errors import InfrastructureError
from kfnb.store.remote.base import Remote

RECORD = b"\x1e"
"""What each line on stdout begins with."""

EVERY = 2.0
"""Seconds between two batches."""

BATCH = 256 << 10
PIECE = 4096
"""Bytes of the log in one line: below what a kubelet cuts lines at."""

SAVE = 20.0
"""Seconds between two copies of the executed notebook."""

_LOOK = 0.05
_READ = 1 << 20


class Shipper:
    """Follows the files of an attempt, in a thread, until :meth:`finish`.

    The last event, ``Result``, is kept back: it is told when what it says holds outside too.

    Parameters
    ----------
    folder
        The attempt's folder, in which the step writes ``events.jsonl`` and ``log.txt``.
    prefix
        Where batches go in the store; ends with a slash.
    pod
        Tells this pod from another one of the same attempt.
    """

    def __init__(self, folder: Path, remote: Remote, *, prefix: str, pod: str) -> None:
        self.result: bytes | None = None
        self.error: InfrastructureError | None = None
        self._remote = remote
        self._prefix = prefix
        self._batches = f"{prefix}events/{pod}/"
        self._events = _Tail(folder / "events.jsonl")
        self._log = _Tail(folder / "log.txt")
        self._executed = folder / "executed.ipynb"
        self._pending: list[bytes] = []
        self._size = 0
        self._number = 0
        self._batch_at = 0.0
        self._save_at = time.monotonic() + SAVE
        self._saved = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="kfnb-shipping", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def finish(self) -> None:
        """Ship all that the step has written; it writes no more."""
        self._stop.set()
        self._thread.join()
        self._ship()
        self._flush()

    def tell(self, line: bytes) -> None:
        """Ship one more line: after :meth:`finish` only."""
        self._send([line])
        self._flush()

    def _follow(self) -> None:
        while not self._stop.wait(_LOOK):
            self._ship()
            now = time.monotonic()
            if now >= self._batch_at or self._size >= BATCH:
                self._flush()
            if now >= self._save_at:
                self._save_at = now + SAVE
                self._save()

    def _ship(self) -> None:
        # The log first: an event says where in it a cell's text is.
        events = self._events.lines()
        lines = []
        for start, data in self._log.pieces():
            lines.append(_text(start, data))
        for line in events:
            if self._is_result(line):
                self.result = line
            else:
                lines.append(line)
        self._send(lines)

    def _send(self, lines: list[bytes]) -> None:
        if not lines:
            return
        out = b"".join(RECORD + line + b"\n" for line in lines)
        try:
            view = memoryview(out)
            while view:
                view = view[os.write(sys.stdout.fileno(), view) :]
        except OSError:
            pass  # nobody reads: the store has it all
        for line in lines:
            self._pending.append(line)
            self._size += len(line)
            if self._size >= BATCH:
                self._flush()

    def _flush(self) -> None:
        self._batch_at = time.monotonic() + EVERY
        if not self._pending:
            return
        data = b"\n".join(self._pending) + b"\n"
        try:
            self._remote.put(f"{self._batches}{self._number:06}.jsonl", data)
        except InfrastructureError as error:
            self.error = error  # and again with the next batch
            return
        self.error = None
        self._number += 1
        self._pending.clear()
        self._size = 0

    def _save(self) -> None:
        """Keep a copy of the notebook as far as it is executed: all that is left after a kill."""
        try:
            changed = self._executed.stat().st_mtime_ns
            if changed != self._saved:
                self._remote.put(f"{self._prefix}executed.ipynb", self._executed.read_bytes())
                self._saved = changed
        except (OSError, InfrastructureError):
            return

    @staticmethod
    def _is_result(line: bytes) -> bool:
        return b'"type":"Result"' in line and json.loads(line).get("type") == "Result"


class _Tail:
    """Reads what was appended to a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""

    def lines(self) -> list[bytes]:
        """Give the lines that are whole now."""
        found: list[bytes] = []
        while data := self._read():
            *whole, self._rest = (self._rest + data).split(b"\n")
            found += [line for line in whole if line]
        return found

    def pieces(self) -> list[tuple[int, bytes]]:
        """Give what is new in pieces, each with its place in the file; a character is not cut."""
        found = []
        start = self._offset
        if data := self._read():
            at = 0
            while at < len(data):
                end = min(len(data), at + PIECE)
                while end < len(data) and end > at + 1 and data[end] & 0xC0 == 0x80:
                    end -= 1
                found.append((start + at, data[at:end]))
                at = end
        return found

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(_READ)
        except OSError:
            return b""
        self._offset += len(data)
        return data


def _text(start: int, data: bytes) -> bytes:
    try:
        said = {"text": data.decode()}
    except UnicodeDecodeError:
        said = {"base64": base64.b64encode(data).decode()}
    line = {"kind": "log", "from": start, **said}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
