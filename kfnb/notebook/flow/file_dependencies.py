"""Files as data flow: which step reads what an earlier one wrote."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from kfnb.notebook.effects.constant_propagation import Budget
from kfnb.notebook.effects.constants import NotConstantError, evaluate, may_be_constant
from kfnb.notebook.effects.files import FileReader, may_use_files
from kfnb.notebook.effects.statement_effects import names_read
from kfnb.notebook.flow.step_facts import Facts, WalkResult
from kfnb.notebook.parsed_cell import ParsedCell
from kfnb.notebook.syntax_trees import all_nodes
from kfnb.pipeline import FileUse, Parameter, Piece

_PATHLIKE = (str, int, float, bool, PurePosixPath, type(None))


@dataclass(frozen=True, slots=True)
class FilesOfStep:
    """The files of a step, and what was left of the budget ``before`` and ``after`` it.

    ``charged``: what it replays had been gone through for an earlier step.
    """

    uses: tuple[FileUse, ...]
    before: int
    after: int
    charged: bool
    incomplete: Mapping[int, str | None]


class Files:
    """Finds the files of steps; what steps have in common is gone through once.

    ``incomplete`` gives the cells in which files may be missing, because finding all of them takes
    too much work, and their steps.
    """

    def __init__(
        self,
        sources: Mapping[int, ParsedCell],
        constants: StepConstants,
        remembered: Mapping[object, FilesOfStep] | None = None,
    ) -> None:
        self._sources = sources
        self._constants = constants
        self._remembered = remembered or {}
        self._begun: dict[object, FileReader] = {}
        self._charged: set[object] = set()
        self._budget = Budget()
        self.incomplete: dict[int, str | None] = {}
        self.by_step: dict[object, FilesOfStep] = {}

    def of(
        self, facts: Facts, prelude: Sequence[Piece], body: Sequence[Piece]
    ) -> tuple[FileUse, ...]:
        """Give what a step's own cells read, write and list, in source order."""
        sources = [self._sources[piece.cell] for piece in (*prelude, *body)]
        if not may_use_files(sources):
            return ()
        mentioned = frozenset[str]().union(*map(names_read, sources))
        constants = self._constants.of(facts, mentioned)
        # The parameters' values are among the constants: read here they would be no parameters.
        pieces = [p for p in prelude if p.role != "parameters"]
        begin = (
            tuple((p.cell, self._sources[p.cell].code, p.whole or p.statements) for p in pieces),
            repr(sorted(constants.items(), key=lambda item: item[0])),
        )
        key = begin, tuple((p.cell, self._sources[p.cell].code) for p in body)
        known = self._remembered.get(key)
        charged = begin in self._begun or begin in self._charged
        if known is None or (known.before, known.charged) != (self._budget.left, charged):
            known = self._look(facts.name, begin, pieces, body, constants)
        self._charged.add(begin)
        self._budget.left = known.after
        for cell, step in known.incomplete.items():
            if step is not None:
                self.incomplete[cell] = step
            else:
                self.incomplete.setdefault(cell, None)
        self.by_step[key] = known
        return known.uses

    def _look(
        self,
        step: str,
        begin: object,
        prelude: Sequence[Piece],
        body: Sequence[Piece],
        constants: Mapping[str, object],
    ) -> FilesOfStep:
        charged = begin in self._begun or begin in self._charged
        before, incomplete = self._budget.left, dict[int, str | None]()
        reader = self._begun.get(begin)
        if reader is None:
            reader = self._begun[begin] = FileReader(constants, self._budget)
            for piece in prelude:
                self._budget.exceeded = False
                try:
                    reader.read(piece.cell, self._statements(piece))
                except RecursionError:
                    continue
                if self._budget.exceeded:
                    incomplete[piece.cell] = None
            if charged:
                # A step that is remembered has paid for this.
                self._budget.left = before
        reader = reader.fork()
        uses: list[FileUse] = []
        for piece in body:
            self._budget.exceeded = False
            try:
                uses += reader.read(piece.cell, self._sources[piece.cell].body)
            except RecursionError:
                continue
            if self._budget.exceeded:
                incomplete[piece.cell] = step
        return FilesOfStep(
            tuple(dict.fromkeys(uses)), before, self._budget.left, charged, incomplete
        )

    def _statements(self, piece: Piece) -> list[ast.stmt]:
        source = self._sources[piece.cell]
        if piece.whole:
            return source.body
        selected = set(piece.statements)
        return [node for i, node in enumerate(source.body) if source.statement(i) in selected]


class StepConstants:
    """Gives the constants that a step begins with: parameters, and what steps before assigned."""

    def __init__(self, walked: WalkResult, parameters: Sequence[Parameter]) -> None:
        self._parameters = {p.name: p.default for p in parameters if _simple(p.default)}
        self._assigned = walked.constants
        self._inside: dict[str, list[str]] = {}
        self._position = {name: number for number, name in enumerate(walked.constants)}

    def _names_in(self, name: str) -> list[str]:
        names = self._inside.get(name)
        if names is None:
            names = self._inside[name] = [
                node.id
                for node in all_nodes([self._assigned[name][0]])
                if isinstance(node, ast.Name) and node.id in self._assigned
            ]
        return names

    def of(self, facts: Facts, mentioned: Iterable[str]) -> dict[str, object]:
        """Give those that a step mentions, or that these are made of."""
        wanted: set[str] = set()
        waiting = [name for name in mentioned if name in self._assigned]
        while waiting:
            name = waiting.pop()
            if name not in wanted:
                wanted.add(name)
                waiting += self._names_in(name)
        known: dict[str, object] = dict(self._parameters)
        for name in sorted(wanted, key=self._position.__getitem__):
            expression, cell = self._assigned[name]
            slot = facts.start.get(name)
            if slot is None or slot.cells != {cell}:
                continue
            if not may_be_constant(expression):
                known.pop(name, None)
                continue
            value = _evaluated(expression, known)
            if value is None:
                known.pop(name, None)
            else:
                known[name] = value
        return known


def _evaluated(node: ast.expr, known: Mapping[str, object]) -> Any:
    modules = {"Path": "pathlib.Path", "pathlib": "pathlib", "os": "os"}
    try:
        value = evaluate(node, known, modules)
    except (NotConstantError, RecursionError):
        return None
    if isinstance(value, PurePosixPath):
        return str(value)
    return value if _simple(value) else None


def _simple(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return len(value) <= 64 and all(isinstance(v, _PATHLIKE) for v in value)
    return isinstance(value, _PATHLIKE) and value is not None


def file_edges(
    order: Sequence[str],
    reads: Mapping[str, Sequence[FileUse]],
    writes: Mapping[str, Sequence[FileUse]],
    modules: Mapping[str, Sequence[str]],
) -> dict[tuple[str, str], list[str]]:
    """Give for each pair of steps the files because of which the second must wait for the first.

    It reads what the first wrote (a module that it imports, too), or it writes what
    the first read or wrote: a path holds one thing at a time.
    """
    written = _Written()
    readers: dict[str, list[str]] = {}
    patterns: set[str] = set()
    edges: dict[tuple[str, str], dict[str, None]] = {}

    def wait(source: str, step: str, path: str) -> None:
        if source != step:
            edges.setdefault((source, step), {})[path] = None

    for step in order:
        first: dict[str, FileUse] = {}
        for use in writes.get(step, ()):
            if use.path is not None:
                first.setdefault(use.path, use)
        for use in reads.get(step, ()):
            if use.path is None:
                continue
            readers.setdefault(use.path, []).append(step)
            if _is_pattern(use.path):
                patterns.add(use.path)
            for path in written.seen_by(use.path):
                own = first.get(path)
                if own is None or (own.cell, own.line) >= (use.cell, use.line):
                    wait(written.last[path], step, path)
        for module in modules.get(step, ()):
            for path in _module_files(module):
                if path in written.last:
                    wait(written.last[path], step, path)
                    readers.setdefault(path, []).append(step)
        for path in first:
            around = _folders(path)
            matching = {p for p in patterns if fnmatchcase(path, p)}
            for read in {path, "", ".", *around, *matching} & readers.keys():
                for reader in readers[read]:
                    wait(reader, step, path)
            # A file waits for the folder that somebody makes (or removes) for it.
            for earlier in {path, *around} & written.last.keys():
                wait(written.last[earlier], step, earlier)
            written.add(path, step)
            readers.pop(path, None)
    return {pair: list(paths) for pair, paths in edges.items()}


class _Written:
    """The paths that steps have written, each with the step that wrote it last."""

    def __init__(self) -> None:
        self.last: dict[str, str] = {}
        self._below: dict[str, set[str]] = {}

    def add(self, path: str, step: str) -> None:
        if path not in self.last:
            for folder in _folders(path):
                self._below.setdefault(folder, set()).add(path)
        self.last[path] = step

    def seen_by(self, read: str) -> Collection[str]:
        """List the written paths that reading a path, a pattern or a folder sees."""
        if read in (".", ""):
            return list(self.last)
        seen = set(self._below.get(read, ()))
        if read in self.last:
            seen.add(read)
        if _is_pattern(read):
            seen |= {path for path in self.last if fnmatchcase(path, read)}
        return seen


def _folders(path: str) -> list[str]:
    """List the folders that a normalised path is in."""
    folders = []
    at = path.find("/")
    while at != -1:
        folders.append(path[:at] or "/")
        at = path.find("/", at + 1)
    return [folder for folder in folders if folder != path]


def _is_pattern(path: str) -> bool:
    return any(c in path for c in "*?[")


def _module_files(module: str) -> tuple[str, ...]:
    stem = module.replace(".", "/")
    return f"{stem}.py", f"{stem}/__init__.py"
