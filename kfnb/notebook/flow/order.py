"""The order of steps, and the sequence in which their cells are gone through."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from kfnb.notebook.authoring.grouping import Declared, StepDecl
from kfnb.pipeline import Role


class CellVisit(NamedTuple):
    """One cell in a sequence: what it is executed as, and in which step (None: in all)."""

    cell: int
    role: Role
    step: str | None


def ordered(steps: Sequence[StepDecl], on_exit: str | None = None) -> tuple[StepDecl, ...]:
    """Sort steps by their first cell, then stably so that ``after:`` holds.

    The exit step comes last. Where ``after:`` goes in a circle (diagnosed when the
    cells were grouped) the circle is cut at its first step.
    """
    waiting = sorted(steps, key=lambda s: (s.name == on_exit, _first(s)))
    names = {s.name for s in steps}
    placed: dict[str, StepDecl] = {}
    while waiting:
        free = (
            step
            for step in waiting
            if all(a in placed or a not in names or a == step.name for a in step.after)
        )
        step = next(free, waiting[0])
        placed[step.name] = step
        waiting.remove(step)
    return tuple(placed.values())


def _first(step: StepDecl) -> int:
    return min((*step.cells, *step.notes), default=0)


def metrics_homes(declared: Declared, steps: Sequence[StepDecl]) -> dict[int, str]:
    """Give each metrics cell the step at whose end it stands: the last one begun before it."""
    homes: dict[int, str] = {}
    for cell in declared.metrics:
        begun = [s for s in steps if s.cells and s.cells[0] < cell]
        if steps:
            homes[cell] = (begun[-1] if begun else steps[0]).name
    return homes


def own_cells(step: StepDecl, homes: Mapping[int, str]) -> list[int]:
    """List a step's cells as it executes them: metrics cells that stand after its first, last."""
    attached = [cell for cell, home in homes.items() if home == step.name]
    first = min(step.cells, default=-1)
    return sorted(
        [*step.cells, *attached], key=lambda cell: (cell in attached and cell > first, cell)
    )


def joined_sequence(
    declared: Declared,
    steps: Sequence[StepDecl],
    *,
    homes: Mapping[int, str],
    early: Collection[int] = (),
) -> list[CellVisit]:
    """List the cells as steps execute them: each step's together, setup before who sees it.

    ``early`` are setup cells that stand after the first step that needs them.
    """
    roles = _static_roles(declared)
    waiting = sorted(roles)
    sequence: list[CellVisit] = []
    for step in steps:
        last = max(step.cells, default=-1)
        ready = [c for c in waiting if c < last or c in early]
        waiting = [c for c in waiting if not (c < last or c in early)]
        # Setup that stands above a step's last cell may be used by the step.
        sequence += [CellVisit(c, roles[c], None) for c in ready]
        sequence += [
            CellVisit(c, "metrics" if c in homes else "step", step.name)
            for c in own_cells(step, homes)
        ]
    return sequence + [CellVisit(c, roles[c], None) for c in waiting]


def linear_sequence(
    declared: Declared, steps: Sequence[StepDecl], *, homes: Mapping[int, str]
) -> list[CellVisit]:
    """List the cells as the notebook stands."""
    visits = [CellVisit(c, role, None) for c, role in _static_roles(declared).items()]
    visits += [CellVisit(c, "step", s.name) for s in steps for c in s.cells]
    visits += [CellVisit(c, "metrics", home) for c, home in homes.items()]
    return sorted(visits)


def _static_roles(declared: Declared) -> dict[int, Role]:
    roles: dict[int, Role] = dict.fromkeys(declared.setup, "setup")
    roles.update(dict.fromkeys(declared.parameters, "parameters"))
    return roles
