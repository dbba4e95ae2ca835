"""Trying again while a store does not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from kfnb.errors import InfrastructureError
from kfnb.store.remote import Refused

T = TypeVar("T")

WAITS = "kfnb: waiting for the store: "
"""What a line of a pod begins with that says why nothing goes on; drivers look for it."""

_FIRST = 0.25
_LONGEST = 8.0
_NAP = 0.25
_AGAIN = 60.0
"""Seconds after which a reason that was said is said again."""

_CHANGED = 10.0
"""Seconds between two reasons: values that are fetched side by side have one each."""


class Retries:
    """Tries again for some time; how long that is may change meanwhile.

    Parameters
    ----------
    seconds
        For how long one action is tried again.
    say
        Is told why there is a wait: at once, when the reason changes, and again each minute.
    """

    def __init__(self, seconds: float, *, say: Callable[[str], object] | None = None) -> None:
        self.seconds = seconds
        self._until = float("inf")
        self._say = say
        self._said: set[str] = set()
        self._said_at = float("-inf")
        self._lock = threading.Lock()

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
            except InfrastructureError as error:
                again = time.monotonic() + pause
                if again > min(began + self.seconds, self._until):
                    raise
                self._waits(str(error))
            while (left := min(again, self._until) - time.monotonic()) > 0:
                time.sleep(min(left, _NAP))  # a signal may shorten the wait
            pause = min(2 * pause, _LONGEST)

    def _waits(self, reason: str) -> None:
        """Say why there is a wait, unless that was just said."""
        if self._say is None:
            return
        with self._lock:
            now = time.monotonic()
            if now - self._said_at < (_AGAIN if reason in self._said else _CHANGED):
                return
            self._said.add(reason)
            self._said_at = now
        self._say(reason)
