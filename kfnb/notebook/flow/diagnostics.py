"""What is wrong with the data flow of a notebook, as diagnostics."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence

from kfnb.notebook.authoring.grouping import StepDecl
from kfnb.notebook.diagnostics import make
from kfnb.notebook.flow.liveness import Need
from kfnb.notebook.flow.order import CellVisit
from kfnb.notebook.flow.step_facts import WalkResult
from kfnb.notebook.flow.undefined_names import cell_phrase
from kfnb.notebook.parsed_cell import ParsedCell
from kfnb.pipeline import Cell, Diagnostic


def syntax_errors(
    sources: Mapping[int, ParsedCell], owner: Mapping[int, str]
) -> Iterator[Diagnostic]:
    """Cells that do not parse."""
    for cell, source in sorted(sources.items()):
        if source.error is not None:
            message, line = source.error
            yield make(
                "KFNB-E101",
                f"{_subject(owner.get(cell))} cannot be read: {message}",
                "Correct the cell; the other cells were read without it.",
                step=owner.get(cell),
                cell=cell,
                line=line,
            )


def returns(walked: WalkResult, owner: Mapping[int, str]) -> Iterator[Diagnostic]:
    """``return`` outside of a function, which Python only refuses when it compiles."""
    for cell, line in dict.fromkeys(walked.returns):
        yield make(
            "KFNB-E101",
            f"{_subject(owner.get(cell))} has a return outside of a function",
            "Correct the cell; the other cells were read without it.",
            step=owner.get(cell),
            cell=cell,
            line=line,
        )


def setup_reads(walked: WalkResult, first_cell: Mapping[str, int]) -> Iterator[Diagnostic]:
    """Find setup cells that need what a step makes."""
    for cell, line, name, step in dict.fromkeys(walked.setup_reads):
        if first_cell.get(step, -1) > cell:
            continue
        yield make(
            "KFNB-E105",
            f'a setup cell needs "{name}" of step "{step}", but setup runs before every step',
            f'Tag the cell that makes "{name}" setup, or move the code that needs it to a step.',
            cell=cell,
            line=line,
        )


def interleaving(
    joined: WalkResult,
    linear: WalkResult,
    *,
    visits: Sequence[CellVisit],
    early: Collection[int],
    on_exit: str | None,
    cells: Sequence[Cell],
) -> tuple[set[tuple[int, str]], list[Diagnostic]]:
    """Find cells that would see other bindings when the cells of each step are joined.

    Returns
    -------
    tuple
        All (cell, name) of which that is so, and one diagnostic for each name.
    """
    steps = {visit.cell: visit.step for visit in visits}
    differing: set[tuple[int, str]] = set()
    diagnostics: dict[str, Diagnostic] = {}
    for (cell, name), here in sorted(joined.interpreter.first_seen.items()):
        there = linear.interpreter.first_seen.get((cell, name))
        if there is None or there == here:
            continue
        if not there and (here & set(early) or steps.get(cell) == on_exit is not None):
            continue
        differing.add((cell, name))
        if name not in diagnostics:
            diagnostics[name] = _differs(cell, name, steps, here=here, there=there, cells=cells)
    return differing, list(diagnostics.values())


def _differs(
    cell: int,
    name: str,
    steps: Mapping[int, str | None],
    *,
    here: frozenset[int],
    there: frozenset[int],
    cells: Sequence[Cell],
) -> Diagnostic:
    step = steps.get(cell)
    others = {steps.get(c) for c in here ^ there} - {None}
    mixed = " and ".join(f'"{s}"' for s in sorted({*others, step} - {None}, key=str))
    who = f'step "{step}"' if step is not None else "setup"
    return make(
        "KFNB-E104",
        f'{who} sees "{name}" {_state_left(cells, there)} in the notebook, but '
        f"{_state_left(cells, here)} when the cells of each step ({mixed}) run together",
        "Put the cells of each step side by side, or give the later ones a step of their own.",
        step=step,
        cell=cell,
    )


def _state_left(cells: Sequence[Cell], indices: frozenset[int]) -> str:
    return f"as {cell_phrase(cells, indices)} left it" if indices else "unbound"


def opaque(walked: WalkResult) -> Iterator[Diagnostic]:
    """Code whose names cannot be known."""
    for step, cell, line in dict.fromkeys(walked.opaque):
        yield make(
            "KFNB-W108",
            f"{_subject(step)} runs code that cannot be read here, so kfnb may miss names that it "
            "reads or changes",
            "Name what it reads and changes in the cell, or tag it changes:NAME.",
            step=step,
            cell=cell,
            line=line,
        )
    for step, cell, line in dict.fromkeys(walked.too_deep):
        yield make(
            "KFNB-W110",
            f"{_subject(step)} has a statement nested too deeply to be followed",
            "Split the expression; its names are taken as read and perhaps bound.",
            step=step,
            cell=cell,
            line=line,
        )


def kale(
    needs: Mapping[str, Need], walked: WalkResult, steps: Sequence[StepDecl]
) -> Iterator[Diagnostic]:
    """Where Kale's rule (values come only from ``prev:`` ancestors) gives another producer."""
    before = {s.name: s.kale_prev for s in steps}
    order = [s.name for s in steps]
    for step in steps:
        if step.kale_prev is None:
            continue
        ancestors = _ancestors(step.name, before)
        for name, ours in sorted(needs[step.name].inputs.items()):
            if ours in ancestors:
                continue
            theirs = [s for s in order if s in ancestors and name in walked.facts[s].touched]
            other = f'take it from "{theirs[-1]}"' if theirs else "find it in none"
            yield make(
                "KFNB-W107",
                f'step "{step.name}" gets "{name}" from "{ours}", as the notebook does; '
                f"Kale's rule, by prev:, would {other}",
                f"Add prev:{ours} to confirm this, or rename the other value.",
                step=step.name,
                cell=step.cells[0] if step.cells else None,
            )


def _ancestors(name: str, before: Mapping[str, tuple[str, ...] | None]) -> set[str]:
    ancestors: set[str] = set()
    waiting = list(before.get(name) or ())
    while waiting:
        each = waiting.pop()
        if each not in ancestors and each in before:
            ancestors.add(each)
            waiting.extend(before[each] or ())
    return ancestors


def early_setup(early: Mapping[int, tuple[str, str]]) -> Iterator[Diagnostic]:
    """Report setup cells that stand after the step that needs them."""
    for cell, (step, name) in sorted(early.items()):
        yield make(
            "KFNB-W109",
            f'step "{step}" needs "{name}" of this setup cell, which comes after it, so the '
            "notebook does not run from top to bottom",
            "Move the setup cell up.",
            step=step,
            cell=cell,
        )


def changes_nothing(walked: WalkResult, steps: Sequence[StepDecl]) -> Iterator[Diagnostic]:
    """Find ``changes:`` of a name that is not there."""
    slots = walked.interpreter.names.slots
    for step in steps:
        for name in step.changes:
            opaque = step.name in walked.facts and walked.facts[step.name].opaque is not None
            if name not in slots and not opaque:
                near = difflib.get_close_matches(name, sorted(slots), 1, 0.75)
                yield make(
                    "KFNB-W111",
                    f'step "{step.name}" says changes:{name}, and nothing binds that name',
                    f'Did you mean "{near[0]}"?' if near else "Correct the name or remove the tag.",
                    step=step.name,
                    cell=step.cells[0] if step.cells else None,
                )


def _subject(step: str | None) -> str:
    return f'a cell of step "{step}"' if step is not None else "a setup cell"


def not_followed(walked: WalkResult) -> Iterator[Diagnostic]:
    """Cells whose calls or loops were not followed, because that takes too much work."""
    steps = {index: name for name, facts in walked.facts.items() for index in facts.cells}
    for cell in sorted(walked.interpreter.exhausted):
        step = steps.get(cell)
        yield make(
            "KFNB-H112",
            f"{_subject(step)} has calls or loops that take too much work to follow, so it is "
            "assumed to depend on every value that they may read",
            "Move functions into a module, or split the notebook, and more steps may run at once.",
            step=step,
            cell=cell,
        )


def waits_for_a_copy(walked: WalkResult, needs: Mapping[str, Need]) -> Iterator[Diagnostic]:
    """Find steps that only wait because both fit or draw from one object: they could have two."""
    for target, need in needs.items():
        ours = walked.facts.get(target)
        for source in dict.fromkeys(need.inputs.values()):
            theirs = walked.facts.get(source)
            names = sorted(name for name, producer in need.inputs.items() if producer == source)
            if ours is None or theirs is None or not names:
                continue
            if not all(n in ours.start and n in theirs.touched for n in names):
                continue
            if any(theirs.touched[n].unit == theirs.unit for n in names):
                continue
            what = " and ".join(names)
            if all(n in ours.fitted and n in theirs.fitted for n in names):
                cell, line = ours.fitted[names[0]]
                both, remedy = "change", f"copy: sklearn.base.clone({names[0]})"
            elif all(n in ours.drawn and n in theirs.drawn for n in names):
                cell, line = ours.drawn[names[0]]
                both, remedy = (
                    "use",
                    "generator, such as numpy.random.default_rng with its own seed",
                )
            else:
                continue
            yield make(
                "KFNB-H113",
                f'step "{target}" waits for step "{source}" only because both {both} {what}',
                f"Give each its own {remedy}.",
                step=target,
                cell=cell,
                line=line,
            )
