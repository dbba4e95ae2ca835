"""Cells as parsed statements, with their spans and the hashes of their syntax trees."""

from __future__ import annotations

import ast
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TypeVar

from kfnb.pipeline import Cell, Statement

T = TypeVar("T")
_DEEP_LIMIT = 20_000
_LONG = 5_000
"""Characters of a cell that cannot be nested too deeply for a compiler."""
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
        body = _deep(code)
        return Source(cell.index, code, body, cell.tags, _too_deep(code, body), deep=True)
    except ValueError as error:
        return Source(cell.index, code, [], cell.tags, (str(error), 1))
    if len(code) > _LONG and (error_at := _too_deep(code, body)) is not None:
        return Source(cell.index, code, [], cell.tags, error_at)
    return Source(cell.index, code, body, cell.tags)


def _too_deep(code: str, body: list[ast.stmt]) -> tuple[str, int] | None:
    """Say where code is nested too deeply for Python to compile: a kernel would not even answer."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
                compile(code, "<cell>", "exec", flags=flags, dont_inherit=True)
        except (RecursionError, MemoryError) as error:
            failed.append(error)
        except (SyntaxError, ValueError):  # what only IPython allows, or says better
            return

    thread = threading.Thread(target=work)  # with the room that a kernel has at most
    thread.start()
    thread.join()
    if not failed:
        return None
    widest = max(body, key=lambda n: (n.end_col_offset or 0) - n.col_offset, default=None)
    return "the expression is nested too deeply for Python", widest.lineno if widest else 1


def _deep(code: str) -> list[ast.stmt]:
    """Parse what is nested too deeply for this thread in one that has room; else give nothing."""
    try:
        return with_room(lambda: ast.parse(code).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def with_room(work: Callable[[], T]) -> T:
    """Do something in a thread with a deep stack, for trees that are too deep for this one."""
    done: list[T] = []
    failed: list[BaseException] = []

    def act() -> None:
        try:
            done.append(work())
        except BaseException as error:  # it is the caller's
            failed.append(error)

    limit, size = sys.getrecursionlimit(), threading.stack_size(_DEEP_STACK)
    sys.setrecursionlimit(max(limit, _DEEP_LIMIT))
    try:
        thread = threading.Thread(target=act)
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(size)
    if failed:
        raise failed[0]
    return done[0]
