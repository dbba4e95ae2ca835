"""Waiting for a condition, so that no test depends on how fast the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds after which a test gives up. It only ends a test that would fail anyway, so it is
long enough for a machine on which other programs keep every core busy."""


def wait_until(
    condition: Callable[[], T],
    what: str | Callable[[], str] = "the condition",
    *,
    seconds: float = PATIENCE,
    unless: Callable[[], object] = lambda: False,
) -> T:
    """Call the condition until it is true; return its value.

    Parameters
    ----------
    condition
        Called about fifty times a second.
    what
        What did not happen, for the message of the failure.
    seconds
        When to give up.
    unless
        Gives up at once when this is true and the condition still does not hold, for
        example because the process that should have caused it has ended.
    """
    deadline = time.monotonic() + seconds
    while True:
        hopeless = unless()
        value = condition()
        if value:
            return value
        if hopeless or time.monotonic() > deadline:
            why = "it never will" if hopeless else f"waited {seconds:g} s"
            raise AssertionError(f"{what if isinstance(what, str) else what()}: {why}")
        time.sleep(0.02)
