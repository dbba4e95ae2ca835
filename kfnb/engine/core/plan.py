"""The engine's static input: steps as positions, and which step waits for which.

Everything here is known before a run starts. Steps are numbered in the order in
which the notebook would execute them (the exit step last), because that order
decides which version of a value a step would have seen.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kfnb.engine.core.identity import Key
from kfnb.errors import CheckError
from kfnb.pipeline import Options, Pipeline, Step


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A pipeline as the engine sees it; positions count from 0 in execution order.

    Parameters
    ----------
    keys
        Position to (step, index).
    position
        The way back.
    deps, dependents
        Positions that must be done before a step, and that wait for it. A step that
        overwrites a file waits for those that read or wrote it before.
    inputs
        Names that a step reads, with the position of the planned producer (-1: none).
    outputs
        Names that a step is planned to publish.
    readers, writers
        Name to the positions that read or publish it, ascending.
    height
        Steps on the longest chain that begins here: what is started first when not
        everything can be.
    exit
        Position of the step that executes when all others have ended; None: there is none.
    """

    keys: tuple[Key, ...]
    position: Mapping[Key, int]
    options: tuple[Options, ...]
    defaults: Options
    deps: tuple[frozenset[int], ...]
    dependents: tuple[tuple[int, ...], ...]
    inputs: tuple[Mapping[str, int], ...]
    outputs: tuple[frozenset[str], ...]
    readers: Mapping[str, Sequence[int]]
    writers: Mapping[str, Sequence[int]]
    height: tuple[int, ...]
    exit: int | None

    @classmethod
    def of(cls, pipeline: Pipeline) -> Plan:
        """Plan a pipeline.

        Raises
        ------
        CheckError
            If a step depends on a later one (diagnosed when the notebook was read).
        """
        # False sorts before True, so the exit step is the last.
        ordered = sorted(
            pipeline.steps.values(), key=lambda step: (step.name == pipeline.on_exit, step.order)
        )
        at = {step.name: n for n, step in enumerate(ordered)}
        last = at.get(pipeline.on_exit) if pipeline.on_exit is not None else None
        deps = [_named(step, at) for step in ordered]
        for edge in pipeline.edges:
            if edge.source in at and edge.target in at:
                deps[at[edge.target]].add(at[edge.source])
        _file_order(ordered, deps)
        # With each edge pointing backwards there can be no cycle, so no decision needs to look for
        # one.
        for n, waits_for in enumerate(deps):
            # No step can wait for the exit step: it is always the last.
            waits_for.difference_update({n} if last is None else {n, last})
            late = next((d for d in waits_for if d > n), None)
            if late is not None:
                raise CheckError(
                    f'step "{ordered[n].name}" depends on "{ordered[late].name}", which comes '
                    "after it in the notebook. Remove the after: tag that reverses their order."
                )
        return cls._assemble(pipeline, ordered, at, deps, last)

    @classmethod
    def _assemble(
        cls,
        pipeline: Pipeline,
        ordered: Sequence[Step],
        at: Mapping[str, int],
        deps: Sequence[set[int]],
        last: int | None,
    ) -> Plan:
        count = len(ordered)
        dependents: list[list[int]] = [[] for _ in range(count)]
        height = [1] * count
        readers: dict[str, list[int]] = {}
        writers: dict[str, list[int]] = {}
        for n, step in enumerate(ordered):
            for d in sorted(deps[n]):
                dependents[d].append(n)
            for name in step.sources:
                readers.setdefault(name, []).append(n)
            for name in step.published:
                writers.setdefault(name, []).append(n)
        # Dependents always have higher positions, so one pass from the end is enough.
        for n in range(count - 1, -1, -1):
            height[n] = 1 + max((height[m] for m in dependents[n]), default=0)
        return cls(
            keys=tuple((step.name, "") for step in ordered),
            position={(step.name, ""): n for n, step in enumerate(ordered)},
            options=tuple(step.options for step in ordered),
            defaults=pipeline.defaults,
            deps=tuple(frozenset(d) for d in deps),
            dependents=tuple(tuple(d) for d in dependents),
            inputs=tuple({k: at.get(v, -1) for k, v in s.sources.items()} for s in ordered),
            outputs=tuple(frozenset(step.published) for step in ordered),
            readers=readers,
            writers=writers,
            height=tuple(height),
            exit=last,
        )

    def next_writer(self, name: str, after: int) -> int:
        """Give the first position after ``after`` that is planned to publish ``name``.

        The number of steps, where there is none.
        """
        writers = self.writers.get(name, ())
        n = bisect_right(writers, after)
        return writers[n] if n < len(writers) else len(self.keys)

    def downstream(self, names: Iterable[str]) -> tuple[str, ...]:
        """Give the steps ``names`` and all that depend on them, in order (``--from STEP``).

        Raises
        ------
        KeyError
            If there is no such step.
        """
        waits_for = {self.position[name, ""] for name in names}
        for n in range(len(self.keys)):
            if not waits_for.isdisjoint(self.deps[n]):
                waits_for.add(n)
        return tuple(self.keys[n][0] for n in sorted(waits_for))


def _named(step: Step, at: Mapping[str, int]) -> set[int]:
    return {at[name] for name in (*step.sources.values(), *step.after) if name in at}


def _file_order(ordered: Sequence[Step], deps: Sequence[set[int]]) -> None:
    """Make a step that reads or overwrites a file wait for those that used it before.

    Values need no such order, because every step loads its own copy; there is only one file.
    """
    wrote: dict[str, int] = {}
    read: dict[str, list[int]] = {}
    for n, step in enumerate(ordered):
        for use in step.reads:
            if use.path is not None:
                if use.path in wrote:
                    deps[n].add(wrote[use.path])
                read.setdefault(use.path, []).append(n)
        for use in step.writes:
            if use.path is not None:
                deps[n].update(read.pop(use.path, ()))
                if use.path in wrote:
                    deps[n].add(wrote[use.path])
                wrote[use.path] = n
