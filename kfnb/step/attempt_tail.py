"""What an attempt has written so far, read as lines: its log in small pieces, and its events."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

PIECE = 4096
"""Bytes of the log in one line."""

LINE = 8192
"""The most bytes of such a line: a kubelet splits lines that are longer than 16 KiB."""

_READ = 256 << 10


class AttemptTail:
    """Reads the files of an attempt, each time from where it stopped.

    An event refers to text in the log, so the text comes before the event.

    Attributes
    ----------
    result
        The event ``Result``; it is not among the lines.
    last
        The number of the last event that was read.
    """

    def __init__(self, folder: Path) -> None:
        self.result: dict[str, Any] | None = None
        self.last = 0
        self._events = _File(folder / "events.jsonl")
        self._log = _File(folder / "log.txt")
        self._events_until = 0
        self._log_until = 0

    def read(self, most: int) -> list[bytes]:
        """Return the lines that are new, about ``most`` bytes of them; empty if there are none."""
        if self._log.at >= self._log_until and self._events.at >= self._events_until:
            # The events first: the log then has all the text that they refer to.
            self._events_until = self._events.size()
            self._log_until = self._log.size()
        result: list[bytes] = []
        size = 0
        while size < most and self._log.at < self._log_until:
            line = self._piece()
            if line is None:
                break
            result.append(line)
            size += len(line)
        while size < most and self._events.at < self._events_until:
            events = self._whole_lines()
            result += events
            size += sum(map(len, events))
        return result

    def _piece(self) -> bytes | None:
        start = self._log.at
        data = self._log.read(min(PIECE, self._log_until - start))
        if not data:
            self._log_until = start
            return None
        end = len(data)
        if start + end < self._log_until:
            end = _whole_characters(data)
        self._log.at = start + end
        return _text(start, data[:end])

    def _whole_lines(self) -> list[bytes]:
        """Return the next events; a line that is not complete yet is left for later."""
        left = self._events_until - self._events.at
        size = min(_READ, left)
        data = self._events.read(size)
        # One event can be longer than a read, for example an error with a long traceback.
        while b"\n" not in data and size < left:
            size = min(2 * size, left)
            data = self._events.read(size)
        whole, newline, _ = data.rpartition(b"\n")
        if not newline:
            self._events_until = self._events.at
            return []
        self._events.at += len(whole) + 1
        return [line for line in whole.split(b"\n") if self._is_event(line)]

    def _is_event(self, line: bytes) -> bool:
        """Whether a line is an event to pass on; a full disk may have cut a line off."""
        try:
            event = json.loads(line)
            self.last = int(event["n"])
        except (ValueError, TypeError, KeyError):
            return False
        if event.get("type") == "Result":
            self.result = event
            return False
        return True


class _File:
    """A growing file, and the position up to which it was read."""

    def __init__(self, path: Path) -> None:
        self.at = 0
        self._path = path

    def size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return self.at

    def read(self, size: int) -> bytes:
        """Return the next bytes without moving ``at``."""
        try:
            with self._path.open("rb") as file:
                file.seek(self.at)
                return file.read(size)
        except OSError:
            return b""


def _whole_characters(data: bytes) -> int:
    """Return the length of ``data`` without an incomplete UTF-8 character at its end."""
    for back in range(1, min(4, len(data))):
        byte = data[-back]
        if byte & 0xC0 == 0xC0:
            return len(data) - back
        if byte & 0xC0 != 0x80:
            break
    return len(data)


def _text(start: int, data: bytes) -> bytes:
    try:
        line = _line(start, text=data.decode())
    except UnicodeDecodeError:
        line = b""
    if not line or len(line) > LINE:
        # Text that is no UTF-8, or that JSON's escapes would make too long for one line.
        line = _line(start, base64=base64.b64encode(data).decode())
    return line


def _line(start: int, **content: str) -> bytes:
    line = {"kind": "log", "from": start, **content}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
