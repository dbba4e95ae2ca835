"""The seam between a template and the kernel that was forked from it: what precedes the first cell.

Kernels that were not forked import this module too, so it does nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

_replays: list[Callable[[], frozenset[str]]] = []


def set_replay(replay: Callable[[], frozenset[str]]) -> None:
    """Have kernels that are forked from this process call ``replay`` before their first cell."""
    _replays[:] = [replay]


def before_first_cell() -> frozenset[str]:
    """Do what the template's imports did besides loading modules; the names of those modules.

    In a kernel that was not forked there is nothing to do.
    """
    return _replays[0]() if _replays else frozenset()
