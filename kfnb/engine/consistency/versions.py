"""Which step published which name, and which version each step was given.

"Earlier" and "later" are positions in the plan: the notebook's order, not time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from kfnb.engine.core.event_types import OutputData
from kfnb.engine.core.plan import Plan

Phase = Literal["waiting", "running", "done", "ended"]
"""Not begun (or to be tried again); executing; published; failed, skipped or cancelled."""

Outputs = Mapping[str, OutputData]


class Versions:
    """Versions of names, by the position of the step that published them.

    Parameters
    ----------
    phase
        How far a step is.

    Attributes
    ----------
    published
        Position to what that step published.
    bound
        Position to the versions that the step was given, -1 for an absent name.
    """

    def __init__(self, plan: Plan, phase: Callable[[int], Phase]) -> None:
        self.plan = plan
        self.phase = phase
        self.published: dict[int, Outputs] = {}
        self.bound: dict[int, Mapping[str, int]] = {}
        self._havers: dict[str, list[int]] = {}
        self._changers: dict[str, list[int]] = {}
        self._changed: dict[int, frozenset[str]] = {}

    def add(self, n: int, outputs: Outputs, unexpected: Iterable[str]) -> None:
        """Note what ``n`` published, and what it changed, whether published or not."""
        self.published[n] = outputs
        for name in outputs:
            # Steps finish in any order, and the lists are searched by the notebook's order.
            insort(self._havers.setdefault(name, []), n)
        changed = [name for name, output in outputs.items() if output.changed]
        self._changed[n] = frozenset((*changed, *unexpected))
        for name in self._changed[n]:
            insort(self._changers.setdefault(name, []), n)

    def remove(self, n: int) -> None:
        """Forget what ``n`` published and changed, but not what it was given."""
        for name in self.published.pop(n, ()):
            self._havers[name].remove(n)
        for name in self._changed.pop(n, ()):
            self._changers[name].remove(n)

    def latest(self, name: str, n: int) -> int:
        """Give the last step before ``n`` that published ``name``, -1 if none did."""
        havers = self._havers.get(name, ())
        at = bisect_left(havers, n)
        return havers[at - 1] if at else -1

    def between(self, name: str, after: int, upto: int) -> list[int]:
        """Give the steps that published ``name``, after the one and up to the other position."""
        havers = self._havers.get(name, [])
        return havers[bisect_right(havers, after) : bisect_right(havers, upto)]

    def changed(self, n: int) -> frozenset[str]:
        """Give the names under which ``n`` left something else than it was given."""
        return self._changed.get(n, frozenset())

    def changers(self, name: str, after: int) -> list[int]:
        """Give the steps after ``after`` that have changed ``name``."""
        changers = self._changers.get(name, [])
        return changers[bisect_right(changers, after) :]

    def readers(self, name: str, n: int) -> Iterator[int]:
        """Give the steps that read the ``name`` that ``n`` leaves behind, as far as is planned."""
        readers = self.plan.readers.get(name, ())
        until = self.plan.next_writer(name, n)
        for at in range(bisect_left(readers, n + 1), len(readers)):
            # The next writer counts as a reader too: it may change the value that it reads.
            if readers[at] > until:
                return
            yield readers[at]

    def is_read_after(self, name: str, n: int) -> bool:
        """Return whether a step reads the ``name`` that ``n`` leaves behind."""
        readers = self.plan.readers.get(name, ())
        at = bisect_right(readers, n)
        return at < len(readers) and readers[at] <= self.plan.next_writer(name, n)

    def renewed(self, name: str, after: int, before: int) -> bool:
        """Tell whether a step between is planned to give ``name`` a new object."""
        writers = self.plan.writers.get(name, ())
        return any(
            name not in self.plan.inputs[w]
            for w in writers[bisect_right(writers, after) : bisect_left(writers, before)]
        )

    def name(self, n: int) -> str:
        """Give a step's name, for sentences."""
        return self.plan.keys[n][0]
