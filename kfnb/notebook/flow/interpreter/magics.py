"""What IPython's calls do to names: shell lines, line magics and cell magics.

Sources: IPython's documentation of its built-in magics and of ``var_expand``
(``{expression}`` and ``$name`` are interpolated, ``{{`` and ``$$`` are not; where
one of them cannot be evaluated the text stays as it is).
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator

from kfnb.notebook.effects.names_in_strings import names_in_sql
from kfnb.notebook.flow.interpreter.callables import Arguments
from kfnb.notebook.flow.interpreter.calls import OptionalReads, is_shell
from kfnb.notebook.flow.interpreter.object_kinds import NO_OBJECTS, Objects
from kfnb.notebook.flow.interpreter.objects.numbering import Numbering
from kfnb.notebook.flow.interpreter.statements import Statements
from kfnb.notebook.flow.interpreter.tables import magic_tables

_DOLLAR = re.compile(r"(?<!\$)\$([A-Za-z_]\w*)")
_BRACES = re.compile(r"(?<!\{)\{([^{}]+)\}(?!\})")
_OUTPUTS = re.compile(r"--(?:out|err|proc)[= ]+(\w+)")

_SQL_RESULT = re.compile(r"^\s*([^\W\d]\w*)\s*<<", re.MULTILINE)
_NO_ARGUMENTS = Arguments()
_SHELL_METHODS = frozenset(("system", "getoutput", "system_raw", "system_piped"))


class Interpreter(Statements):
    """The whole interpreter: statements, with what IPython's transformation makes of magics."""

    def __init__(self, numbering: Numbering | None = None) -> None:
        super().__init__(numbering)
        # Trees of code in strings.
        self._trees = self.numbering.trees

    def magic(self, node: ast.Call, method: str) -> Objects | None:
        """Go through a call on ``get_ipython()``."""
        words = [a.value if isinstance(a, ast.Constant) else None for a in node.args]
        texts = [w for w in words if isinstance(w, str)]
        # A command that is computed cannot be read.
        if len(texts) != len(node.args) or not texts:
            return None
        if method in _SHELL_METHODS:
            self._interpolated(texts[0], node.lineno)
            self.record.effect = True
            return self.fresh(node)
        if method == "run_line_magic" and len(texts) == 2:
            return self._line_magic(node, texts[0].lstrip("%"), texts[1])
        if method == "run_cell_magic" and len(texts) == 3:
            return self._cell_magic(node, texts[0].lstrip("%"), texts[1], texts[2])
        if method in ("run_cell", "ex", "ev"):
            result = self.execute_text(texts[0], node.lineno)
            if result is None:
                self.opaque(node.lineno)
            return self.fresh(node)
        return None

    def _line_magic(self, node: ast.Call, name: str, line: str) -> Objects:
        record = self.record
        record.effect = True
        if name in magic_tables.RUN_MAGICS:
            # Options such as -r or -f NAME come before the statement.
            statement = line if name == "time" else _without_options(line)
            result = self.execute_text(statement, node.lineno, expression=True)
            if (
                result is None
                and statement.strip()
                and self.execute_text(statement, node.lineno) is None
            ):
                self.opaque(node.lineno)
            return result or NO_OBJECTS
        if name in magic_tables.TIMED_MAGICS:
            self._timed(_without_options(line), node.lineno)
            return self.fresh(node)
        if name == "capture":
            for word in line.split():
                if word.isidentifier():
                    self.bind(word, self.fresh(node))
            return NO_OBJECTS
        if name == "store":
            self._store(node, line)
            return NO_OBJECTS
        if name == "xdel":
            for word in line.split():
                if word.isidentifier():
                    self.read(word, node.lineno)
                    self.unbind(word)
            return NO_OBJECTS
        # Asking about a name (`x?`) does not fail if the name does not exist.
        if name in magic_tables.ASKS_MAGICS:
            with OptionalReads(self):
                for word in re.findall(r"[A-Za-z_]\w*", line)[:1]:
                    self.read(word, node.lineno, call=True)
            return NO_OBJECTS
        # It imports all names of NumPy and pyplot, as `from … import *` does.
        if name == "pylab":
            record.star = True
            return NO_OBJECTS
        if name == "sql":
            return self._sql(node, line)
        self._interpolated(line, node.lineno)
        if name not in magic_tables.QUIET_MAGICS:
            self.opaque(node.lineno)
        return self.fresh(node)

    def _cell_magic(self, node: ast.Call, name: str, line: str, body: str) -> Objects:
        self.record.effect = True
        if name == "capture":
            self.execute_text(body, node.lineno + 1)
            return self._line_magic(node, name, line)
        if name in magic_tables.RUN_MAGICS:
            if self.execute_text(body, node.lineno + 1) is None:
                self.opaque(node.lineno)
            return NO_OBJECTS
        if name in magic_tables.TIMED_MAGICS:
            self._timed(_without_options(line), node.lineno)
            self._timed(body, node.lineno + 1)
            return NO_OBJECTS
        if name == "sql":
            return self._sql(node, f"{line}\n{body}")
        self._interpolated(line, node.lineno)
        for bound in _OUTPUTS.findall(line):
            self.bind(bound, self.fresh(node, NO_OBJECTS))
        if name not in magic_tables.QUIET_MAGICS:
            self.opaque(node.lineno)
        return self.fresh(node)

    def _sql(self, node: ast.Call, text: str) -> Objects:
        """Read the frames that a query names; ``name << SELECT …`` binds its result."""
        with OptionalReads(self):
            for name in sorted(names_in_sql(text)):
                if self.names.slots.get(self.key(name)) is not None:
                    self.read(name, node.lineno)
        if (target := _SQL_RESULT.search(text)) is not None:
            self.bind(target[1], self.fresh(node, NO_OBJECTS))
        return self.fresh(node)

    def _store(self, node: ast.Call, line: str) -> None:
        words = [w for w in line.split() if w.isidentifier()]
        if "-r" in line.split():
            for word in words:
                self.bind(word, self.fresh(node, NO_OBJECTS))
            if not words:
                self.opaque(node.lineno)
        elif not line.startswith("-"):
            for word in words[:1]:
                self.read(word, node.lineno)

    def _timed(self, text: str, line: int) -> None:
        """Go through code that runs in a separate function: it binds no name here."""
        tree = _parsed(text, line)
        if tree is None:
            self.opaque(line)
            return
        self._trees.append(tree)
        self.timed(tree.body)

    def timed(self, body: list[ast.stmt]) -> None:
        """Go through statements that ``%%timeit`` executes in a function."""
        function = ast.parse("def timed(): pass").body[0]
        assert isinstance(function, ast.FunctionDef)
        function.body = body or function.body
        self._trees.append(function)
        for number in self.define(function, "timed"):
            callee = self.heap.callables[number]
            self.apply(callee, _NO_ARGUMENTS, certain=self.doubt == 0, made=None)

    def execute_text(self, text: str, line: int, *, expression: bool = False) -> Objects | None:
        """Go through code that stands in a string; None where it does not parse."""
        if expression:
            value = _expression(text, line)
            if value is not None:
                self._trees.append(value)
                return self.evaluate(value)
            return None
        tree = _parsed(text, line)
        if tree is None:
            return None
        self._trees.append(tree)
        self.execute(tree.body)
        return NO_OBJECTS

    def _interpolated(self, text: str, line: int) -> None:
        """Read the names that IPython puts into a command; what it cannot evaluate stays text."""
        with OptionalReads(self):
            for expression in _interpolations(text):
                value = _expression(expression, line)
                if value is not None:
                    self._trees.append(value)
                    self.evaluate(value)


def _interpolations(text: str) -> Iterator[str]:
    yield from _DOLLAR.findall(text)
    for inner in _BRACES.findall(text):
        yield inner
        if ":" in inner:
            # The part after the colon may be a format, as in f"{x:.2f}".
            yield inner.rpartition(":")[0]
        if "!" in inner:
            yield inner.rpartition("!")[0]


def _parsed(text: str, line: int) -> ast.Module | None:
    if text.lstrip().startswith(("%", "!")) or "\n%" in text or "\n!" in text:
        from kfnb.notebook.transform import transform

        text = transform(text)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    ast.increment_lineno(tree, line - 1)
    return tree


def _expression(text: str, line: int) -> ast.expr | None:
    try:
        value = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    ast.increment_lineno(value, line - 1)
    return value


def _without_options(line: str) -> str:
    """Cut off what stands before the statement: ``-n 10 -o``."""
    words = line.split()
    index = 0
    while index < len(words) and words[index].startswith("-"):
        takes = len(words[index]) == 2 and words[index][1] in "nrpstlfTDm"
        index += 1 + (takes and index + 1 < len(words))
    if not index:
        return line
    try:
        return " ".join(words[index:]) if shlex.split(line) else line
    except ValueError:
        return " ".join(words[index:])


def magic_of(statement: ast.stmt) -> tuple[str, str] | None:
    """Give name and line of a magic that stands alone as a statement."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "run_line_magic"
        and is_shell(call.func.value)
        and len(call.args) == 2
        and all(isinstance(a, ast.Constant) for a in call.args)
    ):
        name, line = (str(a.value) for a in call.args if isinstance(a, ast.Constant))
        return name.lstrip("%"), line
    return None
