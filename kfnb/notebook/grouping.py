"""Which cell belongs to which step, and what is said about each step."""

from __future__ import annotations

import ast
import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kfnb.notebook import magic, metadata, tags
from kfnb.notebook.claims import Claim, built, merge
from kfnb.notebook.diagnostics import make
from kfnb.notebook.document import Document
from kfnb.notebook.launching import dropped_lines, setup_lines, without
from kfnb.notebook.names import unique_ids
from kfnb.pipeline import Cell, Diagnostic, Options, Volume


@dataclass(frozen=True, slots=True)
class StepDecl:
    """A step as declared: its cells, and what was said of it."""

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
    """A notebook whose cells have their roles; numbers are cell indices in notebook order."""

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


@dataclass
class _Draft:
    cells: list[int] = field(default_factory=list)
    notes: list[int] = field(default_factory=list)
    after: dict[str, int] = field(default_factory=dict)
    changes: dict[str, None] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    said_by: dict[str, int] = field(default_factory=dict)
    kale: bool = False


def declare(document: Document) -> Declared:
    """Give each cell its role and join what is said about each step."""
    return _Reader(document).declared()


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.found: list[Diagnostic] = list(document.diagnostics)
        self.drafts: dict[str, _Draft] = {}
        self.roles: dict[str, list[int]] = {
            r: [] for r in ("setup", "parameters", "metrics", "skip")
        }
        self.on_exit: str | None = None
        self.book = metadata.notebook_claim(document.metadata)
        self.found += self.book.diagnostics

    def declared(self) -> Declared:
        document = self.document
        claims = [self._claim(cell) for cell in document.cells]
        self._assign(claims)
        self._check_after()
        ids = unique_ids(self.drafts)
        steps = tuple(
            StepDecl(
                name=name,
                id=ids[name],
                cells=tuple(draft.cells),
                notes=tuple(draft.notes),
                after=tuple(a for a in draft.after if a in self.drafts and a != name),
                changes=tuple(draft.changes),
                options=built(draft.options),
                kale_prev=tuple(draft.after) if draft.kale else None,
            )
            for name, draft in self.drafts.items()
        )
        code = [c for c in document.cells if c.type == "code"]
        if document.language != "python" and len(steps) > 1:
            self.found.append(
                make(
                    "KFNB-E002",
                    f"the kernel is {document.language}, and the notebook has several steps",
                    "kfnb sees what flows between steps in Python only; use one step.",
                )
            )
        dropped = {
            c.index: lines for c in code if (lines := dropped_lines(c.source, c.code or c.source))
        }
        cells = tuple(
            dataclasses.replace(c, code=without(c.code or c.source, dropped[c.index]))
            if c.index in dropped
            else c
            for c in document.cells
        )
        return Declared(
            document=dataclasses.replace(document, cells=cells),
            name=self.book.name or document.name,
            steps=steps,
            setup=tuple(self.roles["setup"]),
            parameters=tuple(self.roles["parameters"]),
            metrics=tuple(self.roles["metrics"]),
            skipped=tuple(self.roles["skip"]),
            on_exit=self._exit_step(),
            description=self.book.description,
            defaults=self.book.defaults,
            volumes=self.book.volumes,
            targets=self.book.targets,
            setup_lines={c.index: lines for c in code if (lines := setup_lines(c.source))},
            dropped_lines=dropped,
            diagnostics=tuple(self.found),
        )

    def _claim(self, cell: Cell) -> Claim:
        """Join the three doors: magic over metadata over tag."""
        doors = [("the tag", tags.claim_of(cell.tags))]
        own = metadata.claim_of(self.document.cell_metadata[cell.index])
        if own is not None:
            doors.append(("metadata.kfnb", own))
        if cell.type == "code":
            line = magic.claim_of(cell.source)
            if line is not None:
                doors.append(("the %%step line", line))
        joined = Claim()
        for door, claim in doors:
            for code, message, remedy in claim.problems:
                self.found.append(make(code, message, remedy, cell=cell.index))
            joined = self._join(joined, claim, door, cell.index)
        return joined

    def _join(self, low: Claim, high: Claim, door: str, cell: int) -> Claim:
        def disagree(what: str, before: object, now: object) -> None:
            self.found.append(
                make(
                    "KFNB-W211",
                    f"{door} says {what} {now!r}, another place says {before!r}",
                    f"{door[0].upper()}{door[1:]} wins. Remove one of the two.",
                    cell=cell,
                )
            )

        if low.role and high.role and low.role != high.role:
            disagree("role", low.role, high.role)
        elif low.step and high.step and low.step != high.step:
            disagree("step", low.step, high.step)
        options, clashes = merge(low.options, high.options)
        for clash in clashes:
            disagree(clash, low.options.get(clash), high.options.get(clash))
        for what in ("after", "changes"):
            one, two = getattr(low, what), getattr(high, what)
            if one and two and set(one) != set(two):
                disagree(what, ",".join(one), ",".join(two))
        role = high.role or low.role
        return Claim(
            role=role,
            step=(high.step or low.step) if role == "step" else None,
            after=high.after or low.after,
            changes=high.changes or low.changes,
            on_exit=low.on_exit or high.on_exit,
            options=options,
            kale=low.kale or high.kale,
        )

    def _assign(self, claims: Sequence[Claim]) -> None:
        """Walk the cells; ``current`` is what an untagged cell belongs to."""
        cells = self.document.cells
        tagged = any(claim.role for claim in claims)
        current: str | None = None  # a step's name, or "" for setup
        waiting: list[int] = []
        for cell, claim in zip(cells, claims, strict=True):
            if cell.type != "code":
                if claim.role == "step" and claim.step:
                    current = claim.step
                    self._say(self._draft(claim.step), claim, cell.index)
                (self._draft(current).notes if current else waiting).append(cell.index)
                continue
            role = claim.role
            if role in ("parameters", "metrics", "skip"):
                self.roles[role].append(cell.index)
                continue
            if role == "setup":
                self.roles["setup"].append(cell.index)
                current = ""
                continue
            if role == "step" and claim.step:
                current = claim.step
            elif role is None and current is None:
                if tagged and only_defines(cell):
                    self.roles["setup"].append(cell.index)
                    continue
                if not cell.source.strip():
                    continue
                current = self._implicit(claims) if tagged else self.document.name
            if current == "":
                self.roles["setup"].append(cell.index)
                continue
            assert current is not None
            draft = self._draft(current)
            draft.notes += waiting
            waiting = []
            draft.cells.append(cell.index)
            self._say(draft, claim, cell.index)
        if waiting and self.drafts:
            next(iter(self.drafts.values())).notes += waiting

    def _implicit(self, claims: Sequence[Claim]) -> str:
        taken = {claim.step for claim in claims}
        name = "start"
        while name in taken:
            name += "_"
        return name

    def _draft(self, name: str) -> _Draft:
        return self.drafts.setdefault(name, _Draft())

    def _say(self, draft: _Draft, claim: Claim, cell: int) -> None:
        name = next(n for n, d in self.drafts.items() if d is draft)
        for after in claim.after:
            draft.after.setdefault(after, cell)
        draft.changes.update(dict.fromkeys(claim.changes))
        draft.kale = draft.kale or claim.kale
        options, clashes = merge(draft.options, claim.options)
        for clash in clashes:
            self.found.append(
                make(
                    "KFNB-E201",
                    f"cell {draft.said_by.get(clash.split()[0], cell)} and cell {cell} claim different "
                    f'values of "{clash}" for step "{name}"',
                    "Keep one of the two.",
                    step=name,
                    cell=cell,
                )
            )
        for key in claim.options:
            draft.said_by.setdefault(key, cell)
        draft.options = options
        if claim.on_exit:
            self.on_exit = self.on_exit or name

    def _exit_step(self) -> str | None:
        name = self.on_exit or self.book.on_exit
        return name if name in self.drafts else None

    def _check_after(self) -> None:
        for name, draft in self.drafts.items():
            for after, cell in draft.after.items():
                if after not in self.drafts:
                    near = difflib.get_close_matches(after, self.drafts, 1)
                    self.found.append(
                        make(
                            "KFNB-E203",
                            f'step "{name}" comes after "{after}", which is no step',
                            f'Did you mean "{near[0]}"?'
                            if near
                            else "Correct the name or remove it.",
                            step=name,
                            cell=cell,
                        )
                    )
        cycle = _cycle(
            {n: [a for a in d.after if a in self.drafts] for n, d in self.drafts.items()}
        )
        if cycle:
            way = " → ".join(f'"{n}"' for n in cycle)
            self.found.append(
                make(
                    "KFNB-E204",
                    f"the steps come after one another in a circle: {way}",
                    "Remove one of these after: tags.",
                    step=cycle[0],
                    cell=self.drafts[cycle[0]].after[cycle[1]],
                )
            )


def only_defines(cell: Cell) -> bool:
    """Tell whether a cell only imports or defines (or holds lines that are setup anywhere)."""
    lines = setup_lines(cell.source)
    code = without(cell.source if lines else cell.code or cell.source, lines)
    if lines:
        from kfnb.notebook.transform import transform

        code = transform(code)
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError):
        return False
    return all(_defines(s) for s in body)


def _defines(s: ast.stmt) -> bool:
    if isinstance(
        s,
        (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Pass),
    ):
        return True
    if isinstance(s, ast.Expr):
        return isinstance(s.value, ast.Constant)
    if isinstance(s, ast.Try):
        return all(_defines(c) for c in (*s.body, *s.orelse, *s.finalbody)) and all(
            _defines(c) for h in s.handlers for c in h.body
        )
    return False


def _cycle(graph: Mapping[str, Iterable[str]]) -> list[str] | None:
    done: set[str] = set()
    for start in graph:
        way: list[str] = []
        if found := _walk(start, graph, way, done):
            return found
    return None


def _walk(
    node: str, graph: Mapping[str, Iterable[str]], way: list[str], done: set[str]
) -> list[str] | None:
    if node in way:
        return [*way[way.index(node) :], node]
    if node in done:
        return None
    way.append(node)
    for after in graph[node]:
        if found := _walk(after, graph, way, done):
            return found
    way.pop()
    done.add(node)
    return None
