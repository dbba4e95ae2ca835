"""Assign each cell to a step or a role, and collect what is declared about each step."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kfnb.notebook.authoring import dependencies, kale, metadata
from kfnb.notebook.authoring.declaration_merge import merged_declaration
from kfnb.notebook.authoring.declarations import Declaration
from kfnb.notebook.authoring.implicit_setup import UntaggedCells
from kfnb.notebook.authoring.launch_filter import Launches, setup_lines
from kfnb.notebook.authoring.options import Entry, built, entry_name, entry_value
from kfnb.notebook.authoring.tags import ON_EXIT
from kfnb.notebook.diagnostics import make
from kfnb.notebook.document import Document
from kfnb.notebook.names import unique_ids
from kfnb.notebook.parsed_cell import parse_code
from kfnb.notebook.suggestions import did_you_mean
from kfnb.pipeline import Cell, Diagnostic, Options, Volume

IMPLICIT = "start"
"""Name of the step made of code above the first tagged cell."""

_SETUP = ""
"""In place of a step's name: the untagged cells that follow are setup."""


@dataclass(frozen=True, slots=True)
class StepDecl:
    """A step as declared.

    ``after`` names existing steps, without cycles. ``kale_prev`` holds the steps of Kale's
    ``prev:`` if the notebook is tagged for Kale, otherwise None.
    """

    name: str
    id: str
    cells: tuple[int, ...]
    notes: tuple[int, ...]
    after: tuple[str, ...]
    changes: tuple[str, ...]
    options: Options
    kale_prev: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """A notebook whose cells have roles; numbers are indices of cells, in notebook order.

    ``document`` has the cells as a step executes them: in their ``code``, lines that launch
    pipelines are comments. ``setup_lines`` are lines (from 1) that are setup in any cell,
    ``dropped_lines`` those that became comments.
    """

    document: Document
    name: str
    steps: tuple[StepDecl, ...]
    setup: tuple[int, ...]
    parameters: tuple[int, ...]
    metrics: tuple[int, ...]
    skipped: tuple[int, ...]
    on_exit: str | None
    description: str
    defaults: Options
    volumes: tuple[Volume, ...]
    targets: Mapping[str, Any]
    setup_lines: Mapping[int, tuple[int, ...]]
    dropped_lines: Mapping[int, tuple[int, ...]]
    diagnostics: tuple[Diagnostic, ...]


def declare(document: Document) -> Declared:
    """Give each cell its role, and merge what is declared about each step. Never raises."""
    return _Reader(document).declared()


@dataclass(slots=True)
class _Draft:
    """A step while its cells are collected; options come with the cell that sets them."""

    name: str
    cells: list[int] = field(default_factory=list)
    notes: list[int] = field(default_factory=list)
    after: dict[str, int] = field(default_factory=dict)
    changes: dict[str, None] = field(default_factory=dict)
    options: dict[Entry, tuple[Any, int]] = field(default_factory=dict)
    on_exit: int | None = None


class _Reader:
    def __init__(self, document: Document) -> None:
        self.diagnostics: list[Diagnostic] = list(document.diagnostics)
        self.drafts: dict[str, _Draft] = {}
        self.roles: dict[str, list[int]] = {
            role: [] for role in ("setup", "parameters", "metrics", "skip")
        }
        own = metadata.notebook_declaration(document.metadata)
        theirs = kale.notebook_declaration(document.metadata)
        self.diagnostics += [make(*problem) for problem in (*own.problems, *theirs.problems)]
        self.own, self.theirs = own, theirs
        # kfnb's own metadata counts before Kale's.
        self.name = own.name or theirs.name or document.name
        self.declarations = [
            merged_declaration(cell, of, self.diagnostics)
            for cell, of in zip(document.cells, document.cell_metadata, strict=True)
        ]
        self.kale = kale.is_kale(document.metadata) or any(c.kale for c in self.declarations)
        self.document = self._without_launches(document)

    def declared(self) -> Declared:
        skipped = self._assign()
        self._drop_empty()
        # Steps without code are gone by now, so a dependency on one of them is reported.
        after = dependencies.resolved({d.name: d.after for d in self.drafts.values()})
        resolved, problems = dependencies.check(after, skipped=skipped)
        self.diagnostics += problems
        on_exit = self._exit_step(resolved)
        self._check_language()
        ids = unique_ids(self.drafts)
        cells = self.document.cells
        return Declared(
            document=self.document,
            name=self.name,
            steps=tuple(
                StepDecl(
                    name=name,
                    id=ids[name],
                    cells=tuple(draft.cells),
                    notes=tuple(draft.notes),
                    after=tuple(resolved[name]),
                    changes=tuple(draft.changes),
                    options=built({entry: value for entry, (value, _) in draft.options.items()}),
                    kale_prev=tuple(resolved[name]) if self.kale else None,
                )
                for name, draft in self.drafts.items()
            ),
            setup=tuple(self.roles["setup"]),
            parameters=tuple(self.roles["parameters"]),
            metrics=tuple(self.roles["metrics"]),
            skipped=tuple(self.roles["skip"]),
            on_exit=on_exit,
            description=self.own.description or self.theirs.description or "",
            defaults=built({**self.theirs.defaults, **self.own.defaults}),
            volumes=self.own.volumes or self.theirs.volumes,
            targets={**self.theirs.targets, **self.own.targets},
            setup_lines={
                c.index: lines
                for c in cells
                if c.type == "code" and c.code is not None and (lines := setup_lines(c.code))
            },
            dropped_lines=self.dropped,
            diagnostics=tuple(self.diagnostics),
        )

    def _without_launches(self, document: Document) -> Document:
        """Turn lines that launch pipelines into comments, in all cells that may be executed."""
        self.dropped: dict[int, tuple[int, ...]] = {}
        launches = Launches()
        cells: list[Cell] = []
        for cell, declaration in zip(document.cells, self.declarations, strict=True):
            if cell.type == "code" and declaration.role != "skip" and document.language == "python":
                code = cell.source if cell.code is None else cell.code
                left, lines = launches.left_out(cell.source, code)
                if lines:
                    self.dropped[cell.index] = lines
                    cell = dataclasses.replace(cell, code=left)
                    self._report_dropped(cell, lines)
            cells.append(cell)
        return dataclasses.replace(document, cells=tuple(cells)) if self.dropped else document

    def _report_dropped(self, cell: Cell, lines: Sequence[int]) -> None:
        magics = ("%load_ext", "%reload_ext", "%pipeline", "%%pipeline")
        source = cell.source.split("\n")
        # A notebook for kfnb is expected to have these, so they are not reported.
        reported = [
            n for n in lines if n <= len(source) and not source[n - 1].lstrip().startswith(magics)
        ]
        if reported:
            self.diagnostics.append(
                make(
                    "KFNB-W215",
                    "this cell starts or shows a pipeline; in a step, those lines and lines that "
                    "use their result are not executed",
                    "Nothing to do. If the cell does nothing else, you can tag it skip.",
                    cell=cell.index,
                    line=reported[0],
                )
            )

    def _assign(self) -> set[str]:
        """Assign all cells; return the names of steps that only skipped cells have."""
        tagged = any(declaration.role or declaration.on_exit for declaration in self.declarations)
        # Definitions can be recognised in Python code only.
        sorted_out = tagged and self.document.language == "python"
        # Without any tag the notebook is a single step that has its name.
        implicit = self._implicit() if tagged else self.name
        current: str | None = None
        untagged = UntaggedCells()
        skipped: set[str] = set()
        pending: list[int] = []
        for cell, declaration in zip(self.document.cells, self.declarations, strict=True):
            role = declaration.role
            if cell.type != "code":
                # A heading can be tagged for the cells below it.
                if role == "step" and declaration.step:
                    current = declaration.step
                    self._add(self._draft(current), declaration, cell.index)
                elif role == "setup":
                    current = _SETUP
                pending.append(cell.index)
                continue
            if role is None and not declaration.on_exit and self._only_launches(cell):
                role = "skip"  # nothing of it is executed in a step
            if role == "skip":
                skipped |= {declaration.step} if declaration.step else set()
            elif role == "step" and declaration.step:
                current = declaration.step
            elif role == "setup":
                current = _SETUP
            elif role is None and declaration.on_exit:
                # A cell that has only this tag is a step with the tag's name.
                current = ON_EXIT
            elif role is None and current in (None, implicit):
                # An empty cell must not begin a step.
                if not cell.source.strip():
                    continue
                if sorted_out and untagged.only_defines(cell):
                    role = "setup"
                else:
                    current = implicit
                    untagged.executes(cell)
            elif role is None and current == _SETUP:
                role = "setup"
            step = current if role in (None, "step") else None
            # Text stands above the code that it explains.
            if current and pending:
                self._draft(current).notes += pending
            pending = []
            if step:
                draft = self._draft(step)
                draft.cells.append(cell.index)
                self._add(draft, declaration, cell.index)
                continue
            assert role is not None
            self.roles[role].append(cell.index)
            self._without_effect(declaration, role, cell.index)
        # Below the text at the end there is no code, so it goes to the last step.
        if current:
            self._draft(current).notes += pending
        return skipped - set(self.drafts)

    def _only_launches(self, cell: Cell) -> bool:
        if cell.index not in self.dropped or cell.code is None:
            return False
        parsed = parse_code(cell.code)
        return parsed.error is None and not parsed.body

    def _implicit(self) -> str:
        taken = {declaration.step for declaration in self.declarations}
        name = IMPLICIT
        # A person may have given this name to a step.
        while name in taken:
            name += "_"
        return name

    def _draft(self, name: str) -> _Draft:
        return self.drafts.setdefault(name, _Draft(name))

    def _add(self, draft: _Draft, declaration: Declaration, cell: int) -> None:
        for after in declaration.after:
            # Messages point to the first cell that says so.
            draft.after.setdefault(after, cell)
        draft.changes.update(dict.fromkeys(declaration.changes))
        if declaration.on_exit and draft.on_exit is None:
            draft.on_exit = cell
        for entry, value in declaration.options.items():
            before, other = draft.options.setdefault(entry, (value, cell))
            if before != value:
                self.diagnostics.append(
                    make(
                        "KFNB-E201",
                        f'two cells of step "{draft.name}" have different values for '
                        f"{entry_name(entry)}: {entry_value(before)} and {entry_value(value)}",
                        "Keep one of them; the other is in the cell "
                        f"{self.document.cells[other].location()}.",
                        step=draft.name,
                        cell=cell,
                    )
                )

    def _without_effect(self, declaration: Declaration, role: str, cell: int) -> None:
        what = [f"after {name}" for name in declaration.after]
        what += [f"changes {name}" for name in declaration.changes]
        what += [entry_name(entry) for entry in declaration.options]
        what += [ON_EXIT] if declaration.on_exit else []
        if what and role != "skip":
            self.diagnostics.append(
                make(
                    "KFNB-W214",
                    f"{', '.join(what)}: this tag has no effect on a {role} cell",
                    "Move it to a cell of the step that it is meant for.",
                    cell=cell,
                )
            )

    def _drop_empty(self) -> None:
        """Leave out steps without code, and report if none is left."""
        for name in [n for n, draft in self.drafts.items() if not draft.cells]:
            draft = self.drafts.pop(name)
            self.diagnostics.append(
                make(
                    "KFNB-W216",
                    f'step "{name}" has no code',
                    "Tag a code cell of the step, or remove the tag.",
                    step=name,
                    cell=next(iter(draft.notes), None),
                )
            )
        if not self.drafts:
            self.diagnostics.append(
                make(
                    "KFNB-W216",
                    "no code cell of the notebook is part of a step, so there is nothing to "
                    "execute",
                    "Tag a code cell step:NAME.",
                )
            )

    def _exit_step(self, after: dict[str, list[str]]) -> str | None:
        """Find the step that runs last, whatever happened before."""
        tagged = [draft for draft in self.drafts.values() if draft.on_exit is not None]
        wanted = self.own.on_exit

        def unclear(message: str, remedy: str, cell: int | None = None) -> None:
            self.diagnostics.append(make("KFNB-E209", message, remedy, step=name, cell=cell))

        name = tagged[0].name if tagged else wanted
        for other in tagged[1:]:
            unclear(
                f'steps "{name}" and "{other.name}" are both tagged {ON_EXIT}',
                "Keep one of the tags.",
                other.on_exit,
            )
        if tagged and wanted and wanted != name:
            unclear(
                f'step "{name}" is tagged {ON_EXIT}, but the notebook\'s metadata names "{wanted}"',
                "Keep one of them.",
                tagged[0].on_exit,
            )
        if name is None or name in self.drafts:
            for step, before in after.items():
                if name in before:
                    unclear(
                        f'step "{step}" comes after "{name}", but "{name}" is tagged {ON_EXIT}',
                        "Remove one of the two tags.",
                        next(iter(self.drafts[step].cells)),
                    )
            return name
        unclear(
            f'metadata.kfnb of the notebook: on_exit names "{name}", but no step has that name',
            did_you_mean(name, self.drafts, "Correct the name."),
        )
        return None

    def _check_language(self) -> None:
        language = self.document.language
        if language != "python" and len(self.drafts) > 1:
            self.diagnostics.append(
                make(
                    "KFNB-E002",
                    f"the notebook has {len(self.drafts)} steps, but its kernel's language is "
                    f"{language}",
                    "kfnb can pass values between steps in Python only: use a single step.",
                )
            )
