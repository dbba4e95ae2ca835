"""The clock of a driver: it begins with the machine's time, and then only counts seconds.

The machine's clock may be set while a run executes, by a person or by a time server. Times of
events and limits of steps must not jump with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]


def run_clock(
    *, not_before: float = 0.0, wall: Clock | None = None, monotonic: Clock | None = None
) -> Clock:
    """Return a clock in seconds since the epoch that never goes back and never jumps.

    Parameters
    ----------
    not_before
        The time of the run's last event: the machine's clock may be behind that of the last driver.
    wall, monotonic
        The machine's clocks; by default those of :mod:`time`.
    """
    # Looked up now, so that tests can replace them.
    monotonic = monotonic or time.monotonic
    start = max((wall or time.time)(), not_before)
    began = monotonic()
    return lambda: start + (monotonic() - began)
