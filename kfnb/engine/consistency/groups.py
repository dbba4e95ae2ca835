"""Groups: steps that share a kernel, because a value between them cannot be saved.

The members execute one after another, in the notebook's order, in one kernel. A member that has
to execute needs the kernel of all members before it. If that kernel is gone, or they were taken
from the cache, the group begins anew with its first member.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from kfnb.engine.core.commands import Record
from kfnb.engine.core.event_types import GroupFormed, OutputData, StepFailed, StepInvalidated
from kfnb.engine.core.identity import Attempt
from kfnb.engine.core.indices.dependencies import Dependencies
from kfnb.engine.core.plan import Plan
from kfnb.engine.core.state import DONE, OPEN, RunState, StepState

MOST_GROUP_ROUNDS = 10
"""How often a group begins anew, whatever the reason, before it fails."""


class Groups:
    """The groups of a run, by position.

    Parameters
    ----------
    steps
        The state of each step, by position.
    edges
        Which step waits for which.
    readers
        The later steps that read a name which a step leaves behind.
    """

    def __init__(
        self,
        plan: Plan,
        state: RunState,
        steps: Sequence[StepState],
        *,
        edges: Dependencies,
        readers: Callable[[str, int], Iterable[int]],
    ) -> None:
        self._plan = plan
        self._state = state
        self._steps = steps
        self._edges = edges
        self._readers = readers
        self._members: dict[int, tuple[int, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._members)

    def of(self, n: int) -> tuple[int, ...]:
        """Return the members of a step's group, ascending; empty if it is in none."""
        return self._members.get(n, ())

    def formed(self) -> Iterator[tuple[int, int]]:
        """Note the groups of the state; yield (step, the member before it that it waits for)."""
        self._members = {}
        for keys in self._state.groups.values():
            positions = (self._plan.position[key] for key in keys if key in self._plan.position)
            members = tuple(sorted(n for n in positions if n != self._plan.exit))
            self._members.update(dict.fromkeys(members, members))
            for before, n in pairwise(members):
                yield n, before

    def formed_by(self, n: int, outputs: Mapping[str, OutputData]) -> GroupFormed | None:
        """Return the group that values make which a step could not save; None: there is no new."""
        names = [name for name, output in outputs.items() if output.in_kernel]
        users = {m for name in names for m in self._readers(name, n)} - {self._plan.exit}
        if not users or users <= {*self.of(n)}:
            return None
        members = self._closed({n, *users})
        first = self._steps[min(members)].name
        shown = ", ".join(f"{name} ({outputs[name].type})" for name in sorted(names))
        return GroupFormed(
            id=first,
            members=tuple(self._plan.keys[m] for m in sorted(members)),
            why=f'{shown} of step "{self._steps[n].name}" cannot be saved',
        )

    def kernel(self, n: int) -> tuple[bool, Attempt | None]:
        """Return whether a step can execute now, and the kernel of its group that it needs.

        That is None for the first member, which gets a new one.
        """
        before = [m for m in self.of(n) if m < n and self._steps[m].status in DONE]
        kernels = {self._steps[m].kernel for m in before}
        if not kernels:
            return True, None
        kernel = kernels.pop()
        usable = not kernels and kernel is not None and kernel in self._state.kernels
        return usable, kernel if usable else None

    def continues(self, n: int) -> bool:
        """Return whether a later member may execute in the kernel after a step."""
        return any(m > n and self._steps[m].status in OPEN for m in self.of(n))

    def executes(self, n: int) -> bool:
        """Return whether a member before ``n`` was executed, so that it has to execute too."""
        return self._steps[n].uncached or any(
            m < n and self._steps[m].status == "succeeded" for m in self.of(n)
        )

    def ended(self, n: int, *, lives: bool) -> None:
        """Note the end of a step's attempt: after a failure its kernel has ended too."""
        kernel = self._steps[n].kernel
        if kernel is not None and lives:
            self._state.kernels.add(kernel)
        elif kernel is not None:
            self._state.kernels.discard(kernel)

    def unneeded_kernels(self) -> list[Attempt]:
        """Return the kernels in which no step will execute any more."""
        if not self._state.kernels:  # asked with every decision, and most runs have no groups
            return []
        return sorted(kernel for kernel in self._state.kernels if not self._is_needed(kernel))

    def restart(
        self,
        now: float,
        *,
        voids: Callable[[Iterable[int]], list[int]],
        lasting: Callable[[int], bool],
    ) -> Record | None:
        """Return the event with which a group begins anew; None: each can go on.

        Parameters
        ----------
        voids
            All steps that have begun and depend on the given ones, and those.
        lasting
            Whether a step has done something that must not be done again.
        """
        for n in sorted(self._members):
            step = self._steps[n]
            waits = step.retry_at is not None and step.retry_at > now
            executes = step.status == "pending" and step.ready and not step.permanent
            if not executes or step.active or waits or self.kernel(n)[0]:
                continue
            before = [m for m in self.of(n) if m < n and self._steps[m].status in DONE]
            all_voids = voids([*before, n])
            last = next(filter(lasting, all_voids), None)
            if last is not None:
                again = f'that would execute step "{self._steps[last].name}" a second time, whose '
                return self._cannot(n, f"{again}effects cannot be undone. Start a new run.")
            if step.round >= MOST_GROUP_ROUNDS:
                return self._cannot(
                    n,
                    f"the kernel has ended {MOST_GROUP_ROUNDS} times already, perhaps for want of "
                    "memory. Make the value in the step that uses it.",
                )
            return Record(
                StepInvalidated(
                    target=self._plan.keys[before[0]],
                    because=self._reason(n, before),
                    voids=tuple(
                        (s.name, s.index, s.round + 1) for s in (self._steps[m] for m in all_voids)
                    ),
                    group=next(
                        name
                        for name, keys in self._state.groups.items()
                        if self._plan.keys[n] in keys
                    ),
                ),
                *self._plan.keys[before[0]],
                self._steps[before[0]].round,
            )
        return None

    def _closed(self, members: set[int]) -> set[int]:
        """Add the steps between members, and the groups that share one."""
        while True:
            more = {m for n in members for m in self.of(n)}
            after, before = self._reached(members, self._edges.dependents), set()
            for n in members:
                before |= self._before(n)
            more |= {n for n in after & before if n != self._plan.exit}
            if more <= members:
                return members
            members |= more

    def _reached(self, starts: Iterable[int], step: Callable[[int], Iterable[int]]) -> set[int]:
        seen: set[int] = set()
        ways = list(starts)
        while ways:
            for n in step(ways.pop()):
                if n not in seen:
                    seen.add(n)
                    ways.append(n)
        return seen

    def _before(self, n: int) -> set[int]:
        return self._reached([n], self._edges.of)

    def _is_needed(self, kernel: Attempt) -> bool:
        n = self._plan.position.get(kernel[:2])
        members = self.of(n) if n is not None else ()
        inside = [m for m in members if self._steps[m].kernel == kernel]
        counts = any(self._steps[m].status in DONE or self._steps[m].active for m in inside)
        return counts and any(self._steps[m].status in OPEN for m in members)

    def _reason(self, n: int, before: Sequence[int]) -> str:
        name = self._steps[n].name
        if any(self._steps[m].status == "cached" for m in before):
            return f'step "{name}", which shares its kernel, has to be executed'
        if self._steps[n].failure is not None:
            return f'step "{name}", which shares its kernel, is tried again'
        return f'the kernel that it shares with step "{name}" has ended'

    def _cannot(self, n: int, why: str) -> Record:
        step = self._steps[n]
        failure = step.failure
        data = StepFailed(
            kind=failure.kind if failure is not None else "infrastructure",
            summary=(failure.summary if failure is not None else "")
            or f'step "{step.name}" shares a kernel with earlier steps, and that kernel has ended',
            remedy=f"It was not tried again: {why}",
            attempts=step.attempts,
        )
        return Record(data, step.name, step.index, step.round)
