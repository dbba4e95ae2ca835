"""How the process that holds the kernel of a group gets the orders of the group's next steps.

The process makes a named pipe in the folder of its own attempt. A driver writes paths of orders
into it. The pipe has a reader as long as the process lives, so that opening it shows whether there
is still a kernel.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

NAME = "next-orders"
_END = b"end\n"


class GroupPipe:
    """The reading end of the pipe of an attempt's ``folder``."""

    def __init__(self, folder: Path) -> None:
        path = folder / NAME
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # For writing too, so that the end of a driver is no end of the pipe.
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._received = b""

    def fileno(self) -> int:
        """Return the descriptor, which is readable when a driver has written."""
        return self._descriptor

    def next_order(self) -> str | None:
        """Return the path of the next order, empty if the kernel shall end; None: none is there."""
        with contextlib.suppress(BlockingIOError):
            self._received += os.read(self._descriptor, 1 << 16)
        line, separator, rest = self._received.partition(b"\n")
        if not separator:
            return None
        self._received = rest
        return "" if line + separator == _END else os.fsdecode(line)

    def close(self) -> None:
        """Close the pipe: no kernel waits here any more."""
        os.close(self._descriptor)


def has_reader(folder: Path) -> bool:
    """Return whether the process of an attempt holds a kernel for the next step of its group."""
    return _write(folder, b"")


def send_order(folder: Path, order: Path) -> bool:
    """Have the kernel of an attempt execute an order; False if there is no such kernel."""
    return _write(folder, os.fsencode(order) + b"\n")


def send_end(folder: Path) -> bool:
    """Have the kernel of an attempt end; False if it has ended."""
    return _write(folder, _END)


def _write(folder: Path, line: bytes) -> bool:
    try:
        descriptor = os.open(folder / NAME, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not line or os.write(descriptor, line) == len(line)
    except OSError:
        return False
    finally:
        os.close(descriptor)
