"""Names that are read where nothing binds them, as diagnostics."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from kfnb.notebook.authoring.grouping import Declared
from kfnb.notebook.authoring.loaded_names import loading_command
from kfnb.notebook.diagnostics import make
from kfnb.notebook.flow.interpreter.scopes import bound_in
from kfnb.notebook.flow.interpreter.tables.library_tables import KNOWN_NAMES
from kfnb.notebook.flow.step_facts import Unknown, WalkResult
from kfnb.notebook.parsed_cell import ParsedCell
from kfnb.pipeline import Cell, Diagnostic


class UndefinedNames:
    """Names that are read where nothing binds them."""

    def __init__(
        self,
        walked: WalkResult,
        declared: Declared,
        sources: Mapping[int, ParsedCell],
        *,
        broken: bool,
    ) -> None:
        self.walked = walked
        self.broken = broken
        self.order = list(walked.facts)
        self.later = _binding_steps(walked)
        self.skipped = _names_of_skipped(declared, sources)
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
            # One report for each function or step and name; a certain one is better than a possible
            # one.
            if key not in reported or (
                unknown.missing.certain and not reported[key].missing.certain
            ):
                reported[key] = unknown
        for unknown in reported.values():
            diagnostic = self._diagnostic(unknown)
            if diagnostic is not None:
                yield diagnostic

    def _diagnostic(self, unknown: Unknown) -> Diagnostic | None:
        missing, step = unknown.missing, unknown.step
        sure = missing.certain and not self.broken and not self._may_be_there(unknown)
        # A possible use of a name that some cell binds is too often right for a warning.
        if not sure and (missing.name in self.later or missing.slot is not None):
            return None
        if self._star_before(unknown) or self._declared_before(unknown):
            return None
        reader = f'step "{step}"' if step is not None else "setup"
        if missing.origin is not None:
            reader = f"{missing.origin.function}(), which {reader} calls,"
        perhaps = "" if sure else " may"
        reads = "reads" if sure else "read"
        why, remedy = self._reason(unknown)
        return make(
            "KFNB-E102" if sure else "KFNB-W103",
            f'{reader}{perhaps} {reads} "{missing.name}", which {why}',
            remedy,
            step=step,
            cell=missing.origin.cell if missing.origin else unknown.cell,
            line=missing.origin.line if missing.origin else missing.line,
        )

    def _reason(self, unknown: Unknown) -> tuple[str, str]:
        name, step = unknown.missing.name, unknown.step
        if unknown.missing.slot is not None:
            cells = cell_phrase(self.cells, unknown.missing.slot.cells)
            return f"{cells} deletes", f'Assign "{name}" again before this cell.'
        loader = loading_command(name, self.cells[: unknown.cell + 1], self._names_loaded)
        if loader is not None:
            return (
                f"only {loader[1]} defines, in a live kernel",
                (
                    "If this cell only shows results, tag it skip; without a tag it is part of the "
                    "step above it."
                ),
            )
        later = self.later.get(name)
        if later is not None:
            return (
                f'no earlier step defines; the later step "{later}" does',
                f'Assign "{name}" in a setup cell, or in an earlier step.'
                if unknown.missing.origin  # The function that reads it may serve other steps too.
                else "Move this cell below that one, or tag it with that step.",
            )
        if name in self.skipped:
            cell = cell_phrase(self.cells, [self.skipped[name]])
            return (
                f"only {cell} defines, which is tagged skip",
                "Remove that tag, or move the definition to another cell.",
            )
        before = self.walked.facts[step].start if step in self.walked.facts else {}
        names = {*before, *self.later, *KNOWN_NAMES}
        near = difflib.get_close_matches(name, sorted(names - {name}), 1, 0.75)
        remedy = (
            f'Did you mean "{near[0]}"?'
            if near
            else "Define it in an earlier step or in a setup cell."
        )
        return "no earlier step defines" if step is not None else "no earlier cell defines", remedy

    def _names_loaded(self, command: str, step: str) -> Collection[str]:
        """Return the names that a command loads of a whole step."""
        facts = self.walked.facts.get(step)
        if command == "load":
            return facts.touched.keys() if facts is not None else ()
        loaded_facts = [facts] if facts is not None else [] if step else self.walked.facts.values()
        return {name for one in loaded_facts for name in one.reads}

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


def _binding_steps(walked: WalkResult) -> dict[str, str]:
    """Which step binds a name, for the names that only steps bind."""
    binders: dict[str, str] = {}
    for name, facts in walked.facts.items():
        for each in facts.touched:
            binders.setdefault(each, name)
    return binders


def _names_of_skipped(declared: Declared, sources: Mapping[int, ParsedCell]) -> dict[str, int]:
    return {
        name: cell
        for cell in declared.skipped
        if cell in sources
        for name in bound_in(sources[cell].body)
    }


def cell_phrase(cells: Sequence[Cell], indices: Iterable[int]) -> str:
    """Name cells by their locations, as the object of a sentence."""
    listed = [cells[index].location() for index in sorted(indices)]
    if len(listed) == 1:
        return f"the cell {listed[0]}"
    return f"the cells {', '.join(listed[:-1])} and {listed[-1]}"
