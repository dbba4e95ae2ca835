"""The steps that are not done for good, in the notebook's order."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

from kfnb.engine.core.state import DONE, StepState


class Unsettled:
    """Finds the first step that is not done, or of which an attempt of an earlier round is alive.

    Parameters
    ----------
    steps
        The state of each step, by position.
    """

    def __init__(self, steps: Sequence[StepState]) -> None:
        self._steps = steps
        # Ascending, so it is a heap. A step that has settled is removed when it is met.
        self._waiting = list(range(len(steps)))

    def add(self, n: int) -> None:
        """Add a step that was done and is not any more."""
        heappush(self._waiting, n)

    def first(self) -> int:
        """Return the position of the first such step; the number of steps if there is none."""
        while self._waiting:
            n = self._waiting[0]
            if self._steps[n].status not in DONE or self._steps[n].active:
                return n
            heappop(self._waiting)
        return len(self._steps)
