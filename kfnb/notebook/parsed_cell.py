"""Cells as parsed statements: every distinct text is parsed once, whoever needs it.

Trees and what is derived from them are remembered by text, so that reading a notebook again after
one cell changed parses that cell only. Nobody may modify a tree.
"""

from __future__ import annotations

import ast
import gc
import threading
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, TypeVar

from kfnb.deep_stack import with_deep_stack
from kfnb.notebook.syntax_trees import all_nodes, child_nodes, described
from kfnb.pipeline import Cell, Statement

T = TypeVar("T")
# Fewer characters cannot be nested too deeply for Python's compiler.
_LONG = 5_000
# Python's compiler copes with this many levels of nodes, in all versions.
_DEEP = 80
# About 50 MB of trees.
_REMEMBERED_CHARACTERS = 500_000


@dataclass(eq=False, slots=True)
class ParsedCell:
    """The parsed code of one cell.

    ``error`` says why it cannot be executed, and on which line; ``deep`` tells that the tree is
    nested too deeply for ordinary recursion. Cells with the same text share ``derived``: what other
    modules have worked out from the text alone, by a key of theirs.
    """

    cell: int
    code: str
    body: list[ast.stmt]
    tags: tuple[str, ...] = ()
    error: tuple[str, int | None] | None = None
    deep: bool = False
    derived: dict[Any, Any] = field(default_factory=dict)
    _lines: list[str] = field(default_factory=list)
    _statements: dict[int, Statement] = field(default_factory=dict)

    @property
    def shallow_body(self) -> list[ast.stmt]:
        """The statements, or none where ordinary recursion would not get through them."""
        return [] if self.deep else self.body

    @property
    def nodes(self) -> list[ast.AST]:
        """All nodes of the shallow body, breadth first, without operators and contexts."""
        nodes: list[ast.AST] | None = self.derived.get("nodes")
        if nodes is None:
            nodes = self.derived["nodes"] = all_nodes(self.shallow_body)
        return nodes

    def nodes_of(self, *kinds: type[ast.AST]) -> list[Any]:
        """List the nodes of certain classes, breadth first."""
        by_kind: dict[type[ast.AST], list[ast.AST]] | None = self.derived.get("by kind")
        if by_kind is None:
            by_kind = self.derived["by kind"] = {}
            for node in self.nodes:
                of_kind = by_kind.get(node.__class__)
                if of_kind is None:
                    by_kind[node.__class__] = [node]
                else:
                    of_kind.append(node)
        present = [of_kind for kind in kinds if (of_kind := by_kind.get(kind))]
        if len(present) < 2:
            return present[0] if present else []
        return [node for node in self.nodes if node.__class__ in kinds]

    def statement(self, index: int) -> Statement:
        """Return the span and the hash of a top-level statement."""
        statement = self._statements.get(index)
        if statement is None:
            statement = self._statements[index] = self._statement(self.body[index])
        return statement

    def statements(self) -> tuple[Statement, ...]:
        """Return all top-level statements."""
        return tuple(self.statement(index) for index in range(len(self.body)))

    def _statement(self, node: ast.stmt) -> Statement:
        if not self._lines:
            # As the parser counts lines: form feeds and the like do not end one.
            self._lines = self.code.split("\n")
        # A decorated definition begins at its first decorator, and its lineno is that of "def".
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        last = node.end_lineno or node.lineno
        return Statement(
            first_line=first,
            first_column=self._column(first, node.col_offset),
            last_line=last,
            last_column=self._column(last, node.end_col_offset or 0),
            code=self._hash(node, first, last),
        )

    def _column(self, line: int, offset: int) -> int:
        """Turn an offset in UTF-8 bytes into one in characters."""
        text = self._lines[line - 1]
        if text.isascii():
            return offset
        return len(text.encode()[:offset].decode(errors="replace"))

    def _hash(self, node: ast.stmt, first: int, last: int) -> str:
        try:
            text = described(node)
        except RecursionError:
            text = "\n".join(self._lines[first - 1 : last])
        return blake2b(text.encode("utf-8", "replace"), digest_size=10).hexdigest()


class _Memory:
    """Parsed texts, the ones used last; those used longest ago go first when there are too many."""

    def __init__(self) -> None:
        self._cells: OrderedDict[str, ParsedCell] = OrderedDict()
        self._characters = 0
        self._keepers = 0
        self._lock = threading.Lock()

    def get(self, code: str) -> ParsedCell:
        with self._lock:
            parsed = self._cells.get(code)
            if parsed is not None:
                self._cells.move_to_end(code)
                return parsed
        # Without the lock, other threads do not wait; at worst a text is parsed twice.
        parsed = _parse(code)
        with self._lock:
            if code not in self._cells:
                self._cells[code] = parsed
                self._characters += len(code)
            self._trim()
        return parsed

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Forget nothing meanwhile, so that a large notebook is not parsed for each question."""
        with self._lock:
            self._keepers += 1
        try:
            yield
        finally:
            with self._lock:
                self._keepers -= 1
                self._trim()

    def _trim(self) -> None:
        while self._characters > _REMEMBERED_CHARACTERS and len(self._cells) > 1:
            if self._keepers:
                return
            gone, _ = self._cells.popitem(last=False)
            self._characters -= len(gone)

    def clear(self) -> None:
        with self._lock:
            self._cells.clear()
            self._characters = 0


_memory = _Memory()
forget_all = _memory.clear


def parse_code(code: str) -> ParsedCell:
    """Parse code as IPython gives it to Python; never raises. Its cell index is -1."""
    return _memory.get(code)


def parse_cells(cells: Iterable[Cell], *, python: bool = True) -> dict[int, ParsedCell]:
    """Parse the code cells of a notebook, by index; without ``python`` they have no statements."""
    parsed: dict[int, ParsedCell] = {}
    seen: Counter[str] = Counter()
    for cell in cells:
        if cell.type != "code":
            continue
        code = cell.source if cell.code is None else cell.code
        if not python:
            parsed[cell.index] = ParsedCell(cell.index, code, [], cell.tags)
            continue
        of_text = parse_code(code)
        # Two cells with the same text make two values, and values are known by the node that makes
        # them, so each cell needs separate nodes.
        body = of_text.body if of_text.deep else _body_of_copy(of_text, seen[code])
        seen[code] += 1
        parsed[cell.index] = replace(of_text, cell=cell.index, tags=cell.tags, body=body)
    return parsed


def _body_of_copy(parsed: ParsedCell, number: int) -> list[ast.stmt]:
    """Return the statements of one of several cells with the same text; 0 is the first."""
    copies: list[list[ast.stmt]] = parsed.derived.setdefault("copies", [parsed.body])
    while len(copies) <= number:
        copies.append(_statements(parsed.code) if parsed.body else [])
    return copies[number]


def _parse(code: str) -> ParsedCell:
    try:
        body = _statements(code)
    except SyntaxError as error:
        message = (error.msg or "invalid syntax").split(" (")[0]
        return ParsedCell(-1, code, [], error=(message, error.lineno))
    except (RecursionError, MemoryError):
        body = _parse_deep(code)
        return ParsedCell(-1, code, body, error=_too_deep(code, body), deep=True)
    except ValueError as error:
        return ParsedCell(-1, code, [], error=(str(error), 1))
    if len(code) > _LONG and _is_deep(body) and (error_at := _too_deep(code, body)) is not None:
        return ParsedCell(-1, code, [], error=error_at)
    return ParsedCell(-1, code, body)


def _is_deep(body: list[ast.stmt]) -> bool:
    """Whether code is nested so deeply that Python may not compile it."""
    level: list[ast.AST] = list(body)
    for _ in range(_DEEP):
        level = [child for node in level for child in child_nodes(node)]
        if not level:
            return False
    return True


def _statements(code: str) -> list[ast.stmt]:
    with warnings.catch_warnings():
        # Python gives its warnings when the code is executed.
        warnings.simplefilter("ignore")
        return ast.parse(code).body


@contextmanager
def keeping_trees() -> Iterator[None]:
    """Keep all trees, and collect no garbage: syntax trees are many objects and no cycles."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        with _memory.keeping():
            yield
    finally:
        if collecting:
            if not gc.get_freeze_count():
                # Both together move all objects to the oldest generation, so that the next
                # collection does not go through the trees.
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def _too_deep(code: str, body: list[ast.stmt]) -> tuple[str, int] | None:
    """Find out whether Python can compile the code; a kernel that cannot would not even answer."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # IPython allows await at the top level.
                flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
                compile(code, "<cell>", "exec", flags=flags, dont_inherit=True)
        except (RecursionError, MemoryError) as error:
            errors.append(error)
        except (SyntaxError, ValueError):  # what only IPython allows, or reports better
            return

    # A new thread has as much stack as a kernel has at most.
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if not errors:
        return None
    widest = max(body, key=lambda n: (n.end_col_offset or 0) - n.col_offset, default=None)
    return "the expression is nested too deeply for Python", widest.lineno if widest else 1


def _parse_deep(code: str) -> list[ast.stmt]:
    try:
        return with_deep_tree(lambda: _statements(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def with_deep_tree(work: Callable[[], T]) -> T:
    """Do something with the stack that a tree needs that is too deep for this thread."""
    return with_deep_stack(work, recursion=20_000, stack=128 << 20)
