"""Pauses before retries: of single requests, and of connections that should last."""

from __future__ import annotations

import random
from collections.abc import Callable

from kfnb.runners.kubernetes.api.client_protocol import Clock

INTERVAL = 1.0
"""Seconds between the beginnings of two connections, at least."""

CAP = 30.0
"""Seconds of the longest pause, also where a server asks for more before a retry."""

_FIRST_RETRY = 0.25
_LONG = 5.0


def pause_before_retry(number: int, *, retry_after: float | None = None) -> float:
    """Return the seconds to wait before the retry ``number`` (from 1) of a single request.

    A pause that the server asked for counts instead; other pauses double, with some jitter.
    """
    if retry_after is None:
        retry_after = _FIRST_RETRY * 2.0 ** (number - 1) * random.uniform(0.8, 1.2)  # noqa: S311
    return min(retry_after, CAP)


class Backoff:
    """Waits before each connection: a second from the last one, longer after failures.

    Parameters
    ----------
    jitter
        Returns a number from 0 to 1. Up to half of a wait is added, so that the clients of a
        server that restarts do not connect all at once.
    """

    def __init__(self, clock: Clock, *, jitter: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._jitter = jitter
        self._began: float | None = None
        self._failures = 0
        self._asked_for = 0.0

    def wait(self) -> bool:
        """Wait until the next connection may begin; return False if the clock was stopped."""
        now = self._clock.now()
        if self._began is not None:
            pause = self._began + INTERVAL - now
            if self._failures:
                # The exponent is limited as well, because 2.0 ** 1024 raises OverflowError.
                grown = min(CAP, INTERVAL * 2.0 ** min(self._failures - 1, 16))
                pause = max(pause, grown * (1 + self._jitter() / 2))
            pause = max(pause, self._asked_for)
            if pause > 0 and self._clock.wait(pause):
                return False
        self._asked_for = 0.0
        self._began = self._clock.now()
        return not self._clock.stopped

    def worked(self) -> None:
        """Note that a connection worked."""
        self._failures = 0

    def failed(self, retry_after: float | None = None) -> None:
        """Note a failure; ``retry_after`` is the pause in seconds that the server asked for."""
        # A connection that worked for a while and broke does not mean an overloaded server.
        lived = self._began is not None and self._clock.now() - self._began >= _LONG
        self._failures = 1 if lived else self._failures + 1
        self._asked_for = max(0.0, retry_after or 0.0)
