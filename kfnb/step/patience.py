"""Trying again while a store does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from kfnb.errors import InfrastructureError
from kfnb.store.remote import Refused

T = TypeVar("T")

_FIRST = 0.25
_LONGEST = 8.0
_NAP = 0.25


class Patience:
    """Tries again for some time; how long that is may change meanwhile.

    Parameters
    ----------
    seconds
        For how long one action is tried again.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = float("inf")

    def end_by(self, moment: float) -> None:
        """Try nothing again after a moment of the monotonic clock. Signal handlers may call it."""
        self._until = min(self._until, moment)

    def __call__(self, act: Callable[[], T]) -> T:
        """Return what ``act`` does, as soon as it does.

        Raises
        ------
        InfrastructureError
            What ``act`` last raised, if that cannot help or patience is at its end.
        """
        began = time.monotonic()
        pause = _FIRST
        while True:
            try:
                return act()
            except Refused:
                raise
            except InfrastructureError:
                again = time.monotonic() + pause
                if again > min(began + self.seconds, self._until):
                    raise
            while (left := min(again, self._until) - time.monotonic()) > 0:
                time.sleep(min(left, _NAP))  # a signal may shorten the wait
            pause = min(2 * pause, _LONGEST)
