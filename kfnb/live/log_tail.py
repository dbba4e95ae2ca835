"""A step's log, in chunks that fit into messages."""

from __future__ import annotations

import os
from pathlib import Path

from kfnb.api.run_view import RunView
from kfnb.api.step_lookup import step_label
from kfnb.draw import visible
from kfnb.engine.core.state import StepState
from kfnb.live import protocol

CHUNK_BYTES = 256 * 1024
"""Largest chunk that is sent in one message."""
MAX_BYTES = 8 * 1024 * 1024
"""A longer log is sent from this many bytes before its end."""


MAX_BYTES_OF_EACH = 1024 * 1024
"""As :data:`MAX_BYTES`, for each step where all steps are shown together."""
ALL_STEPS = "", ""
"""What a page asks for instead of a step and an instance to get the logs of all steps."""


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


class AllLogsTail:
    """Follows the logs of all steps together; each line begins with the name of its step.

    Offsets in its messages count the bytes of the text that was sent, since no file has that text.
    """

    def __init__(self) -> None:
        self._logs: dict[tuple[str, str], _StepLog] = {}
        self._sent = 0
        self._begun = False

    def read(self, view: RunView) -> protocol.LogMessage | None:
        """Return the next chunk; None if there is nothing new, except for the first call."""
        first, self._begun = not self._begun, True
        lines: list[str] = []
        room = CHUNK_BYTES
        for key, step in view.state.steps.items():
            log = self._logs.setdefault(key, _StepLog())
            path = view.attempt(key[0], step.attempts, index=key[1]).log
            prefix = f"{visible(step_label(*key))} | "
            for line in log.read(path, step, room):
                lines.append(prefix + line)
                room -= len(line)
            if room <= 0:
                break
        if not lines and not first:
            return None
        text = "".join(lines)
        begin, self._sent = self._sent, self._sent + len(text.encode())
        step_name, index = ALL_STEPS
        return {
            "kind": "log",
            "step": step_name,
            "index": index,
            "attempt": 1,
            "from": begin,
            "to": self._sent,
            "total": self._sent,
            "text": text,
            "reset": first,
            "attempts": [1] if self._sent else [],
        }


class _StepLog:
    """How much of a step's log has been read, and the beginning of a line that is not complete."""

    def __init__(self) -> None:
        self._attempt = -1
        self._at = 0
        self._partial = ""

    def read(self, path: Path, step: StepState, room: int) -> list[str]:
        """Return new lines of about ``room`` bytes, each with its end."""
        if step.attempts != self._attempt:
            self._attempt, self._at, self._partial = step.attempts, 0, ""
        total = _size(path)
        if room <= 0 or (total <= self._at and not self._partial):
            return []
        notes = []
        if total - self._at > MAX_BYTES_OF_EACH:
            begin = _line_after(path, total - MAX_BYTES_OF_EACH)
            notes = [f"[{begin - self._at:,} bytes are not shown here]\n"]
            self._at = begin
        text, self._at = _read_chunk(path, self._at, min(total, self._at + room))
        *lines, self._partial = (self._partial + text).split("\n")
        ended = step.status not in ("pending", "running")
        if self._partial and ended and self._at >= total:
            lines, self._partial = [*lines, self._partial], ""
        return notes + [f"{line}\n" for line in lines]


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
