"""Which version of a value a step uses, when more is known than the plan knew.

A step that has finished may have published names that it was not planned to
publish: it changed an input in a way that its source does not show, or an output
shares a mutable object with another name. From then on, later readers of those
names take it from that step. This module says which steps are bound anew, which have to wait, and
which began too early. It is a pure function of what was published in which order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from kfnb.engine.consistency.aliases import Aliases
from kfnb.engine.consistency.findings import (
    Finding,
    NewEdge,
    StaleStep,
    UnplannedEffect,
    lost_change,
    older_value,
    unforeseen_change,
)
from kfnb.engine.consistency.versions import Phase, Versions
from kfnb.engine.core.event_types import StepSucceeded
from kfnb.engine.core.plan import Plan


class Bindings:
    """Which step published what, and which version each step was given.

    Parameters
    ----------
    phase
        How far a step is.
    """

    def __init__(self, plan: Plan, phase: Callable[[int], Phase]) -> None:
        self._plan = plan
        self._versions = Versions(plan, phase)
        self._aliases = Aliases(self._versions)
        self._along: dict[str, set[int]] = {}
        # A step is resolved several times between two publications: asked for, checked, bound.
        self._resolved: dict[int, dict[str, int]] = {}

    def resolve(self, n: int) -> Mapping[str, int]:
        """Give the producer of each name that ``n`` is to be given, as things stand.

        Each input comes from the latest step before that published it, -1 where no step did: the
        step begins without the name. A name that shares an object with an input comes along if a
        later step reads it, so that a change of the one is published as a change of the other.
        """
        if n not in self._resolved:
            latest = {name: self._versions.latest(name, n) for name in self._plan.inputs[n]}
            self._resolved[n] = latest | self._aliases.carried(n, latest)
        return self._resolved[n]

    def readers(self, name: str, n: int) -> Iterator[int]:
        """Return the steps that read the ``name`` that ``n`` leaves, as far as is planned."""
        return self._versions.readers(name, n)

    def bind(self, n: int, inputs: Mapping[str, int]) -> None:
        """Note which versions a step was given when it became ready or was found in the cache."""
        self._versions.bound[n] = inputs
        # The plan does not list these steps among the readers, so a later publication finds them
        # here.
        for name in inputs.keys() - self._plan.inputs[n].keys():
            self._along.setdefault(name, set()).add(n)

    def retract(self, n: int) -> None:
        """Forget what a step published: it does not count any more."""
        self._resolved.clear()
        self._versions.remove(n)
        self._aliases.remove(n)

    def void(self, n: int) -> None:
        """Forget what a step published and what it was given: another round begins."""
        self.retract(n)
        for name in self._versions.bound.pop(n, {}):
            self._along.get(name, set()).discard(n)

    def publish(self, n: int, result: StepSucceeded) -> list[Finding]:
        """Note what a step published and say what follows for the others.

        Parameters
        ----------
        result
            Data of ``StepSucceeded`` or ``StepCached``: ``outputs``, ``aliases``, ``unexpected``.
        """
        unexpected = result.unexpected
        # A bundle is loaded whole. Under a name that the step was not given, it holds an object
        # that the notebook by then may call something else.
        self._resolved.clear()
        planned, given = self._plan.outputs[n], self._versions.bound.get(n, {})
        outputs = {
            name: output
            for name, output in result.outputs.items()
            if name in planned or name in given
        }
        self._versions.add(n, outputs, unexpected)
        findings: list[Finding] = []
        for name in outputs:
            if name not in planned:
                findings += self._unplanned(n, name, unexpected.get(name))
        for name, reason in unexpected.items():
            if name not in outputs:
                findings += self._unsaved(n, name, reason)
        # A member that is not published here is one that nobody reads later.
        members = [frozenset(names) & outputs.keys() for names in result.aliases]
        findings += self._aliases.add(n, [group for group in members if len(group) > 1])
        return findings

    def _unplanned(self, n: int, name: str, reason: str | None) -> Iterator[Finding]:
        versions = self._versions
        writer = versions.name(n)
        rebound = False
        for r in self._users(name, n):
            # A step between the two has published a later version.
            if versions.latest(name, r) != n:
                continue
            phase = versions.phase(r)
            why = f'"{writer}" published {name}, although its source does not show it'
            if phase == "waiting":
                rebound = True
                yield NewEdge(n, r, names=(name,), why=why)
            elif r in versions.bound and (changer := self._missed(r, name, n)) >= 0:
                yield NewEdge(n, r, names=(name,), why=why)
                explanation = older_value(
                    versions.name(r), versions.name(changer), name, reason or ""
                )
                yield StaleStep(r, explanation)
        # This time all readers waited, but in another run one of them may start first.
        if reason is not None and rebound:
            yield UnplannedEffect(n, unforeseen_change(writer, name, reason))

    def _users(self, name: str, n: int) -> list[int]:
        """Give the readers of what ``n`` leaves, and the steps that were given it along."""
        readers = list(self._versions.readers(name, n))
        if not (along := self._along.get(name)):
            return readers
        until = self._plan.next_writer(name, n)
        return sorted({*readers, *(r for r in along if n < r <= until)})

    def _missed(self, r: int, name: str, n: int) -> int:
        """Give the last step up to ``n`` whose change of ``name`` is not in what ``r`` was given.

        -1: there is none, the versions are equal.
        """
        given = self._versions.bound.get(r, {}).get(name, -1)
        later = self._versions.between(name, given, n)
        if given < 0:
            return later[-1] if later else -1
        return max((m for m in later if name in self._versions.changed(m)), default=-1)

    def _unsaved(self, n: int, name: str, reason: str) -> Iterator[Finding]:
        versions = self._versions
        for r in versions.readers(name, n):
            if versions.phase(r) != "ended" and versions.latest(name, r) < n:
                lost = lost_change(versions.name(n), name, reason, versions.name(r))
                yield StaleStep(r, lost, repairable=False)
