"""Find lines that are setup in any cell, and lines that launch pipelines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from kfnb.notebook.parsed_cell import parse_code
from kfnb.notebook.syntax_trees import attribute_chain
from kfnb.notebook.transform import without_step_line

SETUP_MAGICS = frozenset(
    (
        "load_ext", "reload_ext", "matplotlib", "pylab", "config", "autoreload", "aimport", "pip",
        "conda", "mamba", "micromamba", "uv",
    )
)  # fmt: skip
_LAUNCH_LINE = re.compile(r"\s*(%{1,2}pipeline\b|%(re)?load_ext\s+kfnb\b)")
_EXTENSION = frozenset(("load_ext", "reload_ext"))
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_HELD_BACK = "# not executed in a step: "
_EXECUTED_AS_READ = "# kfnb: this text is executed, not the source of the cell"


def magic_call(statement: ast.stmt) -> tuple[str, str] | None:
    """Return name and arguments of a magic if the statement consists of it."""
    return _magic(statement.value) if isinstance(statement, ast.Expr) else None


def _magic(call: ast.AST) -> tuple[str, str] | None:
    if (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in ("run_line_magic", "run_cell_magic")
        and isinstance(call.func.value, ast.Call)
        and isinstance(call.func.value.func, ast.Name)
        and call.func.value.func.id == "get_ipython"
    ):
        texts = [a.value for a in call.args if isinstance(a, ast.Constant)]
        if len(texts) >= 2 and isinstance(texts[0], str) and isinstance(texts[1], str):
            return texts[0].lstrip("%"), texts[1]
    return None


def is_setup(statement: ast.stmt) -> bool:
    """Return whether a statement is a magic that is setup in any cell."""
    magic = magic_call(statement)
    return magic is not None and magic[0] in SETUP_MAGICS and not _launching_magic(magic)


def setup_lines(code: str) -> tuple[int, ...]:
    """Return the lines (from 1) of a cell's code that are setup in any cell."""
    # Most cells have no such line, and need not be parsed.
    if "run_line_magic" not in code:
        return ()
    statements = [s for s in parse_code(code).shallow_body if is_setup(s)]
    return tuple(sorted({n for s in statements for n in range(s.lineno, _end(s) + 1)}))


@dataclass(slots=True)
class Launches:
    """Finds what launches or shows pipelines, cell after cell; ``names`` hold the results.

    A statement that uses such a name would fail in a step, so it is left out as well, until
    the name is bound to something else.
    """

    names: set[str] = field(default_factory=set)
    modules: dict[str, str] = field(default_factory=lambda: {"kfnb": "kfnb"})

    def left_out(self, source: str, code: str) -> tuple[str, tuple[int, ...]]:
        """Turn statements that launch pipelines into comments.

        Parameters
        ----------
        source
            The cell as its author wrote it.
        code
            The same after IPython's transformation.

        Returns
        -------
        tuple
            The code without them, with the same line numbers, and the lines (from 1) that
            they were on.
        """
        if not self._may(code):
            return code, ()
        parsed = parse_code(code)
        if parsed.error is not None or parsed.deep:
            # Without a syntax tree only whole lines can be recognised.
            lines = [n for n, s in enumerate(source.split("\n"), 1) if _LAUNCH_LINE.match(s)]
            return _commented(code, lines), tuple(lines)
        gone = list(self._launching(parsed.shallow_body, top=True))
        if not gone:
            return code, ()
        lines = sorted({n for s, _ in gone for n in range(s.lineno, _end(s) + 1)})
        # Below a cell magic the kernel executes the source, not this text.
        magic = without_step_line(source).lstrip().startswith("%%")
        return _cut(code, gone, tell=not magic), tuple(lines)

    def _may(self, code: str) -> bool:
        return any(word in code for word in ("kfnb", "pipeline", *self.modules, *self.names))

    def _launching(self, body: Sequence[ast.stmt], *, top: bool) -> Iterator[tuple[ast.stmt, bool]]:
        """Find the statements to leave out, each with whether it is at the top level."""
        for statement in body:
            # A launch in a function happens only if it is called, so functions stay as they are.
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                self._forget({statement.name})
                continue
            inner = _bodies(statement)
            nodes = list(_outside(statement, inner))
            own = _targets_of_comprehensions(nodes)
            if any(self._launches(node, own) for node in nodes):
                self.names |= _bound(statement, nodes) - own
                yield statement, top
                continue
            self._forget(_bound(statement, nodes) - own)
            self._import(statement)
            for block in inner:
                yield from self._launching(block, top=False)

    def _forget(self, bound: set[str]) -> None:
        """Forget names that are bound to something else from here on."""
        self.names -= bound
        for name in bound & self.modules.keys():
            del self.modules[name]

    def _launches(self, node: ast.AST, own: set[str]) -> bool:
        if isinstance(node, ast.Call) and (magic := _magic(node)) is not None:
            return _launching_magic(magic)
        if isinstance(node, ast.Name):
            known = node.id in self.names or self._is_view(self.modules.get(node.id, ""))
            return known and isinstance(node.ctx, ast.Load) and node.id not in own
        if isinstance(node, ast.Import):
            return all(self._is_view(alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            return self._is_view(module) or (
                module == "kfnb" and all(alias.name == "widgets" for alias in node.names)
            )
        if isinstance(node, ast.Call):
            return self._dotted(node.func) == "kfnb.run"
        return isinstance(node, ast.Attribute) and self._is_view(self._dotted(node))

    def _import(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                # Without "as" the module is called kfnb, which is known from the beginning.
                if alias.name == "kfnb" and alias.asname:
                    self.modules[alias.asname] = "kfnb"
        elif isinstance(statement, ast.ImportFrom) and statement.module == "kfnb":
            for alias in statement.names:
                if alias.name in ("run", "widgets"):
                    self.modules[alias.asname or alias.name] = f"kfnb.{alias.name}"

    def _dotted(self, node: ast.AST) -> str:
        names = attribute_chain(node)
        if names is None or names[0] not in self.modules:
            return ""
        first, *rest = names
        return ".".join([self.modules[first], *rest])

    @staticmethod
    def _is_view(dotted: str) -> bool:
        return dotted == "kfnb.widgets" or dotted.startswith("kfnb.widgets.")


def _launching_magic(magic: tuple[str, str]) -> bool:
    name, line = magic
    return name == "pipeline" or (name in _EXTENSION and line.split()[:1] == ["kfnb"])


def _bodies(statement: ast.stmt) -> list[list[ast.stmt]]:
    """List the blocks of a compound statement."""
    blocks = [getattr(statement, name, None) for name in ("body", "orelse", "finalbody")]
    blocks += [handler.body for handler in getattr(statement, "handlers", ())]
    blocks += [case.body for case in getattr(statement, "cases", ())]
    return [block for block in blocks if block]


def _outside(statement: ast.stmt, inner: Iterable[Sequence[ast.stmt]]) -> Iterator[ast.AST]:
    """Walk the expressions of a statement, without its blocks and the functions defined in it."""
    skipped = {id(s) for block in inner for s in block}
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        yield node
        todo += [
            child
            for child in ast.iter_child_nodes(node)
            if id(child) not in skipped and not isinstance(child, _DEFINITIONS)
        ]


def _bound(statement: ast.stmt, nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that a statement itself binds to something new."""
    # After += the name still holds a result of the launch.
    if isinstance(statement, ast.AugAssign):
        return set()
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        names = {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
        # This import gives the name the meaning that it has anyway.
        return names - {"kfnb"}
    return _stored(nodes)


def _targets_of_comprehensions(nodes: Iterable[ast.AST]) -> set[str]:
    # The names of a comprehension exist only inside it.
    targets = [node.target for node in nodes if isinstance(node, ast.comprehension)]
    return {name for target in targets for name in _stored(ast.walk(target))}


def _stored(nodes: Iterable[ast.AST]) -> set[str]:
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _end(statement: ast.stmt) -> int:
    return statement.end_lineno or statement.lineno


def _commented(code: str, lines: Iterable[int]) -> str:
    made = code.split("\n")
    for number in lines:
        if number <= len(made):
            made[number - 1] = _HELD_BACK + made[number - 1]
    return "\n".join(made)


def _cut(code: str, gone: Sequence[tuple[ast.stmt, bool]], *, tell: bool) -> str:
    """Take statements out; one that shares its line or its block becomes ``pass``.

    The kernel executes the author's source without the lines that are comments here. That
    cannot express a ``pass``, so in this case a last line marks this text as the one to execute.
    """
    lines = code.split("\n")
    replaced = False
    # From the end, so that the positions of earlier statements stay right.
    for statement, top in reversed(gone):
        first, end = statement.lineno - 1, _end(statement) - 1
        # Python counts columns in bytes of UTF-8.
        before = lines[first].encode()[: statement.col_offset].decode()
        after = lines[end].encode()[statement.end_col_offset :].decode().lstrip(" \t;")
        if top and not before.strip() and (not after or after.startswith("#")):
            lines[first : end + 1] = [_HELD_BACK + line for line in lines[first : end + 1]]
            continue
        replaced = True
        if first == end:
            lines[first] = f"{before}pass" + (f"; {after}" if after else "")
            continue
        indent = before[: len(before) - len(before.lstrip())]
        inside = [_HELD_BACK + line for line in lines[first + 1 : end]]
        lines[first : end + 1] = [f"{before}pass", *inside, indent + after if after else ""]
    return "\n".join([*lines, _EXECUTED_AS_READ] if replaced and tell else lines)
