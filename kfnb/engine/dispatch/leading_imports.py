"""Find the imports with which every step of a pipeline begins: pure, no I/O.

A template process makes them once for all steps, before it knows anything else of the notebook. So
they end at the first statement that might have an influence on an import.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kfnb.pipeline import Cell, Pipeline, Step

_FILTERS = {"filterwarnings", "simplefilter"}
_HARMLESS_MAGICS = {"matplotlib", "autoreload"}


def leading_imports(pipeline: Pipeline, step: Step) -> tuple[str, ...]:
    """Return import statements, one module each, in the order of the notebook.

    They are those of the setup cells, which are the same for all steps; in a pipeline without setup
    those of the step's own cells. The notebook's own modules are among them.
    """
    cells = [pipeline.cells[index] for index in _cells(pipeline, step)]
    statements: dict[str, None] = {}
    for cell in cells:
        for node in _nodes(cell):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                statements.update(dict.fromkeys(_each(node)))
            elif not _is_harmless(node):
                return tuple(statements)
    return tuple(statements)


def _cells(pipeline: Pipeline, step: Step) -> list[int]:
    setup = {
        piece.cell
        for some in pipeline.steps.values()
        for piece in some.prelude
        if piece.role == "setup"
    }
    return sorted(setup or {piece.cell for piece in step.body})


def _nodes(cell: Cell) -> list[ast.stmt]:
    source = cell.source if cell.code is None else cell.code
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError):
        # Something that nobody knows: the imports end here.
        return [ast.Raise()]


def _each(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield f"import {alias.name}"
    # A relative import fails in a notebook, and the future is one of the cell, not of the process.
    elif node.module and not node.level and node.module != "__future__":
        yield f"from {node.module} import {', '.join(alias.name for alias in node.names)}"


def _is_harmless(node: ast.stmt) -> bool:
    """Whether a statement has no influence on the imports after it."""
    if isinstance(node, ast.Pass):
        return True
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return all(isinstance(t, ast.Name) for t in targets) and _is_constant(node.value)
    if not isinstance(node, ast.Expr):
        return False
    call = node.value
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
        return _is_warnings_filter(call.func) or _is_harmless_magic(call)
    return _is_constant(call)


def _is_constant(node: ast.expr | None) -> bool:
    try:
        ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError, MemoryError, RecursionError):
        return False
    return True


def _is_warnings_filter(function: ast.Attribute) -> bool:
    owner = function.value
    return function.attr in _FILTERS and isinstance(owner, ast.Name) and owner.id == "warnings"


def _is_harmless_magic(call: ast.Call) -> bool:
    """Whether it is ``get_ipython().run_line_magic("matplotlib", "inline")`` or the like."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "run_line_magic"):
        return False
    name, *rest = [a.value if isinstance(a, ast.Constant) else None for a in call.args] or [None]
    if name == "load_ext":
        return rest == ["autoreload"]
    return name in _HARMLESS_MAGICS
