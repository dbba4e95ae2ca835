"""What is done whenever a cell has been executed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_REFRESHED: list[Callable[[], bool]] = []


def at_cell_end(refresh: Callable[[], bool]) -> None:
    """Call something at the end of this cell and of each that follows, until it gives True.

    A program that executes a notebook listens to a cell as long as it executes, not longer: what
    is to be in the notebook must be sent before.
    """
    if not _REFRESHED:
        _events().register("post_run_cell", _cell_ended)
    _REFRESHED.append(refresh)


def _cell_ended(*_: object) -> None:
    _REFRESHED[:] = [refresh for refresh in _REFRESHED if not refresh()]
    if not _REFRESHED:
        _events().unregister("post_run_cell", _cell_ended)


def _events() -> Any:
    from IPython import get_ipython

    return get_ipython().events
