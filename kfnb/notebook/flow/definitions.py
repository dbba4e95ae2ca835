"""Which statements are definitions: of a function, of a class, or imports."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from kfnb.notebook.flow.interpreter.scopes import imported_name
from kfnb.notebook.flow.interpreter.tables.library_tables import CLASS_FACTORIES
from kfnb.notebook.flow.step_facts import Kind
from kfnb.notebook.parsed_cell import ParsedCell


def defined_names(
    node: ast.stmt, dotted_name: Callable[[ast.expr], str | None]
) -> tuple[tuple[str, ...], Kind | None]:
    """Give the names that a definition binds, and its kind; none for any other statement.

    ``dotted_name`` resolves what is called through the imports.
    """
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return (node.name,), "function"
    if isinstance(node, ast.ClassDef):
        return (node.name,), "class"
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names = [imported_name(alias) for alias in node.names if alias.name != "*"]
        return tuple(dict.fromkeys(names)), "import"
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
        # ``Pair = namedtuple("Pair", …)`` is a class that pickles by its name.
        target, call = node.targets[0], node.value
        dotted = dotted_name(call.func)
        first = call.args[0] if call.args else None
        if (
            dotted in CLASS_FACTORIES
            and len(node.targets) == 1
            and isinstance(target, ast.Name)
            and isinstance(first, ast.Constant)
            and first.value == target.id
        ):
            return (target.id,), "class"
    return (), None


def redefined(sources: Iterable[ParsedCell], *kinds: type[ast.stmt]) -> frozenset[str]:
    """Names that several top-level statements of these kinds define, each in its own way."""
    versions: dict[str, set[str]] = {}
    for source in sources:
        for index, node in enumerate(source.body):
            if isinstance(node, kinds):
                name = getattr(node, "name", "")
                versions.setdefault(name, set()).add(source.statement(index).code)
    return frozenset(name for name, codes in versions.items() if len(codes) > 1)
