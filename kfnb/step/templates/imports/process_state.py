"""What an import may change in its process besides loading modules: look before, compare after.

A forked child has everything that is memory. Threads, descriptors, child processes, handlers of
signals and what an import asked of its surroundings are another matter: a child would lack them,
share them, or have them as the template had them.
"""

from __future__ import annotations

import locale
import os
import signal
import sys
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

THREADS_SURVIVE = ("numpy", "scipy", "pandas", "sklearn", "pyarrow", "matplotlib")
"""Packages whose native threads are made anew in a forked child, each shown by a test.

OpenBLAS (numpy, scipy) and jemalloc (pyarrow) have handlers for forks that do it.
"""

_BLAS_THREADS = "openblas"
_JEMALLOC = "jemalloc_bg_thd"
_HOOKS = ("displayhook", "excepthook", "unraisablehook", "breakpointhook")


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One look at this process: :meth:`now`."""

    threads: frozenset[int]
    python_threads: frozenset[threading.Thread]
    blas: frozenset[str]
    descriptors: Mapping[int, str]
    children: str
    handlers: Mapping[int, Any]
    folder: str
    locale: str
    path: tuple[str, ...]
    hooks: tuple[Any, ...]
    environment: Mapping[str, str]
    filters: tuple[Any, ...]
    modules: frozenset[str]

    @classmethod
    def now(cls) -> ProcessState:
        """Look."""
        return cls(
            threads=frozenset(_threads()),
            python_threads=frozenset(threading.enumerate()),
            blas=frozenset(_blas_copies()),
            descriptors=_descriptors(),
            children=_children(),
            handlers={int(n): signal.getsignal(n) for n in signal.valid_signals()},
            folder=os.getcwd(),  # noqa: PTH109 (compared as it is)
            locale=locale.setlocale(locale.LC_ALL),
            path=tuple(sys.path),
            hooks=tuple(getattr(sys, hook) for hook in _HOOKS),
            environment=dict(os.environ),
            filters=tuple(warnings.filters),
            modules=frozenset(sys.modules),
        )

    def effect_since(self, before: ProcessState) -> str | None:
        """Say what a child would lack or wrongly share; None if there is nothing."""
        if new := self.python_threads - before.python_threads:
            return f"it starts a thread ({', '.join(sorted(t.name for t in new))})"
        if thread := self._foreign_thread(before):
            return f"it starts a native thread ({thread})"
        for number, target in self.descriptors.items():
            if before.descriptors.get(number) != target:
                return f"it leaves a file open ({target})"
        if self.children != before.children:
            return "it starts a process"
        for number, handler in self.handlers.items():
            if before.handlers.get(number) != handler:
                return f"it handles the signal {signal.Signals(number).name}"
        for name in ("folder", "locale", "path"):
            if getattr(self, name) != getattr(before, name):
                return f"it changes the {name}"
        if self.hooks != before.hooks:
            return "it replaces a hook of the interpreter"
        if self.added_filters(before) is None:
            return "it rearranges the filters of warnings"
        return None

    def added_filters(self, before: ProcessState) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
        """Return the filters of warnings put before and after the others; None if that is not all.

        They are in their order.
        """
        size = len(before.filters)
        for first in range(len(self.filters) - size + 1):
            if self.filters[first : first + size] == before.filters:
                return self.filters[:first], self.filters[first + size :]
        return None

    def changed_environment(self, before: ProcessState) -> dict[str, str | None]:
        """Return the variables that were set, and those that were removed as None."""
        names = {*self.environment, *before.environment}
        return {
            name: self.environment.get(name)
            for name in sorted(names)
            if self.environment.get(name) != before.environment.get(name)
        }

    def _foreign_thread(self, before: ProcessState) -> str | None:
        names = [_thread_name(thread) for thread in sorted(self.threads - before.threads)]
        if "pyarrow" in self.modules:
            names = [name for name in names if name != _JEMALLOC]
        # Each copy of the library starts one thread for every processor but the first.
        blas = len(self.blas - before.blas) * ((os.cpu_count() or 1) - 1)
        return names[0] if len(names) > blas else None


def _threads() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/task")]  # noqa: PTH208 (numbers)


def _thread_name(thread: int) -> str:
    try:
        return Path(f"/proc/self/task/{thread}/comm").read_text().strip()
    except OSError:
        return "it has ended"


def _children() -> str:
    """Return the numbers of this process's children."""
    try:
        return Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    except OSError:  # a kernel without this file
        return ""


def _descriptors() -> dict[int, str]:
    open_files = {}
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 (numbers)
        try:
            open_files[int(name)] = os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115
        except OSError:  # the listing's own
            continue
    return open_files


def _blas_copies() -> set[str]:
    """Return the files of OpenBLAS that are mapped, if they belong to a package on the list."""
    with open("/proc/self/maps", errors="replace") as maps:  # noqa: PTH123 (a hundred times faster)
        return {
            line[line.index("/") :].rstrip()
            for line in maps
            if _BLAS_THREADS in line and "/" in line
        }
