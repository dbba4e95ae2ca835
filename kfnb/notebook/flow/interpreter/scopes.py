"""Which names are local to a function, lambda, class body or comprehension."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from kfnb.notebook.syntax_trees import child_nodes

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def function_locals(node: Function) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Give the names that are local to a function, and those declared global and nonlocal."""
    arguments = frozenset(a.arg for a in parameters(node.args)) | type_parameters(node)
    if isinstance(node, ast.Lambda):
        return arguments | _walrus([node.body]), frozenset(), frozenset()
    bound, global_names, nonlocal_names = _bound(node.body)
    return (
        (arguments | bound) - global_names - nonlocal_names,
        frozenset(global_names),
        frozenset(nonlocal_names),
    )


def class_locals(node: ast.ClassDef) -> tuple[frozenset[str], frozenset[str]]:
    """Give the names that a class body binds for itself, and those it declares global."""
    bound, global_names, nonlocal_names = _bound(node.body)
    own = bound | type_parameters(node)
    return frozenset(own - global_names - nonlocal_names), frozenset(global_names)


def type_parameters(node: ast.AST) -> frozenset[str]:
    """Give the ``T`` of ``def f[T](…)``; from Python 3.12 on."""
    return frozenset(p.name for p in getattr(node, "type_params", ()))


def comprehension_locals(node: Comprehension) -> frozenset[str]:
    """Give the names that a comprehension's ``for`` clauses bind."""
    return frozenset(
        name for generator in node.generators for name in target_names(generator.target)
    )


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    """List all parameters: positional ones first, in order."""
    return [
        *arguments.posonlyargs,
        *arguments.args,
        *([arguments.vararg] if arguments.vararg else []),
        *arguments.kwonlyargs,
        *([arguments.kwarg] if arguments.kwarg else []),
    ]


def target_names(target: ast.AST) -> Iterator[str]:
    """Yield the names that an assignment target binds."""
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from target_names(element)
    elif isinstance(target, ast.Starred):
        yield from target_names(target.value)


def imported_name(alias: ast.alias) -> str:
    """Give the name that one clause of an import binds."""
    return alias.asname or alias.name.partition(".")[0]


def bound_in(body: Iterable[ast.stmt]) -> set[str]:
    """Names that statements bind in their own scope."""
    return _bound(body)[0]


def _bound(body: Iterable[ast.stmt]) -> tuple[set[str], set[str], set[str]]:
    bound: set[str] = set()
    global_names: set[str] = set()
    nonlocal_names: set[str] = set()
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                bound.add(node.id)
            continue
        if isinstance(node, _INNER):
            if not isinstance(node, ast.Lambda):
                bound.add(node.name)
                # A function's body is a new scope, but its decorators are evaluated in this one.
                waiting.extend(node.decorator_list)
            continue
        if isinstance(node, _COMPREHENSIONS):
            # The loop variables belong to the comprehension, but `:=` binds outside of it.
            bound |= _walrus([node])
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            bound.update(imported_name(alias) for alias in node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
        elif isinstance(node, ast.Global):
            global_names.update(node.names)
        elif isinstance(node, ast.Nonlocal):
            nonlocal_names.update(node.names)
        elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
            bound.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            bound.add(node.rest)
        waiting.extend(child_nodes(node))
    return bound, global_names, nonlocal_names


def _walrus(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that ``:=`` binds outside of the comprehensions it stands in."""
    names: set[str] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.NamedExpr):
            names.add(node.target.id)
        if not isinstance(node, _INNER):
            waiting.extend(child_nodes(node))
    return names
