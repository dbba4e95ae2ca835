"""What a step prints, in pieces that a message can hold."""

from __future__ import annotations

import os
from pathlib import Path

from kfnb.api.run_view import RunView
from kfnb.live import protocol, snapshot

PIECE = 256 * 1024
"""Bytes of a message."""
MOST = 8 * 1024 * 1024
"""Bytes of a log that are sent when it is opened: of a longer one its end."""


class Tail:
    """Follows the log of one step of a run.

    Parameters
    ----------
    step
        The step's name.
    attempt
        Which attempt's log; None: always the last one's.
    begin
        Bytes that the reader has already.
    """

    def __init__(self, step: str, *, attempt: int | None = None, begin: int = 0) -> None:
        self._step = step
        self._fixed = attempt
        self._at = begin
        self._attempt: int | None = attempt
        self._begun = False

    def read(self, view: RunView) -> protocol.LogMessage | None:
        """Give the next piece; None where there is nothing new.

        The first call always gives one, so that whoever asked is answered.
        """
        last = view.state.steps[self._step, ""].attempts
        wanted = last if self._fixed is None else self._fixed
        path = view.attempt(self._step, wanted).log
        total = _size(path)
        first, reset = not self._begun, False
        if self._attempt is not None and wanted != self._attempt:
            self._at, reset = 0, True
        if self._at > total:
            self._at, reset = 0, True
        if total - self._at > MOST:
            self._at, reset = _line_after(path, total - MOST), True
        text, end = _piece(path, self._at, total)
        self._begun, self._attempt = True, wanted
        if not (first or reset or text):
            return None
        begin, self._at = self._at, end
        return {
            "kind": "log",
            "step": snapshot.ids(view.pipeline)[self._step],
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
    """Give where the first whole line after a place begins."""
    with path.open("rb") as file:
        file.seek(at)
        file.readline(PIECE)
        return file.tell()


def _piece(path: Path, begin: int, total: int) -> tuple[str, int]:
    """Read a piece and where it ends; a character that is half written is left for later."""
    if begin >= total:
        return "", begin
    try:
        with path.open("rb") as file:
            file.seek(begin)
            data = file.read(PIECE)
            whole = file.tell() >= os.fstat(file.fileno()).st_size
    except OSError:
        return "", begin
    kept = data[: len(data) - _torn(data)]
    if not kept and not whole:
        kept = data  # no text at all: its bytes are shown as what cannot be read
    return kept.decode("utf-8", "replace"), begin + len(kept)


def _torn(data: bytes) -> int:
    """Count the bytes at the end that begin a character and do not finish it.

    >>> _torn("a€".encode()), _torn("a€".encode()[:-1]), _torn(b"a" + bytes([0x80] * 9))
    (0, 2, 0)
    """
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return 0
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < needed else 0
    return 0
