"""Metrics cells: which are plain lists of names, and which names they log."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kfnb.notebook.parsed_cell import ParsedCell


def plain_metrics(source: ParsedCell) -> list[tuple[str, int]] | None:
    """Give the names that a metrics cell shows with their lines; None where it does more.

    Plain are names alone, tuples of names, and ``print`` of names, texts and f-strings.
    """
    shown: list[tuple[str, int]] = []
    for node in source.body:
        if not isinstance(node, ast.Expr):
            return None
        names = _shown(node.value)
        if names is None:
            return None
        shown += [(name, node.lineno) for name in names]
    return shown


def logged_names(source: ParsedCell) -> list[str]:
    """Give the names that a metrics cell which computes is there for: shown, or else assigned."""
    shown: list[str] = []
    bound: list[str] = []
    for node in source.body:
        if isinstance(node, ast.Expr):
            shown += _shown(node.value) or []
        elif isinstance(node, ast.Assign):
            bound += [t.id for t in node.targets if isinstance(t, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            bound.append(node.target.id)
    return list(dict.fromkeys(shown or bound))


def _shown(node: ast.expr) -> list[str] | None:
    if isinstance(node, ast.Constant):
        return []
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Tuple):
        return _all(node.elts)
    if isinstance(node, ast.JoinedStr):
        return _all(
            part.value if isinstance(part, ast.FormattedValue) else part for part in node.values
        )
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("print", "display")
    ):
        return _all(node.args)
    return None


def _all(nodes: Iterator[ast.expr] | list[ast.expr]) -> list[str] | None:
    shown: list[str] = []
    for node in nodes:
        names = _shown(node)
        if names is None:
            return None
        shown += names
    return shown
