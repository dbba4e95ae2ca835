"""Queues of steps that wait to be prepared, for a free slot, or for the time of a retry.

Entries of the heaps are checked when they are popped, so a step that no longer waits is never
searched for. The queues make decisions fast; they never change a decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import TypeVar

from kfnb.engine.core.state import StepState

Steps = Sequence[StepState]
Entry = TypeVar("Entry", int, tuple[float, int])


class Queues:
    """Positions of steps by what they wait for.

    Parameters
    ----------
    height
        Steps on the longest chain behind each: the longest is started first.
    """

    def __init__(self, height: Sequence[int]) -> None:
        self._height = height
        self._prepare: list[int] = []
        self._start: list[tuple[float, int]] = []
        self._retry: list[tuple[float, int]] = []

    def offer(self, n: int, step: StepState, *, unmet: int) -> None:
        """Queue a step, unless it waits for another step or has ended."""
        if unmet or step.active or step.status != "pending" or step.permanent:
            return
        if not step.ready:
            heappush(self._prepare, n)
        elif step.retry_at is not None:
            heappush(self._retry, (step.retry_at, n))
        else:
            # The longest chain decides how long the run takes, so its steps are started first.
            heappush(self._start, (-self._height[n], n))

    def preparable(self, steps: Steps, unmet: Sequence[int], limit: int) -> list[int]:
        """Give up to ``limit`` steps that are to be prepared, in the notebook's order."""

        def valid(n: int) -> bool:
            return _idle(steps[n]) and not steps[n].ready and not unmet[n]

        return _first(self._prepare, limit, valid)

    def startable(self, steps: Steps, now: float, limit: int) -> list[int]:
        """Give up to ``limit`` steps that may start now, those with most behind them first."""
        while self._retry and self._retry[0][0] <= now:
            _, n = heappop(self._retry)
            heappush(self._start, (-self._height[n], n))

        def valid(entry: tuple[float, int]) -> bool:
            step = steps[entry[1]]
            if not (_idle(step) and step.ready):
                return False
            if step.retry_at is not None and step.retry_at > now:
                # The clock went back, or the step failed again meanwhile.
                heappush(self._retry, (step.retry_at, entry[1]))
                return False
            return True

        return [n for _, n in _first(self._start, limit, valid)]

    def next_retry(self, steps: Steps) -> float | None:
        """Give the time at which the next retry is due."""
        while self._retry:
            at, n = self._retry[0]
            if _idle(steps[n]) and steps[n].ready and steps[n].retry_at == at:
                return at
            # The entry is out of date: the step was resumed, or failed again with another time.
            heappop(self._retry)
        return None


def _idle(step: StepState) -> bool:
    return step.status == "pending" and not step.active and not step.permanent


def _first(heap: list[Entry], limit: int, valid: Callable[[Entry], bool]) -> list[Entry]:
    """Give the first valid entries and keep them; drop the others that are met."""
    entries: list[Entry] = []
    while heap and len(entries) < limit:
        entry = heappop(heap)
        # A step may have been offered twice, and equal entries leave a heap one after the other.
        if valid(entry) and entry not in entries[-1:]:
            entries.append(entry)
    # They leave the queue only when an event says that they were prepared or started.
    for entry in entries:
        heappush(heap, entry)
    return entries
