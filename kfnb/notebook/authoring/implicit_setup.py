"""Find setup among the untagged cells above the first tagged one."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from kfnb.notebook.authoring.launch_filter import is_setup
from kfnb.notebook.effects.statement_effects import imported_modules, sets_option
from kfnb.notebook.parsed_cell import parse_code
from kfnb.pipeline import Cell

# An import below such code may find another module than above it.
_PREPARES_IMPORTS = re.compile(
    r"sys\.(path|modules)|environ|putenv|chdir|addsitedir|\b(pip|conda|mamba|uv) |['\"]cd['\"]"
)


@dataclass(slots=True)
class UntaggedCells:
    """The cells before the first tag, one after the other.

    ``made`` are names that code there binds; ``prepares`` tells that it changes what
    imports find, ``executed`` that any cell does more than set up, ``modules`` is what
    imported names stand for.
    """

    made: set[str] = field(default_factory=set)
    prepares: bool = False
    executed: bool = False
    modules: dict[str, str] = field(default_factory=dict)

    def executes(self, cell: Cell) -> None:
        """Note a cell that does more than define."""
        code = _code(cell)
        self.executed = True
        self.prepares = self.prepares or _PREPARES_IMPORTS.search(code) is not None
        self.made |= {
            node.id
            for statement in parse_code(code).shallow_body
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }

    def only_defines(self, cell: Cell) -> bool:
        """Return whether a cell only imports, defines and sets options of libraries.

        It must be possible to do so before the code above it, because setup is executed first.

        A cell that needs a name from there while it defines (in a decorator, a default,
        a base class, a class body) could not.
        """
        parsed = parse_code(_code(cell))
        if parsed.error is not None or parsed.deep:
            return False
        modules = {**self.modules, **imported_modules([parsed])}
        # Setup is executed first, so an option that is set below other code would be set too early.
        if not all(
            _defines(s) or (not self.executed and sets_option(s, modules)) for s in parsed.body
        ):
            return False
        self.modules = modules
        # An import has to stay below the code that changes what it finds.
        if self.prepares and any(
            isinstance(node, (ast.Import, ast.ImportFrom))
            for statement in parsed.body
            for node in ast.walk(statement)
        ):
            return False
        return not self.made or not any(_needs(s) & self.made for s in parsed.body)


def _code(cell: Cell) -> str:
    return cell.source if cell.code is None else cell.code


def _defines(s: ast.stmt) -> bool:
    if isinstance(
        s,
        (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Pass),
    ):
        return True
    if isinstance(s, ast.Expr):
        return isinstance(s.value, ast.Constant) or is_setup(s)
    # An import with a fallback is written like this.
    if isinstance(s, ast.Try):
        blocks = [s.body, s.orelse, s.finalbody, *(h.body for h in s.handlers)]
        return all(_defines(inner) for block in blocks for inner in block)
    if isinstance(s, ast.If):
        # Such a block has imports for type checkers only.
        test = ast.unparse(s.test)
        return "TYPE_CHECKING" in test and all(_defines(inner) for inner in (*s.body, *s.orelse))
    return False


def _needs(s: ast.stmt) -> set[str]:
    """Give the names that defining something reads at once."""
    todo: list[ast.AST] = [s]
    names: set[str] = set()
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name):
            names.add(node.id)
        # A function's body is executed later, so only what its definition evaluates counts.
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            arguments = node.args
            todo += [*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)]
            if not isinstance(node, ast.Lambda):
                todo += node.decorator_list
                every = (
                    *arguments.posonlyargs,
                    *arguments.args,
                    *arguments.kwonlyargs,
                    *(a for a in (arguments.vararg, arguments.kwarg) if a is not None),
                )
                todo += [a.annotation for a in every if a.annotation is not None]
                todo += [node.returns] if node.returns is not None else []
        else:
            todo += ast.iter_child_nodes(node)
    return names
