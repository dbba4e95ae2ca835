"""What is wrong with the data flow of a notebook, as diagnostics."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence

from kfnb.notebook.authoring.grouping import StepDecl
from kfnb.notebook.diagnostics import make
from kfnb.notebook.effects.process_reads import process_reads
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
                "Correct it. The other cells were read as if this one were empty.",
                step=owner.get(cell),
                cell=cell,
                line=line,
            )


def returns(walked: WalkResult, owner: Mapping[int, str]) -> Iterator[Diagnostic]:
    """``return`` outside of a function, which Python only refuses when it compiles."""
    for cell, line in dict.fromkeys(walked.returns):
        yield make(
            "KFNB-E101",
            f"{_subject(owner.get(cell))} has a return outside a function",
            "Correct it. The other cells were read as if this one were empty.",
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
            f'a setup cell uses "{name}" of step "{step}", but setup runs before every step',
            f'Tag the cell that assigns "{name}" as setup, or move the code that uses it to a '
            "step.",
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
    for (cell, name), here in sorted(joined.first_seen.items()):
        there = linear.first_seen.get((cell, name))
        if there is None or there == here:
            continue
        # Setup below a step and the exit step run at another time on purpose; W109 reports the
        # former.
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
    # The steps whose binding the cell sees in only one of the two orders.
    others = {steps.get(c) for c in here ^ there} - {None}
    mixed = " and ".join(f'"{s}"' for s in sorted({*others, step} - {None}, key=str))
    who = f'step "{step}"' if step is not None else "setup"
    return make(
        "KFNB-E104",
        f'{who} uses "{name}" {_state_left(cells, there)} in the notebook, but '
        f"{_state_left(cells, here)} in the pipeline, where the cells of each step ({mixed}) run "
        "together",
        "Move the cells of each step next to each other, or make the later ones a separate step.",
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
            f"{_subject(step)} runs code that kfnb cannot analyse (such as exec or %run), so it "
            "may miss names that it uses or changes",
            "Mention these names in the cell, and tag it changes:NAME for each name that it "
            "changes.",
            step=step,
            cell=cell,
            line=line,
        )
    for step, cell, line in dict.fromkeys(walked.too_deep):
        yield make(
            "KFNB-W110",
            f"{_subject(step)} has a statement that is nested too deeply for kfnb to analyse",
            "Split it into several statements. Until then kfnb assumes that it uses, and may "
            "assign, every name in it.",
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
            # Kale would find this value as well.
            if ours in ancestors:
                continue
            theirs = [s for s in order if s in ancestors and name in walked.facts[s].touched]
            other = f'take it from "{theirs[-1]}"' if theirs else "not find it"
            yield make(
                "KFNB-W107",
                f'step "{step.name}" gets "{name}" from "{ours}", as in the notebook; by Kale\'s '
                f"prev: tags it would {other}",
                f"Add the tag prev:{ours} to confirm this, or rename one of the values.",
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
            f'step "{step}" uses "{name}" of this setup cell, which stands below it, so the '
            "notebook itself fails when run from top to bottom",
            "Move the setup cell up.",
            step=step,
            cell=cell,
        )


def changes_nothing(walked: WalkResult, steps: Sequence[StepDecl]) -> Iterator[Diagnostic]:
    """Find ``changes:`` of a name that is not there."""
    slots = walked.interpreter.names.slots
    for step in steps:
        for name in step.changes:
            # Code that cannot be read, such as exec, may bind any name.
            opaque = step.name in walked.facts and walked.facts[step.name].opaque is not None
            if name not in slots and not opaque:
                near = difflib.get_close_matches(name, sorted(slots), 1, 0.75)
                yield make(
                    "KFNB-W111",
                    f'step "{step.name}" is tagged changes:{name}, but no cell assigns that name',
                    f'Did you mean "{near[0]}"?' if near else "Correct the name or remove the tag.",
                    step=step.name,
                    cell=step.cells[0] if step.cells else None,
                )


def _subject(step: str | None) -> str:
    return f'a cell of step "{step}"' if step is not None else "a setup cell"


def not_followed(walked: WalkResult) -> Iterator[Diagnostic]:
    """Cells whose calls or loops were not followed, because that takes too much work."""
    steps = {index: name for name, facts in walked.facts.items() for index in facts.cells}
    for cell in sorted(walked.exhausted):
        step = steps.get(cell)
        yield make(
            "KFNB-H112",
            f"{_subject(step)} has calls or loops that are too complex for kfnb to analyse, so "
            "kfnb assumes that it depends on every value that they may use",
            "Nothing to do. If you move functions into a module, more steps may run in parallel.",
            step=step,
            cell=cell,
        )


def files_not_followed(incomplete: Mapping[int, str | None]) -> Iterator[Diagnostic]:
    """Cells whose loops and calls were not gone through to find all files that they name."""
    for cell, step in sorted(incomplete.items()):
        yield make(
            "KFNB-H114",
            f"{_subject(step)} has loops or calls that are too long for kfnb to find all files "
            "that they may read or write",
            "Tag the step after:STEP for each step whose files it reads there.",
            step=step,
            cell=cell,
        )


def whole_environment(
    steps: Sequence[StepDecl], sources: Mapping[int, ParsedCell]
) -> Iterator[Diagnostic]:
    """Find the steps whose results may depend on any variable of the environment."""
    for step in steps:
        lines = {cell: process_reads(sources[cell].code).everything for cell in step.cells}
        for cell, line in [(cell, line) for cell, line in lines.items() if line][:1]:
            yield make(
                "KFNB-H115",
                f'step "{step.name}" reads the whole environment, or variables whose names are '
                "computed, so kfnb cannot tell when a variable changes its result",
                'Read variables by name (os.environ["NAME"]), or tag the step cache:off.',
                step=step.name,
                cell=cell,
                line=line,
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
            # The other step bound the name to a new object, so the two steps do not share one.
            if any(theirs.touched[n].unit == theirs.unit for n in names):
                continue
            what = " and ".join(names)
            if all(n in ours.fitted and n in theirs.fitted for n in names):
                cell, line = ours.fitted[names[0]]
                both = "change"
                remedy = (
                    "If both need not be the same object, give each step its own copy: "
                    f"copy.deepcopy({names[0]})."
                )
            elif all(n in ours.drawn and n in theirs.drawn for n in names):
                cell, line = ours.drawn[names[0]]
                both = "use"
                remedy = "Give each step its own generator with its own seed."
            else:
                continue
            yield make(
                "KFNB-H113",
                f'step "{target}" waits for step "{source}" only because both {both} {what}',
                remedy,
                step=target,
                cell=cell,
                line=line,
            )
