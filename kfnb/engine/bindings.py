"""Which version of a value a step uses, when more is known than the plan knew.

A step that has finished may have published names that it was not planned to
publish: it changed an input in a way that its source does not show, or an output
shares a mutable object with another name. From then on, later readers of those
names belong to it. This module says who is rebound, who has to wait, and who
began too early. It is a pure function of what was published in which order.

"Earlier" and "later" are positions in the plan: the notebook's order, not time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kfnb.engine.findings import (
    Finding,
    NewEdge,
    Stale,
    Surprise,
    lost_change,
    older_value,
    split_alias,
    unforeseen_change,
)
from kfnb.engine.plan import Plan

Phase = Literal["waiting", "running", "done", "ended"]
"""Not begun (or to be tried again); executing; published; failed, skipped or cancelled."""


Outputs = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Group:
    """Names that share mutable objects, as the step at ``position`` published them."""

    position: int
    names: frozenset[str]


class Bindings:
    """Who published what, and which version each step was given.

    Parameters
    ----------
    phase
        How far a step is.
    """

    def __init__(self, plan: Plan, phase: Callable[[int], Phase]) -> None:
        self._plan = plan
        self._phase = phase
        self._published: dict[int, Outputs] = {}
        self._havers: dict[str, list[int]] = {}
        self._groups: dict[str, list[_Group]] = {}
        self._bound: dict[int, Mapping[str, int]] = {}
        self._along: dict[str, set[int]] = {}

    def resolve(self, n: int) -> dict[str, int]:
        """Give the producer of each name that ``n`` is to be given, as things stand.

        Each input comes from the latest step before that published it, -1 where no step did: the
        step begins without the name. A name that shares an object with an input comes along if a
        later step reads it, so that a change of the one is published as a change of the other.
        """
        found = {name: self._latest(name, n) for name in self._plan.inputs[n]}
        return found | self._carried(n, found)

    def _carried(self, n: int, inputs: Mapping[str, int]) -> dict[str, int]:
        return {
            other: m
            for name, m in inputs.items()
            for group in self._groups.get(name, ())
            if group.position == m
            for other in group.names - inputs.keys() - self._plan.outputs[n]
            # Not if the name was given another object since: it is no partner any more.
            if self._latest(other, n) == m and self._plan.next_writer(other, m) >= n
            if next(self._readers(other, n), None) is not None
        }

    def bind(self, n: int, inputs: Mapping[str, int]) -> None:
        """Note which versions a step was given when it became ready or was found in the cache."""
        self._bound[n] = inputs
        for name in inputs.keys() - self._plan.inputs[n].keys():
            self._along.setdefault(name, set()).add(n)

    def retract(self, n: int) -> None:
        """Forget what a step published: it does not count any more."""
        for name in self._published.pop(n, ()):
            self._havers[name].remove(n)
            self._groups[name] = [g for g in self._groups.get(name, ()) if g.position != n]

    def publish(self, n: int, result: Mapping[str, Any]) -> list[Finding]:
        """Note what a step published and say what follows for the others.

        Parameters
        ----------
        result
            Data of ``StepSucceeded`` or ``StepCached``: ``outputs``, ``aliases``, ``unexpected``.
        """
        outputs: Outputs = result.get("outputs") or {}
        unexpected: Mapping[str, str] = result.get("unexpected") or {}
        # A bundle is loaded whole. Under a name that the step was not given, it holds an object
        # that the notebook by then may call something else.
        known = self._plan.outputs[n] | self._bound.get(n, {}).keys()
        outputs = {name: output for name, output in outputs.items() if name in known}
        self._published[n] = outputs
        for name in outputs:
            insort(self._havers.setdefault(name, []), n)
        found: list[Finding] = []
        for name in outputs:
            if name not in self._plan.outputs[n]:
                found += self._unplanned(n, name, unexpected.get(name))
        for name, reason in unexpected.items():
            if name not in outputs:
                found += self._unsaved(n, name, reason)
        for names in result.get("aliases") or ():
            # A member that is not published here is one that nobody reads later.
            members = frozenset(names) & outputs.keys()
            if len(members) > 1:
                found += self._shared(_Group(n, members))
        found += self._split_earlier(n)
        return found

    def _latest(self, name: str, n: int) -> int:
        havers = self._havers.get(name, ())
        at = bisect_left(havers, n)
        return havers[at - 1] if at else -1

    def _readers(self, name: str, n: int) -> Iterator[int]:
        """Give the steps that read the ``name`` that ``n`` leaves behind, as far as is planned."""
        readers = self._plan.readers.get(name, ())
        until = self._plan.next_writer(name, n)
        for at in range(bisect_left(readers, n + 1), len(readers)):
            if readers[at] > until:
                return
            yield readers[at]

    def _unplanned(self, n: int, name: str, reason: str | None) -> Iterator[Finding]:
        writer = self._name(n)
        rebound = False
        for r in self._users(name, n):
            if self._latest(name, r) != n:
                continue
            phase = self._phase(r)
            why = f'"{writer}" published {name}, which its source does not show'
            if phase == "waiting":
                rebound = True
                yield NewEdge(n, r, names=(name,), why=why)
            elif phase in ("running", "done") and (changer := self._missed(r, name, n)) >= 0:
                yield NewEdge(n, r, names=(name,), why=why)
                said = older_value(self._name(r), self._name(changer), name, reason or "")
                yield Stale(r, said)
        if reason is not None and rebound:
            yield Surprise(n, unforeseen_change(writer, name, reason))

    def _users(self, name: str, n: int) -> list[int]:
        """Give the readers of what ``n`` leaves, and the steps that were given it along."""
        until = self._plan.next_writer(name, n)
        along = (r for r in self._along.get(name, ()) if n < r <= until)
        return sorted({*self._readers(name, n), *along})

    def _missed(self, r: int, name: str, n: int) -> int:
        """Give the last step up to ``n`` whose change of ``name`` is not in what ``r`` was given.

        -1: there is none, the versions are equal.
        """
        given = self._bound.get(r, {}).get(name, -1)
        havers = self._havers[name]
        later = havers[bisect_right(havers, given) : bisect_right(havers, n)]
        if given < 0:
            return later[-1] if later else -1
        return max((m for m in later if self._changed(m, name)), default=-1)

    def _unsaved(self, n: int, name: str, reason: str) -> Iterator[Finding]:
        for r in self._readers(name, n):
            if self._phase(r) != "ended" and self._latest(name, r) < n:
                yield Stale(r, lost_change(self._name(n), name, reason, self._name(r)))

    def _shared(self, group: _Group) -> Iterator[Finding]:
        """Whoever changes one name of a group from here on changes the others."""
        for name in group.names:
            self._groups.setdefault(name, []).append(group)
        alive = set(group.names)
        for c in self._changers(group):
            wrote = alive & self._plan.outputs[c]
            changes = {name for name in wrote if name in self._plan.inputs[c]}
            if changes and self._phase(c) == "done":
                yield from self._split(c, changes & self._published[c].keys(), group)
            elif changes:
                yield from self._wait(c, alive - self._plan.outputs[c], changes)
            # Who binds a name without reading it gives it a new object.
            alive -= wrote - changes
            if len(alive) < 2:
                return

    def _changers(self, group: _Group) -> list[int]:
        found: set[int] = set()
        for name in group.names:
            writers = self._plan.writers.get(name, ())
            found.update(writers[bisect_left(writers, group.position + 1) :])
        return sorted(found)

    def _wait(self, c: int, others: set[str], changes: set[str]) -> Iterator[Finding]:
        """Readers of the other names wait for ``c``, which has not finished."""
        shared = " and ".join(sorted(changes))
        for name in sorted(others):
            for r in self._readers(name, c):
                if self._phase(r) == "waiting":
                    why = (
                        f'"{self._name(c)}" may change {name}, which shares an object with {shared}'
                    )
                    yield NewEdge(c, r, names=(name,), why=why)

    def _split_earlier(self, c: int) -> Iterator[Finding]:
        """Find what ``c`` changed without knowing that by then it had another name."""
        for name in self._published[c]:
            for group in self._groups.get(name, ()):
                if group.position < c:
                    yield from self._split(c, {name}, group)

    def _split(self, c: int, names: set[str], group: _Group) -> Iterator[Finding]:
        for name in sorted(names):
            if not self._changed(c, name) or not self._strayed(c, name, group.position):
                continue
            for other in sorted(group.names - self._published[c].keys()):
                if not self._still(other, group.position, c):
                    continue
                readers = [r for r in self._readers(other, c) if self._phase(r) != "ended"]
                for r in readers:
                    why = f'"{self._name(c)}" changes {other} by way of {name}'
                    yield NewEdge(c, r, names=(other,), why=why)
                if readers:
                    origin = self._name(group.position)
                    yield Stale(c, split_alias(self._name(c), name, other, origin))

    def _strayed(self, c: int, name: str, origin: int) -> bool:
        """Tell whether the ``name`` that ``c`` loaded is older than the step ``origin``.

        Not if one of the steps in between gave the name a new object.
        """
        while c > origin:
            bound = self._bound.get(c, {})
            if name not in bound:
                return False
            c = bound[name]
        return c < origin

    def _still(self, name: str, after: int, before: int) -> bool:
        """No step between is planned to give ``name`` a new object."""
        writers = self._plan.writers.get(name, ())
        return all(
            name in self._plan.inputs[w]
            for w in writers[bisect_left(writers, after + 1) : bisect_left(writers, before)]
        )

    def _changed(self, n: int, name: str) -> bool:
        return bool(self._published[n][name].get("changed", True))

    def _name(self, n: int) -> str:
        return self._plan.keys[n][0]
