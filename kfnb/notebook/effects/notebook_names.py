"""What the cells of a notebook define: imports, functions, methods, and the names they bind."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kfnb.notebook.effects.constant_propagation import USUAL, Function
from kfnb.notebook.effects.constants import dotted, imported
from kfnb.notebook.effects.library_calls import HISTORY, MEMO
from kfnb.notebook.parsed_cell import parse_code


@dataclass(frozen=True, slots=True)
class Known:
    """What the whole notebook defines; ``memos`` are functions that keep their results.

    ``shell``: a cell with functions has IPython's commands, which may name what is bound.

    ``summaries`` holds what other modules have worked out for a function, by a key of theirs.
    """

    modules: Mapping[str, str]
    functions: Mapping[str, Function]
    methods: Mapping[str, tuple[Function, ...]]
    memos: frozenset[str]
    bound: frozenset[str]
    shell: bool = False
    summaries: dict[Any, Any] = field(default_factory=dict, compare=False)


def know(codes: Iterable[str]) -> Known:
    """Collect what the notebook's cells define, wherever it stands."""
    modules: dict[str, str] = {}
    functions: dict[str, Function] = {}
    methods: dict[str, tuple[Function, ...]] = {}
    memos: set[str] = set()
    bound: set[str] = set()
    shell = False
    for code in codes:
        cell = _defined_in(code)
        shell |= cell.shell
        modules.update(cell.modules)
        bound |= cell.bound
        for name, own in cell.methods.items():
            # The class of an object is not known, so a method may be that of any class.
            methods[name] = (*methods.get(name, ()), *own)
        for name, function in cell.functions.items():
            functions[name] = function
            for decorator in function.decorator_list:
                target = decorator.func if isinstance(decorator, ast.Call) else decorator
                if dotted(target, modules) in MEMO:
                    memos.add(name)
    # The usual names count only where the notebook gives them no other meaning.
    for name, module in USUAL.items():
        if name not in bound and name not in functions:
            modules.setdefault(name, module)
    return Known(modules, functions, methods, frozenset(memos), frozenset(bound), shell)


def _defined_in(code: str) -> Known:
    """Collect what one cell defines; remembered with its text."""
    cell = parse_code(code)
    known: Known | None = cell.derived.get(_defined_in)
    if known is not None:
        return known
    modules: dict[str, str] = {}
    methods: dict[str, tuple[Function, ...]] = {}
    bound: set[str] = set()
    for node in cell.nodes_of(ast.Name):
        if node.ctx.__class__ is ast.Store:
            bound.add(node.id)
    for node in cell.nodes_of(ast.Import, ast.ImportFrom):
        modules.update(imported(node))
    for node in cell.nodes_of(ast.ClassDef):
        for item in node.body:
            if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
                methods[item.name] = (*methods.get(item.name, ()), item)
    functions: dict[str, Function] = {
        statement.name: statement
        for statement in cell.shallow_body
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    shell = "get_ipython" in code and bool(functions or methods)
    known = Known(modules, functions, methods, frozenset(), frozenset(bound), shell)
    cell.derived[_defined_in] = known
    return known


def parsed(code: str) -> ast.Module:
    """Parse a cell; one that is not Python has no facts, and another diagnostic reports it."""
    return ast.Module(body=parse_code(code).shallow_body, type_ignores=[])


def knows_the_same(before: Known, now: Known, code: str) -> bool:
    """Whether what a notebook defines is the same, as far as a cell with this code is concerned."""
    if before is now or before == now:
        return True
    if before.shell or now.shell or replace(before, bound=now.bound) != now:
        return False
    # Names that are bound matter where they are read, unless functions run shell commands.
    return not any(is_history(name) or name in code for name in before.bound ^ now.bound)


def is_history(name: str) -> bool:
    """Whether IPython makes a name of its history."""
    if name in HISTORY or (name and not name.strip("_") and len(name) <= 3):
        return True
    # `_12` and `_i12` are the output and the input of a cell.
    return name.startswith("_") and name.lstrip("_i").isdigit()
