"""A step's log, in chunks that fit into messages."""

from __future__ import annotations

import os
from pathlib import Path

from kfnb.api.run_view import RunView
from kfnb.live import protocol

CHUNK_BYTES = 256 * 1024
"""Largest chunk that is sent in one message."""
MAX_BYTES = 8 * 1024 * 1024
"""A longer log is sent from this many bytes before its end."""


class LogTail:
    """Follows the log of one step of a run.

    Parameters
    ----------
    step
        The step's name.
    index
        Which instance of the step; empty for a plain step.
    attempt
        Which attempt's log; None to switch to the newest attempt's whenever one begins.
    begin
        Offset of the first byte to send.
    """

    def __init__(
        self, step: str, *, index: str = "", attempt: int | None = None, begin: int = 0
    ) -> None:
        self._step = step
        self._index = index
        self._fixed = attempt
        self._at = begin
        self._attempt: int | None = attempt
        self._begun = False

    def read(self, view: RunView) -> protocol.LogMessage | None:
        """Return the next chunk; None if there is nothing new.

        The first call always returns one, so that every request is answered.
        """
        last = view.state.steps[self._step, self._index].attempts
        wanted = last if self._fixed is None else self._fixed
        path = view.attempt(self._step, wanted, index=self._index).log
        total = _size(path)
        first, reset = not self._begun, False
        if self._attempt is not None and wanted != self._attempt:
            self._at, reset = 0, True
        if self._at > total:
            self._at, reset = 0, True
        if total - self._at > MAX_BYTES:
            self._at, reset = _line_after(path, total - MAX_BYTES), True
        text, end = _read_chunk(path, self._at, total)
        self._begun, self._attempt = True, wanted
        if not (first or reset or text):
            return None
        begin, self._at = self._at, end
        return {
            "kind": "log",
            "step": self._step,
            "index": self._index,
            "attempt": wanted,
            "from": begin,
            "to": end,
            "total": total,
            "text": text,
            "reset": reset or begin == 0,
            "attempts": list(range(1, last + 1)),
        }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _line_after(path: Path, at: int) -> int:
    """Return the offset of the first line that begins after ``at``."""
    with path.open("rb") as file:
        file.seek(at)
        file.readline(CHUNK_BYTES)
        return file.tell()


def _read_chunk(path: Path, begin: int, total: int) -> tuple[str, int]:
    """Read a chunk; return its text and end. A character that is half written is left for later."""
    if begin >= total:
        return "", begin
    try:
        with path.open("rb") as file:
            file.seek(begin)
            data = file.read(CHUNK_BYTES)
            whole = file.tell() >= os.fstat(file.fileno()).st_size
    except OSError:
        return "", begin
    complete = data[: len(data) - _incomplete_bytes(data)]
    if not complete and not whole:
        complete = data  # not UTF-8: shown as replacement characters
    return complete.decode("utf-8", "replace"), begin + len(complete)


def _incomplete_bytes(data: bytes) -> int:
    """Count the bytes of a character at the end that is not complete.

    >>> _incomplete_bytes("a€".encode()), _incomplete_bytes("a€".encode()[:-1])
    (0, 2)
    >>> _incomplete_bytes(b"a" + bytes([0x80] * 9))
    0
    """
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return 0
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < needed else 0
    return 0
