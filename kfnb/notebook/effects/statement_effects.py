"""Statements that act on a library or on a value, besides binding names.

An option of a library that is set with constants, and an import whose names nobody reads, have to
be executed in every later step. A decorator that is not known to be pure changes its object.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kfnb.notebook.effects.constants import dotted, imported
from kfnb.notebook.effects.library_calls import (
    OPTION_PREFIXES,
    OPTIONS,
    PURE_ATTRIBUTES,
    PURE_DECORATORS,
    PURE_FUNCTIONS,
    PURE_IMPORTS,
)
from kfnb.notebook.parsed_cell import ParsedCell

At = tuple[int, int]
"""A statement: index of its cell, index in the cell's body."""

_ENVIRONMENT = "os.environ"
_WORD = re.compile(r"[A-Za-z_]\w*")
_LONGEST_CODE = 10_000
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BUILTINS = frozenset(vars(builtins))


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects of a notebook's top-level statements.

    ``everywhere`` are executed in their own step and in all later ones; ``changes`` maps statements
    to the names of the values that they change.
    """

    everywhere: frozenset[At]
    changes: Mapping[At, tuple[str, ...]]

    def lines(self, cells: Mapping[int, ParsedCell]) -> frozenset[tuple[int, int]]:
        """Return the cells and lines (from 1) of the statements that are executed everywhere."""
        return frozenset(
            (cell, line)
            for cell, index in self.everywhere
            for node in (cells[cell].body[index],)
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        )


def statement_effects(cells: Mapping[int, ParsedCell]) -> Effects:
    """Find the effects of all top-level statements of a notebook."""
    modules = imported_modules(cells.values())
    by_cell = [(cell.cell, _candidates(cell)) for cell in cells.values()]
    defined = {node.name for _, candidates in by_cell for _, node in candidates.definitions}
    read = frozenset[str]().union(*map(names_read, cells.values()))
    everywhere: set[At] = set()
    changes: dict[At, tuple[str, ...]] = {}
    for cell, candidates in by_cell:
        everywhere |= {
            (cell, index) for index, node in candidates.imports if imports_for_effect(node, read)
        }
        for index, node in candidates.definitions:
            owners = [_owner(d, modules, defined) for d in node.decorator_list]
            # It may register the definition, which later steps then look up.
            if "" in owners:
                everywhere.add((cell, index))
            if names := tuple(dict.fromkeys(owner for owner in owners if owner)):
                changes[cell, index] = names
        if not candidates.roots.isdisjoint(modules):
            everywhere |= {
                (cell, index) for index, other in candidates.others if sets_option(other, modules)
            }
    return Effects(frozenset(everywhere), changes)


@dataclass(slots=True)
class _Candidates:
    """Statements of a cell that may have an effect, with their indices.

    ``others`` can only act on what the names in ``roots`` stand for.
    """

    imports: list[tuple[int, ast.Import | ast.ImportFrom]] = field(default_factory=list)
    definitions: list[tuple[int, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]] = field(
        default_factory=list
    )
    others: list[tuple[int, ast.stmt]] = field(default_factory=list)
    roots: set[str | None] = field(default_factory=set)


def _candidates(cell: ParsedCell) -> _Candidates:
    """Find the statements of a cell that may have an effect; remembered with its text."""
    candidates: _Candidates | None = cell.derived.get(_candidates)
    if candidates is not None:
        return candidates
    candidates = cell.derived[_candidates] = _Candidates()
    for index, node in enumerate(cell.shallow_body):
        acted_on: ast.expr | None = None
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            candidates.imports.append((index, node))
        elif isinstance(node, _DEFINITIONS):
            candidates.definitions.append((index, node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            acted_on = node.value.func
        elif isinstance(node, (ast.Assign, ast.Delete)):
            acted_on = node.targets[0]
            acted_on = acted_on.value if isinstance(acted_on, ast.Subscript) else acted_on
        if acted_on is not None:
            candidates.others.append((index, node))
            candidates.roots.add(_root(acted_on))
    return candidates


def imported_modules(cells: Iterable[ParsedCell]) -> dict[str, str]:
    """Return what the names that a notebook's top-level imports bind stand for."""
    modules: dict[str, str] = {}
    for cell in cells:
        for _, node in _candidates(cell).imports:
            modules.update(imported(node))
    return modules


def imports_for_effect(node: ast.Import | ast.ImportFrom, read: Iterable[str]) -> bool:
    """Return whether an import is there for its effect: nobody reads one of the names it binds.

    ``import hvplot.pandas`` registers an accessor, ``import scienceplots`` styles.
    """
    # Python compiles all later cells differently after such an import.
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return True
    return any(
        (alias.asname or alias.name).split(".")[0] not in read
        for alias in node.names
        # Whether a name of * is read cannot be known here.
        if alias.name != "*" and not _is_pure_import(node, alias.name)
    )


def _is_pure_import(node: ast.Import | ast.ImportFrom, name: str) -> bool:
    module = name if isinstance(node, ast.Import) else node.module or ""
    package = module.split(".")[0]
    # Importing it enables estimators that are not there otherwise.
    if module == "sklearn.experimental":
        return False
    return package in PURE_IMPORTS or package in sys.stdlib_module_names or package == "kfnb"


def sets_option(node: ast.stmt, modules: Mapping[str, str]) -> bool:
    """Return whether a statement sets options of libraries, with constants only."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        name = _imported_name(call.func, modules)
        if name is None or not (name in OPTIONS or name.startswith(OPTION_PREFIXES)):
            return False
        arguments = [*call.args, *(k.value for k in call.keywords)]
        return all(_is_constant(argument, modules) for argument in arguments)
    if isinstance(node, ast.Assign):
        return all(_is_option(target, modules) for target in node.targets) and _is_constant(
            node.value, modules
        )
    if isinstance(node, ast.Delete):
        return all(_is_environment(target, modules) for target in node.targets)
    return False


def _is_option(target: ast.expr, modules: Mapping[str, str]) -> bool:
    """``plt.rcParams["x"]``, ``pd.options.display.max_rows``, ``os.environ["X"]``."""
    if isinstance(target, ast.Subscript):
        name = _imported_name(target.value, modules)
        settings = name is not None and name.endswith((".rcParams", ".environ", ".options"))
        return settings and _is_constant(target.slice, modules)
    # An attribute of a module or of what was imported from one.
    return isinstance(target, ast.Attribute) and _imported_name(target, modules) is not None


def _is_environment(target: ast.expr, modules: Mapping[str, str]) -> bool:
    return (
        isinstance(target, ast.Subscript)
        and _imported_name(target.value, modules) == _ENVIRONMENT
        and _is_constant(target.slice, modules)
    )


def _imported_name(node: ast.expr, modules: Mapping[str, str]) -> str | None:
    """Return the dotted name of something that an import binds."""
    root = _root(node)
    return dotted(node, modules) if root is not None and root in modules else None


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _is_constant(node: ast.expr, modules: Mapping[str, str]) -> bool:
    """Return whether an expression has the same value in every process."""
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return all(_is_constant(element, modules) for element in node.elts)
    if isinstance(node, ast.Dict):
        keys = [key for key in node.keys if key is not None]
        return all(_is_constant(part, modules) for part in (*keys, *node.values))
    if isinstance(node, ast.UnaryOp):
        return _is_constant(node.operand, modules)
    if isinstance(node, ast.BinOp):
        return _is_constant(node.left, modules) and _is_constant(node.right, modules)
    if isinstance(node, ast.Lambda):
        # A function is the same in every process if it uses only its parameters and imported names.
        own = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
        free = {n.id for n in ast.walk(node.body) if isinstance(n, ast.Name)} - own
        return free <= modules.keys() | _BUILTINS
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Constant):
        return True  # "{:.2f}".format
    if isinstance(node, (ast.Name, ast.Attribute)):
        root = _root(node)
        return root is not None and (root in modules or root in _BUILTINS)
    if isinstance(node, ast.Call):
        name = dotted(node.func, modules)
        arguments = [*node.args, *(k.value for k in node.keywords)]
        return name in PURE_FUNCTIONS and all(_is_constant(a, modules) for a in arguments)
    return isinstance(node, ast.Constant)


def _owner(decorator: ast.expr, modules: Mapping[str, str], defined: set[str]) -> str | None:
    """Return the name that a decorator may change, "" for a library, None where it is pure."""
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    root = _root(target)
    if root is None:
        return None
    if isinstance(target, ast.Attribute) and target.attr in PURE_ATTRIBUTES:
        return None
    if root in modules:
        name = dotted(target, modules) or ""
        return None if name in PURE_DECORATORS or name.startswith("typing.") else ""
    if isinstance(target, ast.Name) and (root in defined or root in _BUILTINS):
        return None  # data flow follows the function itself
    return root


def names_read(cell: ParsedCell) -> frozenset[str]:
    """Return the names that a cell reads anywhere in its code."""
    names: frozenset[str] | None = cell.derived.get(names_read)
    if names is None:
        names = cell.derived[names_read] = frozenset(_each_name(cell))
    return names


def _each_name(cell: ParsedCell) -> Iterator[str]:
    for node in cell.nodes_of(ast.Name):
        if node.ctx.__class__ is ast.Load:
            yield node.id
    for text in {node.value for node in cell.nodes_of(ast.Constant) if type(node.value) is str}:
        # A string may be code, as below %%timeit.
        yield from _WORD.findall(text[:_LONGEST_CODE])
