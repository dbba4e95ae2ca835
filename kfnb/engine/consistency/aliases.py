"""Names of one object: a step that changes it under one name changes the others.

kfnb learns that two names share a mutable object when a step publishes both. From then on
the readers of one name wait for steps that may change the other. Steps that had begun
before may have loaded separate copies. That is harmless until one of them changes its copy:
then the others see a value that they would not have seen in the notebook.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations

from kfnb.engine.consistency.findings import Finding, NewEdge, StaleStep, split_alias
from kfnb.engine.consistency.versions import Versions

Group = frozenset[str]


class Aliases:
    """Which names shared an object where, and what follows when one of them changes."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._plan = versions.plan
        self._groups: dict[int, Sequence[Group]] = {}
        # Where two names shared an object: positions, ascending, for each name and partner.
        self._pairs: dict[str, dict[str, list[int]]] = {}
        # Groups whose further changers are looked for when this one has finished.
        self._later: dict[int, list[Group]] = {}

    def carried(self, n: int, inputs: Mapping[str, int]) -> dict[str, int]:
        """Give the names that come along with inputs, because a later step reads them."""
        versions, outputs = self._versions, self._plan.outputs[n]
        carried_names: dict[str, int] = {}
        for name, m in inputs.items():
            for group in self._groups.get(m, ()):
                if name not in group:
                    continue
                for other in group:
                    if other in inputs or other in outputs:
                        continue
                    # Not if the name was given another object since: it is no partner any more.
                    same = versions.latest(other, n) == m and self._plan.next_writer(other, m) >= n
                    if same and versions.is_read_after(other, n):
                        carried_names[other] = m
        return carried_names

    def remove(self, n: int) -> None:
        """Forget what ``n`` published."""
        for group in self._groups.pop(n, ()):
            for name, other in permutations(group, 2):
                self._pairs[name][other].remove(n)

    def add(self, n: int, groups: Sequence[Group]) -> Iterator[Finding]:
        """Note which of the names that ``n`` published share objects, and say what follows."""
        if groups:
            self._groups[n] = groups
        for group in groups:
            for name, other in permutations(group, 2):
                insort(self._pairs.setdefault(name, {}).setdefault(other, []), n)
            yield from self._next_changer(n, group)
        for group in self._later.pop(n, ()):
            # Groups that still share an object were handled above.
            if not any(group <= newer for newer in groups):
                yield from self._next_changer(n, group)
        # What this step changed under one name, the other names of the object should have as well.
        for name in self._versions.changed(n):
            for other in self._pairs.get(name, {}):
                yield from self._compare(n, name, other)
        # A later step of the notebook may have finished first, and changed a partner of these
        # names.
        for name in self._versions.published[n]:
            for other in self._pairs.get(name, {}):
                for c in self._versions.changers(other, n):
                    yield from self._compare(c, other, name)

    def _next_changer(self, n: int, group: Group) -> Iterator[Finding]:
        """Let readers wait for the next step that may change the object through one name.

        When that has finished, the one after it is looked for.
        """
        alive = set(group)
        while len(alive) > 1:
            n = min([self._plan.next_writer(name, n) for name in alive])
            if n == len(self._plan.keys):
                return
            wrote = alive & self._plan.outputs[n]
            changes = wrote & self._plan.inputs[n].keys()
            # A step that binds a name without reading it gives it a new object.
            alive -= wrote - changes
            if changes and self._versions.phase(n) != "done":
                self._later.setdefault(n, []).append(frozenset(alive))
                yield from self._wait(n, alive - wrote, changes)
                return

    def _wait(self, c: int, others: set[str], changes: set[str]) -> Iterator[Finding]:
        shared = " and ".join(sorted(changes))
        changer = self._versions.name(c)
        for name in sorted(others):
            for r in self._versions.readers(name, c):
                if self._versions.phase(r) == "waiting":
                    why = f'"{changer}" may change {name}, which shares an object with {shared}'
                    yield NewEdge(c, r, names=(name,), why=why)

    def _compare(self, c: int, name: str, other: str) -> Iterator[Finding]:
        """See whether ``other`` changed with ``name``, which ``c`` changed, if they were one."""
        versions = self._versions
        pairs = self._pairs[name][other]
        at = bisect_left(pairs, c)
        if not at or (at < len(pairs) and pairs[at] == c):
            return  # They never shared an object, or still do.
        origin = pairs[at - 1]
        given = versions.bound.get(c, {})
        # The other name has a new object since, so a change through the first one does not concern
        # it.
        if other not in given and (
            other in self._plan.outputs[c] or versions.renewed(other, origin, c)
        ):
            return
        mine = self._stale_source(name, c, c, origin)
        theirs = self._stale_source(
            other, c, c if other in given else versions.latest(other, c), origin
        )
        strays = {step for step in (mine, theirs) if step is not None and step >= 0}
        if mine is None or theirs is None or not strays:
            return
        readers = [r for r in versions.readers(other, c) if versions.phase(r) != "ended"]
        # Nobody uses the other name any more.
        if not readers and other not in self._plan.inputs[c]:
            return
        for r in readers:
            why = f'"{versions.name(c)}" changes {other} through {name}'
            yield NewEdge(c, r, names=(other,), why=why)
        explanation = split_alias(versions.name(c), name, other, versions.name(origin))
        for step in sorted(strays):
            yield StaleStep(step, explanation)

    def _stale_source(self, name: str, taker: int, m: int, origin: int) -> int | None:
        """Follow a version back to see whether it came through the step ``origin``.

        Returns
        -------
        int or None
            -1 if it did; the step that took an older one, if that is where it comes from; None
            if a step since gave the name a new object.
        """
        while m > origin:
            given = self._versions.bound.get(m, {})
            if name not in given:
                return None
            taker, m = m, given[name]
        return taker if m < origin else -1
