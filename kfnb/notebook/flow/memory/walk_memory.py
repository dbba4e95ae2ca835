"""Walks through notebooks that were read before, so that a changed cell is all that is new."""

from __future__ import annotations

import ast
import difflib
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kfnb.notebook.flow.file_dependencies import FilesOfStep
from kfnb.notebook.flow.interpreter import summaries
from kfnb.notebook.flow.interpreter.objects.numbering import Numbering
from kfnb.notebook.flow.memory.cell_log import CellLog
from kfnb.notebook.flow.order import CellVisit
from kfnb.notebook.parsed_cell import ParsedCell

_MOST_NOTEBOOKS = 4
_MOST_NUMBERS = 500_000
_MOST_TREES = 2_000


@dataclass(slots=True)
class RememberedWalk:
    """A walk: what it went through, what was the same for all cells, and what each cell did."""

    visits: Sequence[CellVisit]
    texts: object
    common: object
    logs: list[CellLog]


@dataclass(slots=True)
class NotebookMemory:
    """What is remembered of one notebook: trees, numbers of objects, walks, and files of steps."""

    numbering: Numbering = field(default_factory=Numbering)
    bodies: dict[int, list[ast.stmt]] = field(default_factory=dict)
    walks: dict[object, RememberedWalk] = field(default_factory=dict)
    files: Mapping[object, FilesOfStep] = field(default_factory=dict)
    budget: int = 0
    _known: set[int] = field(default_factory=set)

    def begin(self, sources: Mapping[int, ParsedCell]) -> None:
        """Give statements that were there before the numbers that they had."""
        if (
            len(self.numbering) > _MOST_NUMBERS
            or len(self.numbering.trees) > _MOST_TREES
            or self.budget != summaries.MOST_WORK
            or any(source.deep for source in sources.values())
        ):
            self.numbering, self.bodies, self.walks, self._known = Numbering(), {}, {}, set()
            self.budget = summaries.MOST_WORK
        for cell, source in sources.items():
            body = source.body
            old = self.bodies.get(cell)
            if old is body:
                continue
            self.bodies[cell] = body
            if id(body) not in self._known:
                self._known.add(id(body))
                self.numbering.trees.append(body)
                if old is not None:
                    self._align_statements(old, body)

    def _align_statements(self, old: Sequence[ast.stmt], new: Sequence[ast.stmt]) -> None:
        matcher = difflib.SequenceMatcher(
            None, [*map(ast.dump, old)], [*map(ast.dump, new)], autojunk=False
        )
        for tag, first, last, start, stop in matcher.get_opcodes():
            if tag == "equal" or (tag == "replace" and last - first == stop - start):
                for one, other in zip(old[first:last], new[start:stop], strict=True):
                    self._align(one, other)
            elif tag == "replace":
                names: dict[object, ast.stmt] = {
                    getattr(one, "name", None): one for one in old[first:last]
                }
                for other in new[start:stop]:
                    before = names.pop(getattr(other, "name", None), None)
                    if before is not None and hasattr(other, "name"):
                        self._align(before, other)

    def _align(self, old: ast.AST, new: ast.AST) -> None:
        if type(old) is not type(new):
            return
        self.numbering.replace(old, new)
        for name in old._fields:
            one, other = getattr(old, name, None), getattr(new, name, None)
            if isinstance(one, ast.AST) and isinstance(other, ast.AST):
                self._align(one, other)
            elif isinstance(one, list) and isinstance(other, list) and one and other:
                if isinstance(one[0], ast.stmt):
                    self._align_statements(one, other)
                else:
                    for each, its in zip(one, other, strict=False):
                        if isinstance(each, ast.AST) and isinstance(its, ast.AST):
                            self._align(each, its)


class _Memories:
    """Notebooks read last, each under a number; a thread that reads one has its memory alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._memories: OrderedDict[int, NotebookMemory] = OrderedDict()

    def take(self, notebook: int) -> NotebookMemory:
        with self._lock:
            return self._memories.pop(notebook, None) or NotebookMemory()

    def keep(self, notebook: int, memory: NotebookMemory) -> None:
        with self._lock:
            self._memories[notebook] = memory
            while len(self._memories) > _MOST_NOTEBOOKS:
                self._memories.popitem(last=False)

    def forget(self) -> None:
        with self._lock:
            self._memories.clear()


memories = _Memories()
