"""Which step waits for which: what the plan knows, and what the run has shown so far."""

from __future__ import annotations

from collections.abc import Iterable

from kfnb.engine.core.plan import Plan


class Dependencies:
    """The edges of a run, by position. Edges are only added."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._added: dict[int, set[int]] = {}
        self._added_dependents: dict[int, list[int]] = {}

    def of(self, n: int) -> Iterable[int]:
        """Return the steps that ``n`` waits for."""
        return self._plan.deps[n] | self._added.get(n, frozenset())

    def dependents(self, n: int) -> Iterable[int]:
        """Return the steps that wait for ``n``."""
        return (*self._plan.dependents[n], *self._added_dependents.get(n, ()))

    def add(self, n: int, on: int) -> bool:
        """Make ``n`` wait for ``on``; False if it does already."""
        if self.is_direct(n, on):
            return False
        self._added.setdefault(n, set()).add(on)
        self._added_dependents.setdefault(on, []).append(n)
        return True

    def is_direct(self, n: int, on: int) -> bool:
        """Return whether there is an edge between the two."""
        return on in self._plan.deps[n] or on in self._added.get(n, ())

    def depends(self, n: int, on: int) -> bool:
        """Return whether ``n`` waits for ``on``, directly or through others."""
        seen, ways = {n}, [n]
        while ways:
            for d in self.of(ways.pop()):
                if d == on:
                    return True
                # Edges point from a later step to an earlier one.
                if d > on and d not in seen:
                    seen.add(d)
                    ways.append(d)
        return False
