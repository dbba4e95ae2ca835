"""Cells as parsed statements, with their spans and the hashes of their syntax trees."""

from __future__ import annotations

import ast
import sys
import threading
import warnings
from dataclasses import dataclass, field
from hashlib import blake2b

from kfnb.pipeline import Cell, Statement

_DEEP_LIMIT = 20_000
_DEEP_STACK = 128 * 1024 * 1024


@dataclass(eq=False, slots=True)
class Source:
    """The parsed code of one cell; ``error``: why there is no body; ``deep``: it is hard."""

    cell: int
    code: str
    body: list[ast.stmt]
    tags: tuple[str, ...] = ()
    error: tuple[str, int | None] | None = None
    deep: bool = False
    _lines: list[str] = field(default_factory=list)
    _made: dict[int, Statement] = field(default_factory=dict)

    def statement(self, index: int) -> Statement:
        """Give span and hash of a top-level statement."""
        made = self._made.get(index)
        if made is None:
            made = self._made[index] = self._statement(self.body[index])
        return made

    def statements(self) -> tuple[Statement, ...]:
        """Give all top-level statements."""
        return tuple(self.statement(index) for index in range(len(self.body)))

    def _statement(self, node: ast.stmt) -> Statement:
        if not self._lines:
            # As the parser counts lines: form feeds and the like do not end one.
            self._lines = self.code.split("\n")
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
            text = ast.dump(node)
        except RecursionError:
            text = "\n".join(self._lines[first - 1 : last])
        return blake2b(text.encode("utf-8", "replace"), digest_size=10).hexdigest()


def parse(cell: Cell) -> Source:
    """Parse a cell's code as IPython gives it to Python."""
    code = cell.source if cell.code is None else cell.code
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(code).body
    except SyntaxError as error:
        message = (error.msg or "invalid syntax").split(" (")[0]
        return Source(cell.index, code, [], cell.tags, (message, error.lineno))
    except (RecursionError, MemoryError):
        return Source(cell.index, code, _deep(code), cell.tags, deep=True)
    except ValueError as error:
        return Source(cell.index, code, [], cell.tags, (str(error), 1))
    return Source(cell.index, code, body, cell.tags)


def _deep(code: str) -> list[ast.stmt]:
    """Parse what is nested too deeply for this thread in one that has room; else give nothing."""
    found: list[ast.stmt] = []

    def work() -> None:
        try:
            found.extend(ast.parse(code).body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return

    limit, size = sys.getrecursionlimit(), threading.stack_size(_DEEP_STACK)
    sys.setrecursionlimit(max(limit, _DEEP_LIMIT))
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(size)
    return found
