"""Lines with a rule of their own: setup wherever they stand, and what launches pipelines."""

from __future__ import annotations

import ast
import re

_SETUP = re.compile(
    r"\s*%(load_ext|reload_ext|matplotlib|config|autoreload|pip|conda|mamba|uv|pylab)\b"
)
_LAUNCH = re.compile(r"\s*(%{1,2}pipeline\b|%(re)?load_ext\s+kfnb\b)")
_CALLS = ("kfnb.run", "kfnb.widgets")


def setup_lines(source: str) -> tuple[int, ...]:
    """Give the lines (from 1) of a cell that are setup wherever they stand."""
    return tuple(
        n
        for n, line in enumerate(source.split("\n"), 1)
        if _SETUP.match(line) and not _LAUNCH.match(line)
    )


def dropped_lines(source: str, code: str) -> tuple[int, ...]:
    """Give the lines (from 1) that launch or show pipelines: a step never executes them."""
    found = {n for n, line in enumerate(source.split("\n"), 1) if _LAUNCH.match(line)}
    if "kfnb" in source:
        try:
            tree = ast.parse(code)
        except (SyntaxError, ValueError, RecursionError):
            return tuple(sorted(found))
        for statement in tree.body:
            if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                if _launches(statement):
                    found.update(range(statement.lineno, (statement.end_lineno or 0) + 1))
    return tuple(sorted(found))


def without(code: str, lines: tuple[int, ...]) -> str:
    """Turn lines into comments, so that line numbers stay."""
    if not lines:
        return code
    gone = set(lines)
    return "\n".join(
        "# " + line if n in gone else line for n, line in enumerate(code.split("\n"), 1)
    )


def _launches(statement: ast.stmt) -> bool:
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        names = [alias.name for alias in statement.names]
        module = getattr(statement, "module", None) or ""
        return module.startswith("kfnb.widgets") or any(n.startswith("kfnb.widgets") for n in names)
    return any(
        isinstance(node, ast.Attribute) and ast.unparse(node) in _CALLS
        for node in ast.walk(statement)
    )
