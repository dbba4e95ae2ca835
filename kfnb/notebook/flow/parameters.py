"""Pipeline parameters: the names that the parameters cells assign."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from kfnb.notebook.effects.constants import NotConstantError, evaluate
from kfnb.notebook.parsed_cell import ParsedCell
from kfnb.pipeline import Parameter

_PLAIN = (str, int, float, bool, type(None), list, tuple, dict)


def parameters(sources: Iterable[ParsedCell]) -> tuple[Parameter, ...]:
    """Read the parameters with their defaults; the last assignment of a name counts.

    A default that is no literal (``Path("data")``) is None here; ``expression`` holds
    it as written. The type is the annotation, or that of the default.
    """
    parameters_by_name: dict[str, Parameter] = {}
    for source in sources:
        for node in source.body:
            if isinstance(node, ast.AnnAssign) and node.value is not None:
                names: list[ast.expr] = [node.target]
                value, annotation = node.value, ast.unparse(node.annotation)
            elif isinstance(node, ast.Assign):
                names, value, annotation = node.targets, node.value, ""
            else:
                continue
            for target in names:
                for name, expression in _pairs(target, value):
                    default = _literal(expression)
                    parameters_by_name[name] = Parameter(
                        name=name,
                        default=default,
                        type=annotation.strip("'\"") or _type(default, expression),
                        expression=ast.unparse(expression),
                        cell=source.cell,
                        line=node.lineno,
                    )
    return tuple(parameters_by_name.values())


def _pairs(target: ast.expr, value: ast.expr) -> Iterable[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif (
        isinstance(target, (ast.Tuple, ast.List))
        and isinstance(value, (ast.Tuple, ast.List))
        and len(target.elts) == len(value.elts)
    ):
        for each, part in zip(target.elts, value.elts, strict=True):
            yield from _pairs(each, part)


def _literal(node: ast.expr) -> Any:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        try:
            value = evaluate(node, {}, {})
        except (NotConstantError, RecursionError):
            return None
    return value if _plain(value) else None


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str) and _plain(v) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return all(_plain(v) for v in value)
    return isinstance(value, _PLAIN)


def _type(default: Any, node: ast.expr) -> str:
    if default is None and not (isinstance(node, ast.Constant) and node.value is None):
        return "Any"
    return type(default).__name__
