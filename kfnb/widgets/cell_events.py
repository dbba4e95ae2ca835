"""Callbacks for the end of a cell's execution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_callbacks: list[Callable[[], bool]] = []


def at_cell_end(refresh: Callable[[], bool]) -> None:
    """Call a function at the end of this cell and of each later one, until it returns True.

    A program that executes a notebook only keeps outputs that come while a cell executes, so
    pictures must be updated before the cell ends.
    """
    if not _callbacks:
        _events().register("post_run_cell", _cell_ended)
    _callbacks.append(refresh)


def _cell_ended(*_: object) -> None:
    _callbacks[:] = [refresh for refresh in _callbacks if not refresh()]
    if not _callbacks:
        _events().unregister("post_run_cell", _cell_ended)


def _events() -> Any:
    from IPython import get_ipython

    return get_ipython().events
