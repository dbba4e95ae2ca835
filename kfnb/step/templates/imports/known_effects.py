"""Packages whose import takes effect: a template leaves them to its children without trying.

Found by ``python3 dev.py test --only packages``; a package that is not here is tried.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

KNOWN: dict[str, str] = {
    "duckdb": "it uses the kernel's shell (config)",
    "geopandas": "it leaves a file open (proj.db)",
    "polars": "it starts a native thread",
    "pyproj": "it leaves a file open (proj.db)",
}


def known_effects(statements: Sequence[str]) -> dict[str, str]:
    """Return those import statements that are known to take effect, each with the reason."""
    return {
        statement: KNOWN[name]
        for statement in statements
        for name in imported_packages(statement)
        if name in KNOWN
    }


def imported_packages(statement: str) -> list[str]:
    """Return the top-level names of what an import statement imports; none if it is not one."""
    return [name.partition(".")[0] for name in imported_modules(statement)]


def imported_modules(statement: str) -> list[str]:
    """Return the modules that an import statement names; none if it is not one."""
    try:
        nodes = ast.parse(statement).body
    except (SyntaxError, ValueError):
        return []
    names: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
    return names
