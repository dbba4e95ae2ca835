"""Steps that used something old, and which steps begin anew because of them.

A step is executed again after the step whose change it missed, together with every step that took
something from it. Steps that have not begun are only bound anew. See "Repair" in
docs/decisions.md for why this ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kfnb.engine.consistency.findings import StaleStep
from kfnb.engine.core.commands import Record
from kfnb.engine.core.event_types import StepInvalidated
from kfnb.engine.core.event_types import Warning as WarningData
from kfnb.engine.core.plan import Plan
from kfnb.engine.core.state import DONE, StepState

MOST_ROUNDS = 2
"""A step in this round has been begun anew twice. It starts when all before it have ended."""


class Repairs:
    """Findings about steps that have to be executed again, until an event says that they are.

    They follow from the events, so a driver that continues the run finds the same ones.

    Parameters
    ----------
    steps
        The state of each step, by position.
    dependents
        Positions that wait for a step, as far as is known now.
    changed_in_place
        A file that a step has changed and of which no copy exists; None if there is none.
    group
        The steps that share a kernel with one: they begin anew together.
    """

    def __init__(
        self,
        plan: Plan,
        steps: Sequence[StepState],
        dependents: Callable[[int], Iterable[int]],
        changed_in_place: Callable[[int], str | None],
        *,
        group: Callable[[int], Iterable[int]] = lambda _: (),
    ) -> None:
        self._plan = plan
        self._steps = steps
        self._dependents = dependents
        self._changed_in_place = changed_in_place
        self._group = group
        self._stale: dict[int, StaleStep] = {}

    def __bool__(self) -> bool:
        return bool(self._stale)

    def add(self, finding: StaleStep) -> None:
        """Note a step that used something old; of several reasons the first counts."""
        before = self._stale.get(finding.step)
        if before is None:
            self._stale[finding.step] = finding
        else:
            # What cannot be repaired for one reason is not repaired for another.
            self._stale[finding.step] = StaleStep(
                finding.step,
                before.explanation if finding.repairable else finding.explanation,
                before.repairable and finding.repairable,
                tuple(sorted({*before.then, *finding.then})),
                before.harmless and finding.harmless,
            )

    def remove(self, n: int) -> None:
        """Forget a step that begins anew or has failed."""
        self._stale.pop(n, None)

    def warned(self, n: int, data: WarningData) -> None:
        """Forget a step about which this warning was enough."""
        finding = self._stale.get(n)
        if finding is not None and finding.harmless and finding.explanation.warning() == data:
            del self._stale[n]

    def next_record(self) -> Record:
        """Return what is to be journaled about the first of these steps.

        One at a time, because it decides what becomes of the others.
        """
        n = min(self._stale)
        finding, step = self._stale[n], self._steps[n]
        voids = self.voids([finding.step, *filter(self._has_begun, finding.then)])
        if not finding.repairable or step.repairs >= MOST_ROUNDS or any(map(self.lasting, voids)):
            explanation = finding.explanation
            verdict = explanation.warning() if finding.harmless else explanation.failure()
            return Record(verdict, step.name, step.index, step.round)
        data = StepInvalidated(
            target=(step.name, step.index),
            because=finding.explanation.message,
            remedy=finding.explanation.remedy,
            voids=tuple((s.name, s.index, s.round + 1) for s in (self._steps[m] for m in voids)),
        )
        return Record(data, step.name, step.index, step.round)

    def voids(self, steps: Iterable[int]) -> list[int]:
        """Return the steps and all that have begun and wait for them, directly or through others.

        What has begun in a kernel that one of them shares is among them.
        """
        voids = set(steps)
        ways = list(voids)
        while ways:
            last = ways.pop()
            for n in (*self._dependents(last), *self._group(last)):
                if n not in voids and n != self._plan.exit and self._has_begun(n):
                    voids.add(n)
                    ways.append(n)
        return sorted(voids)

    def _has_begun(self, n: int) -> bool:
        step = self._steps[n]
        return step.status in DONE or step.status in ("running", "failed") or step.permanent

    def lasting(self, n: int) -> bool:
        """Whether a step has done something that its next execution would find or repeat."""
        begun = self._has_begun(n) or self._steps[n].running_since is not None
        return (bool(self._plan.options[n].once) and begun) or self._changed_in_place(n) is not None
