"""The file with what a kernel's processes did to files: one line for each first time.

A line is ``number pid operation flags path``, separated by single spaces. The path comes last and
may contain any byte; backslashes and line breaks in it are escaped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAME = "opened-files.txt"
"""The report's name in an attempt's folder."""

MOST_LINES = 500_000
"""Lines after which a report is not continued; some 50 MB."""

INCOMPLETE = "incomplete"
"""The operation of a line that says that something was lost."""

OPERATIONS = frozenset(
    [
        *("open", "stat", "list", "execute", "truncate", "mkdir", "mknod", "unlink", "rmdir"),
        *("symlink", "rename_from", "rename_to", "link_from", "link_to", "io_uring", INCOMPLETE),
    ]
)


@dataclass(frozen=True, slots=True)
class FileEvent:
    """What a process was about to do with a file; whether it succeeded is not known.

    ``operation`` is one of :data:`OPERATIONS`; two of them have no path: io_uring (what follows
    may be invisible) and incomplete (something was lost). ``flags`` are those of open(2).
    """

    number: int
    pid: int
    operation: str
    flags: int
    path: bytes


class ReportWriter:
    """Appends events to a report; an error of the disk only leaves gaps in it."""

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError:
            # The programs that are watched need an answer, with a report or without.
            self._descriptor = os.open(os.devnull, os.O_WRONLY)
        self._number = 0

    def append(self, pid: int, operation: str, flags: int, path: bytes) -> None:
        """Write one line. A line that cannot be written leaves a gap in the numbers."""
        self._number += 1
        if self._number >= MOST_LINES:
            if self._number > MOST_LINES:
                return
            operation, path = INCOMPLETE, b""
        if b"\\" in path or b"\n" in path:
            path = path.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
        line = b"%d %d %s %d %s\n" % (self._number, pid, operation.encode(), flags, path)
        try:
            os.write(self._descriptor, line)
        except OSError:  # A full disk must not stop the programs that are watched.
            return

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def read_report(path: Path) -> Iterator[FileEvent]:
    """Yield the events of a report in their order; gaps and broken lines as ``incomplete``.

    Raises
    ------
    OSError
        If there is no report.
    """
    expected = 1
    with path.open("rb") as file:
        for line in file:
            try:
                number, pid, operation, flags, name = line.rstrip(b"\n").split(b" ", 4)
                event = FileEvent(
                    int(number), int(pid), operation.decode(), int(flags), _unescaped(name)
                )
            except ValueError:  # Part of a line, as a full disk leaves it.
                continue
            if event.operation not in OPERATIONS:
                continue
            if event.number != expected:
                yield FileEvent(event.number, 0, INCOMPLETE, 0, b"")
            expected = event.number + 1
            yield event


def _unescaped(path: bytes) -> bytes:
    if b"\\" not in path:
        return path
    parts = path.split(b"\\\\")
    return b"\\".join(part.replace(b"\\n", b"\n") for part in parts)
