"""The findings of data flow as diagnostics."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from kfnb.notebook.authoring.grouping import Declared, StepDecl
from kfnb.notebook.authoring.loaded_names import loading_command
from kfnb.notebook.diagnostics import make
from kfnb.notebook.flow.interpreter.library_tables import KNOWN_NAMES
from kfnb.notebook.flow.interpreter.scopes import bound_in
from kfnb.notebook.flow.liveness import Need
from kfnb.notebook.flow.order import Place
from kfnb.notebook.flow.step_facts import Unknown, Walked
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
                f"{_of(owner.get(cell))} cannot be read: {message}",
                "Correct the cell; the other cells were read without it.",
                step=owner.get(cell),
                cell=cell,
                line=line,
            )


def returns(walked: Walked, owner: Mapping[int, str]) -> Iterator[Diagnostic]:
    """``return`` outside of a function, which Python only refuses when it compiles."""
    for cell, line in dict.fromkeys(walked.returns):
        yield make(
            "KFNB-E101",
            f"{_of(owner.get(cell))} has a return outside of a function",
            "Correct the cell; the other cells were read without it.",
            step=owner.get(cell),
            cell=cell,
            line=line,
        )


class Undefined:
    """Names that are read where nothing binds them."""

    def __init__(
        self, walked: Walked, declared: Declared, sources: Mapping[int, ParsedCell], *, broken: bool
    ) -> None:
        self.walked = walked
        self.broken = broken
        self.order = list(walked.facts)
        self.later = _binders(walked)
        self.skipped = _names_in(declared, sources)
        self.cells = declared.document.cells
        self.changes = {s.name: s.changes for s in declared.steps}

    def diagnostics(self, *, hidden: Iterable[tuple[int, str]]) -> Iterator[Diagnostic]:
        """Give one for each step and name; ``hidden`` (cell, name) are reported otherwise."""
        reported: dict[tuple[object, str], Unknown] = {}
        hidden = set(hidden)
        for unknown in self.walked.unknown:
            name = unknown.missing.name
            if (unknown.cell, name) in hidden or (
                name in KNOWN_NAMES and unknown.missing.slot is None
            ):
                continue
            origin = unknown.missing.origin
            key = (origin.cell if origin else unknown.step, name)
            if key not in reported or (
                unknown.missing.certain and not reported[key].missing.certain
            ):
                reported[key] = unknown
        for unknown in reported.values():
            diagnostic = self._one(unknown)
            if diagnostic is not None:
                yield diagnostic

    def _one(self, unknown: Unknown) -> Diagnostic | None:
        missing, step = unknown.missing, unknown.step
        sure = missing.certain and not self.broken and not self._may_be_there(unknown)
        if not sure and (missing.name in self.later or missing.slot is not None):
            return None
        if self._star_before(unknown) or self._declared_before(unknown):
            return None
        reader = f'step "{step}"' if step is not None else "setup"
        if missing.origin is not None:
            reader = f"{missing.origin.function}(), which {reader} calls,"
        perhaps = "" if sure else " may"
        reads = "reads" if sure else "read"
        why, remedy = self._why(unknown)
        return make(
            "KFNB-E102" if sure else "KFNB-W103",
            f'{reader}{perhaps} {reads} "{missing.name}", which {why}',
            remedy,
            step=step,
            cell=missing.origin.cell if missing.origin else unknown.cell,
            line=missing.origin.line if missing.origin else missing.line,
        )

    def _why(self, unknown: Unknown) -> tuple[str, str]:
        name, step = unknown.missing.name, unknown.step
        if unknown.missing.slot is not None:
            cells = _cells(self.cells, unknown.missing.slot.cells)
            return f"{cells} deletes", f'Assign "{name}" again before this cell.'
        loader = loading_command(name, self.cells[: unknown.cell + 1], self._of_step)
        if loader is not None:
            return (
                f"only {loader[1]} loads, into a live kernel",
                "Tag this cell skip if it only shows results: it belongs to the step above.",
            )
        later = self.later.get(name)
        if later is not None:
            return (
                f'no earlier step defines; step "{later}" does, later',
                "Move this cell after it, or tag it with that step.",
            )
        if name in self.skipped:
            return (
                f"only {_cells(self.cells, [self.skipped[name]])} defines, which is tagged skip",
                "Remove that tag, or move the definition.",
            )
        before = self.walked.facts[step].start if step in self.walked.facts else {}
        names = {*before, *self.later, *KNOWN_NAMES}
        near = difflib.get_close_matches(name, sorted(names - {name}), 1, 0.75)
        remedy = (
            f'Did you mean "{near[0]}"?' if near else "Define it in a step before, or in setup."
        )
        return "no earlier step defines" if step is not None else "no earlier cell defines", remedy

    def _of_step(self, command: str, step: str) -> Collection[str]:
        """Names that a command brings of a whole step."""
        facts = self.walked.facts.get(step)
        if command == "load":
            return facts.touched.keys() if facts is not None else ()
        facts_of_steps = (
            [facts] if facts is not None else [] if step else self.walked.facts.values()
        )
        return {name for one in facts_of_steps for name in one.reads}

    def _may_be_there(self, unknown: Unknown) -> bool:
        where = (unknown.cell, unknown.missing.line)
        return any(
            (cell, line) <= where or (step is not None and step != unknown.step)
            for step, cell, line in self.walked.opaque
            if step is None or self._before(step, unknown.step)
        )

    def _before(self, step: str, other: str | None) -> bool:
        if other is None or step == other:
            return True
        return self.order.index(step) < self.order.index(other)

    def _declared_before(self, unknown: Unknown) -> bool:
        """Return whether ``changes:`` of a step with unreadable code has the name."""
        return any(
            step is not None
            and unknown.missing.name in self.changes.get(step, ())
            and self._before(step, unknown.step)
            for step, _, _ in self.walked.opaque
        )

    def _star_before(self, unknown: Unknown) -> bool:
        return any(cell <= unknown.cell for cell in self.walked.stars)


def _binders(walked: Walked) -> dict[str, str]:
    """Which step binds a name, for the names that only steps bind."""
    binders: dict[str, str] = {}
    for name, facts in walked.facts.items():
        for each in facts.touched:
            binders.setdefault(each, name)
    return binders


def _names_in(declared: Declared, sources: Mapping[int, ParsedCell]) -> dict[str, int]:
    return {
        name: cell
        for cell in declared.skipped
        if cell in sources
        for name in bound_in(sources[cell].body)
    }


def setup_reads(walked: Walked, first_cell: Mapping[str, int]) -> Iterator[Diagnostic]:
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
    joined: Walked,
    linear: Walked,
    *,
    places: Sequence[Place],
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
    steps = {place.cell: place.step for place in places}
    differing: set[tuple[int, str]] = set()
    diagnostics: dict[str, Diagnostic] = {}
    for (cell, name), here in sorted(joined.machine.first_seen.items()):
        there = linear.machine.first_seen.get((cell, name))
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
        f'{who} sees "{name}" {_left(cells, there)} in the notebook, but {_left(cells, here)} when '
        f"the cells of each step ({mixed}) run together",
        "Put the cells of each step side by side, or give the later ones a step of their own.",
        step=step,
        cell=cell,
    )


def _left(cells: Sequence[Cell], indices: frozenset[int]) -> str:
    return f"as {_cells(cells, indices)} left it" if indices else "unbound"


def _cells(cells: Sequence[Cell], indices: Iterable[int]) -> str:
    listed = [cells[index].location() for index in sorted(indices)]
    if len(listed) == 1:
        return f"the cell {listed[0]}"
    return f"the cells {', '.join(listed[:-1])} and {listed[-1]}"


def opaque(walked: Walked) -> Iterator[Diagnostic]:
    """Code whose names cannot be known."""
    for step, cell, line in dict.fromkeys(walked.opaque):
        yield make(
            "KFNB-W108",
            f"{_of(step)} runs code that cannot be read here, so kfnb may miss names that it "
            "reads or changes",
            "Name what it reads and changes in the cell, or tag it changes:NAME.",
            step=step,
            cell=cell,
            line=line,
        )
    for step, cell, line in dict.fromkeys(walked.too_deep):
        yield make(
            "KFNB-W110",
            f"{_of(step)} has a statement nested too deeply to be followed",
            "Split the expression; its names are taken as read and perhaps bound.",
            step=step,
            cell=cell,
            line=line,
        )


def kale(
    needs: Mapping[str, Need], walked: Walked, steps: Sequence[StepDecl]
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
    """Tell setup cells that stand after the step that needs them."""
    for cell, (step, name) in sorted(early.items()):
        yield make(
            "KFNB-W109",
            f'step "{step}" needs "{name}" of this setup cell, which comes after it, so the '
            "notebook does not run from top to bottom",
            "Move the setup cell up.",
            step=step,
            cell=cell,
        )


def changes_nothing(walked: Walked, steps: Sequence[StepDecl]) -> Iterator[Diagnostic]:
    """Find ``changes:`` of a name that is not there."""
    slots = walked.machine.names.slots
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


def _of(step: str | None) -> str:
    return f'a cell of step "{step}"' if step is not None else "a setup cell"


def not_followed(walked: Walked) -> Iterator[Diagnostic]:
    """Cells whose calls were not followed, because the notebook's functions take too much work."""
    steps = {index: name for name, facts in walked.facts.items() for index in facts.cells}
    for cell in sorted(walked.machine.exhausted):
        step = steps.get(cell)
        yield make(
            "KFNB-H112",
            f"{_of(step)} calls functions that take too much work to follow, so it is assumed to "
            "depend on every value that a function of the notebook reads",
            "Move functions into a module, or split the notebook, and more steps may run at once.",
            step=step,
            cell=cell,
        )


def waits_for_a_copy(walked: Walked, needs: Mapping[str, Need]) -> Iterator[Diagnostic]:
    """Find steps that only wait because both fit one object: a copy for each would end that."""
    for target, need in needs.items():
        ours = walked.facts.get(target)
        for source in dict.fromkeys(need.inputs.values()):
            theirs = walked.facts.get(source)
            names = sorted(name for name, producer in need.inputs.items() if producer == source)
            if ours is None or theirs is None or not names:
                continue
            if not all(n in ours.fitted and n in theirs.fitted and n in ours.start for n in names):
                continue
            if any(theirs.touched[n].unit == theirs.unit for n in names):
                continue
            cell, line = ours.fitted[names[0]]
            what = " and ".join(names)
            yield make(
                "KFNB-H113",
                f'step "{target}" waits for step "{source}" only because both change {what}',
                f"Give each its own copy: sklearn.base.clone({names[0]}).",
                step=target,
                cell=cell,
                line=line,
            )
