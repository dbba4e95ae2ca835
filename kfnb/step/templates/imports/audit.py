"""Record what an import does outside of its process, by Python's audit events."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kfnb.step.templates.imports.process_state import THREADS_SURVIVE

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_EVENTS = {
    "os.mkdir": "it makes the folder {}",
    "os.remove": "it removes {}",
    "os.rename": "it renames {}",
    "os.rmdir": "it removes {}",
    "os.symlink": "it links {}",
    "os.link": "it links {}",
    "socket.connect": "it connects to another process",
    "subprocess.Popen": "it executes {}",
    "os.system": "it executes {}",
    "os.posix_spawn": "it executes {}",
    "os.fork": "it forks",
}


class ImportAudit:
    """A hook that records while :meth:`record` is active. Python cannot remove it again."""

    def __init__(self) -> None:
        self._events: list[str] = []
        self._active = False
        sys.addaudithook(self._hook)

    @contextmanager
    def record(self) -> Iterator[None]:
        """Record what happens inside."""
        self._events.clear()
        self._active = True
        try:
            yield
        finally:
            self._active = False

    def effect(self, packages: set[str]) -> str | None:
        """Say what was done, if it was not one of the ``packages`` known to be harmless.

        Those may write a cache of their own (matplotlib's fonts), which a later import finds.
        """
        if not self._events or packages & set(THREADS_SURVIVE):
            return None
        return self._events[0]

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._active:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = bool(flags & _WRITING) if isinstance(flags, int) else "w" in str(mode)
            # A number is a descriptor, whose own opening was seen: importing a module for the first
            # time writes its compiled code in this way.
            if (
                writes
                and not isinstance(path, int)
                and "__pycache__" not in str(path)
                and path != os.devnull
            ):
                self._events.append(f"it writes {path}")
        elif event in _EVENTS and "__pycache__" not in str(arguments):
            self._events.append(_EVENTS[event].format(arguments[0] if arguments else ""))
