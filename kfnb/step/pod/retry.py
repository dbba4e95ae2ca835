"""Repeat an action while the store does not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from kfnb.errors import InfrastructureError
from kfnb.store.remote import Refused

T = TypeVar("T")

WAITS = "kfnb: waiting for the store: "
"""How a line in a pod's log begins that says why the step waits; drivers look for it."""

ENDED_ON_REQUEST = "kfnb: asked to end"
"""How the last line in the log of a pod begins that SIGTERM ended; drivers look for it, because the
step itself cannot know whether kfnb or the cluster asked."""

_FIRST = 0.25
_LONGEST = 8.0
_NAP = 0.25
_REPEAT = 60.0
"""Seconds after which the same reason is reported again."""

_CHANGED = 10.0
"""Seconds between two different reasons: parallel downloads may each have one."""


class Retries:
    """Repeats an action for some time; a signal handler may shorten that time.

    Parameters
    ----------
    seconds
        For how long one action is repeated.
    report
        Called with the reason for a wait: at once, when the reason changes, and once a minute.
    """

    def __init__(self, seconds: float, *, report: Callable[[str], object] | None = None) -> None:
        self.seconds = seconds
        self._until = float("inf")
        self._report = report
        self._reported: set[str] = set()
        self._reported_at = float("-inf")
        self._lock = threading.Lock()

    def end_by(self, moment: float) -> None:
        """Stop repeating at a moment of the monotonic clock. Signal handlers may call this."""
        self._until = min(self._until, moment)

    def __call__(self, act: Callable[[], T]) -> T:
        """Call ``act`` until it succeeds, and return its result.

        Raises
        ------
        InfrastructureError
            What ``act`` last raised, if repeating cannot help or the time is over.
        """
        began = time.monotonic()
        pause = _FIRST
        while True:
            try:
                return act()
            # It is an InfrastructureError too, but the same request would be refused again.
            except Refused:
                raise
            except InfrastructureError as error:
                again = time.monotonic() + pause
                if again > min(began + self.seconds, self._until):
                    raise
                self._report_wait(str(error))
            while (left := min(again, self._until) - time.monotonic()) > 0:
                time.sleep(min(left, _NAP))  # Short, because a signal may shorten the wait.
            pause = min(2 * pause, _LONGEST)

    def _report_wait(self, reason: str) -> None:
        """Report the reason for a wait, unless one was reported a moment ago."""
        if self._report is None:
            return
        with self._lock:
            now = time.monotonic()
            if now - self._reported_at < (_REPEAT if reason in self._reported else _CHANGED):
                return
            self._reported.add(reason)
            self._reported_at = now
        self._report(reason)
