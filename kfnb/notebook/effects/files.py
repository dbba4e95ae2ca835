"""Which files a cell reads and writes, as far as its source says so."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from kfnb.notebook.effects.constant_propagation import USUAL, Budget, ConstantWalk
from kfnb.notebook.effects.constants import (
    NotConstantError,
    as_path,
    dotted,
    evaluate,
    imported,
    parse_expression,
)
from kfnb.notebook.effects.file_api_tables import FUNCTIONS, OF_PATHS, Use, effects, uses_of
from kfnb.notebook.effects.shellwords import accesses
from kfnb.notebook.parsed_cell import ParsedCell, parse_code
from kfnb.pipeline import FileUse

Effect = Literal["read", "write", "list"]

_SHELLS = frozenset(("bash", "sh", "system", "sx", "!", "script"))
_WRAPPERS = frozenset(("time", "timeit", "capture", "prun", "memit"))
_SHELL_CALLS = frozenset(
    [
        "os.system",
        "os.popen",
        "subprocess.run",
        "subprocess.call",
        "subprocess.check_call",
        "subprocess.check_output",
        "subprocess.Popen",
    ]
)

_LAST_PARTS = frozenset(name.rpartition(".")[2] for name in (*FUNCTIONS, *_SHELL_CALLS))


def file_uses(
    cell_index: int,
    code: str,
    *,
    constants: Mapping[str, object],
    context: Iterable[str] = (),
) -> tuple[FileUse, ...]:
    """Find the files that a cell names.

    Parameters
    ----------
    cell_index
        The cell's index in the notebook, for the result.
    code
        Its code after IPython's transformation; what does not parse names no file.
    constants
        Values of parameters and constants known where the cell runs; paths as strings.
    context
        Code of cells that ran before in the same step (setup, definitions, earlier
        cells): their imports, functions and constants are known, but the result leaves out
        their files.

    Returns
    -------
    tuple of FileUse
        In source order, without repetitions. Paths are relative to the notebook's
        folder, normalised; absolute and ``../`` paths are kept as such. What is not
        a constant path is left out.
    """
    walk = _Walk(cell_index, constants)
    for earlier in context:
        walk.learn(earlier)
    walk.statements(parse_code(code).shallow_body)
    return tuple(dict.fromkeys(walk.result))


def may_use_files(cells: Iterable[ParsedCell]) -> bool:
    """Whether cells, executed together, have a call that may use a file, in their functions too."""
    imported_names: set[str] = set(USUAL)
    roots: set[str] = set()
    for cell in cells:
        of_cell = cell.derived.get(may_use_files)
        if of_cell is None:
            of_cell = cell.derived[may_use_files] = _roots_of_calls(cell)
        imported_names |= of_cell[0]
        roots |= of_cell[1]
        if "" in roots:
            return True
    return not imported_names.isdisjoint(roots)


def _roots_of_calls(cell: ParsedCell) -> tuple[frozenset[str], frozenset[str]]:
    """Give the names that a cell imports, and those on which it calls what may use files.

    An empty name stands for calls that do not depend on what is imported.
    """
    imports: set[str] = set()
    # A tree that is too deep is not searched, so it may contain any call.
    roots: set[str] = {""} if cell.deep else set()
    for node in cell.nodes_of(ast.Call, ast.Import, ast.ImportFrom):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name):
                roots |= {""} if _is_of_files(function.id) else set()
            elif isinstance(function, ast.Attribute):
                name = dotted(function, {})
                if name is None and isinstance(function.value, ast.Call):
                    roots |= {""} if dotted(function.value.func, {}) == "get_ipython" else set()
                if function.attr in OF_PATHS or uses_of(None, function.attr):
                    roots.add("")
                elif name is not None and function.attr in _LAST_PARTS:
                    roots.add(name.partition(".")[0])
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            imports |= imported(node).keys()
            # A function that was imported like this is called without the name of its module.
            if isinstance(node, ast.ImportFrom) and any(_is_of_files(a.name) for a in node.names):
                roots.add("")
    return frozenset(imports), frozenset(roots)


def _is_of_files(name: str) -> bool:
    return name in OF_PATHS or name in _LAST_PARTS or bool(uses_of(None, name))


class FileReader:
    """Finds the files of one step's cells, one after the other, without reading any twice."""

    def __init__(self, constants: Mapping[str, object], budget: Budget | None = None) -> None:
        self._walk = _Walk(-1, constants, budget)

    def fork(self) -> FileReader:
        """Give a reader that knows as much as this one."""
        other = FileReader({})
        other._walk = self._walk.fork(-1)
        return other

    def read(self, cell: int, body: Sequence[ast.stmt]) -> tuple[FileUse, ...]:
        """Go through a cell that runs next; gives the files that it names."""
        self._walk = self._walk.fork(cell)
        self._walk.statements(body)
        return tuple(dict.fromkeys(self._walk.result))


class _Walk(ConstantWalk):
    """Notes the files that calls use."""

    def __init__(
        self, cell: int, constants: Mapping[str, object], budget: Budget | None = None
    ) -> None:
        super().__init__(constants, budget)
        self.cell = cell
        self.result: list[FileUse] = []
        # The working directory as seen from the notebook's folder; None after a change to an
        # unknown one.
        self.moved: str | None = ""

    def fork(self, cell: int) -> _Walk:
        """Go on in another cell."""
        other = _Walk(cell, {}, self.budget)
        other.values, other.markers = dict(self.values), dict(self.markers)
        other.modules, other.functions = dict(self.modules), dict(self.functions)
        other.moved = self.moved
        return other

    def learn(self, code: str) -> None:
        """Take over what an earlier cell binds, but not the files it uses."""
        count = len(self.result)
        self.statements(parse_code(code).shallow_body)
        del self.result[count:]

    def call(self, node: ast.Call) -> None:
        name = dotted(node.func, self.modules)
        attribute = node.func.attr if isinstance(node.func, ast.Attribute) else (name or "")
        if isinstance(node.func, ast.Call) and dotted(node.func.func, {}) == "get_ipython":
            return
        if isinstance(node.func, ast.Name) and node.func.id in self.functions:
            self.enter(node, self.functions[node.func.id])
        elif (
            isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Call)
            and dotted(node.func.value.func, {}) == "get_ipython"
        ):
            self.ipython(node, attribute)
        elif name in _SHELL_CALLS:
            self.subprocess(node)
        elif name == "os.chdir":
            self.chdir(node)
        elif isinstance(node.func, ast.Attribute) and (uses := OF_PATHS.get(attribute)):
            # Methods with these names belong to other objects too, so the path has to be known.
            try:
                as_path(self.value(node.func.value))
            except NotConstantError:
                self.uses(node, uses_of(name, attribute))
            else:
                self.uses(node, uses)
        else:
            self.uses(node, uses_of(name, name.rsplit(".", 1)[-1] if name else attribute))

    def uses(self, node: ast.Call, uses: Sequence[Use]) -> None:
        for use in uses:
            argument = _argument(node, use)
            if argument is None:
                # Without an argument the working directory is listed.
                if use.effect == "list" and not node.args and not node.keywords:
                    self.note("list", ".", ".", node.lineno)
                continue
            if use.effect == "mode":
                mode = _mode(self, node, use)
                # A mode that is computed may mean reading or writing.
                if mode is None:
                    continue
                kinds: tuple[Effect, ...] = effects(mode)
            else:
                kinds = ("read", "write") if use.effect == "both" else (use.effect,)
            try:
                value = self.value(argument)
                # A path object would make one slash of the two in an address.
                path = value if isinstance(value, str) else str(as_path(value))
                template = str(self.template(argument, self.markers))
            except NotConstantError:
                continue
            if use.suffix and not path.endswith(use.suffix):
                path, template = path + use.suffix, template + use.suffix
            for effect in kinds:
                self.note(effect, path, template, node.lineno)

    def note(self, effect: Effect, path: str, template: str, line: int) -> None:
        path, template = self.placed(path), self.placed(template)
        # A folder can be listed, but not read or written as a file.
        if path == "." and effect != "list":
            return
        # Addresses, databases in memory and text that was passed as content are no files.
        if not path or path == ":memory:" or "://" in path or "\0" in path or "\n" in path:
            return
        # Where it happens inside a function, the line that matters is the call in this cell.
        line = self.line or line + self.offset
        self.result.append(FileUse(path, template, effect, self.cell, line))

    def placed(self, path: str) -> str:
        if not path or "://" in path:
            return path
        if not path.startswith(("/", "~")):
            # The folder is unknown after a move to a computed path, so a relative path is, too.
            if self.moved is None:
                return ""
            path = posixpath.join(self.moved, path)
        normal = posixpath.normpath(path)
        # POSIX allows two leading slashes to mean something else, and normpath keeps them.
        return normal[1:] if normal.startswith("//") else normal

    def chdir(self, node: ast.Call) -> None:
        try:
            self.moved = self.placed(str(as_path(self.value(node.args[0]))))
        except (NotConstantError, IndexError):
            self.moved = None

    def fill(self, markers: Mapping[str, object], word: str) -> str | None:
        """Put constants for ``{name}``, ``$name`` and ``${name}``; None where one is not known."""
        unknown = False

        def put(match: re.Match[str]) -> str:
            nonlocal unknown
            name = match.group(1) or match.group(2) or match.group(3)
            try:
                return str(evaluate(parse_expression(name), markers, self.modules))
            except NotConstantError:
                unknown = True
                return ""

        filled = re.sub(r"\$\{([^{}]+)\}|\{([^{}]+)\}|\$(\w+)", put, word)
        return None if unknown else filled

    def shell(self, command: str, line: int) -> None:
        templates = list(accesses(command, lambda word: self.fill(self.markers, word)))
        accessed = list(accesses(command, lambda word: self.fill(self.values, word)))
        # Putting in the names may change how the command splits into words.
        if len(templates) != len(accessed):
            templates = accessed
        for (effect, path), (_, template) in zip(accessed, templates, strict=True):
            self.note(effect, path, template, line)

    def subprocess(self, node: ast.Call) -> None:
        try:
            command = self.value(node.args[0])
        except (NotConstantError, IndexError):
            return
        if isinstance(command, str):
            self.shell(command, node.lineno)
        elif isinstance(command, (list, tuple)):
            self.shell(" ".join(_quoted(str(word)) for word in command), node.lineno)

    def ipython(self, node: ast.Call, method: str) -> None:
        """Read what IPython makes of ``!command``, ``%magic`` and ``%%magic``."""
        texts = [a.value if isinstance(a, ast.Constant) else None for a in node.args]
        words = [t for t in texts if isinstance(t, str)]
        if len(words) != len(texts) or not words:
            return
        if method in ("system", "getoutput", "getoutput_detailed"):
            self.shell(words[0], node.lineno)
        elif method in ("run_line_magic", "run_cell_magic") and len(words) >= 2:
            self.magic(words[0], words[1], words[2] if len(words) > 2 else None, node.lineno)

    def magic(self, name: str, line: str, body: str | None, number: int) -> None:
        if body is not None and name in ("writefile", "file"):
            *flags, target = line.split() or [""]
            path, template = self.fill(self.values, target), self.fill(self.markers, target)
            for effect in effects("a" if "-a" in flags else "w"):
                if path:
                    self.note(effect, path, template or path, number)
        elif name in _SHELLS:
            self.shell(body if body is not None else line, number)
        elif name in _WRAPPERS:
            inner = body if body is not None else line
            # The lines of the inner code count from its own beginning.
            outer, self.offset = self.offset, self.offset + number - (body is None)
            self.statements(parse_code(inner).shallow_body)
            self.offset = outer
        elif name in ("run", "load") and (script := line.split(maxsplit=1)[:1]):
            self.note("read", script[0], script[0], number)
        elif name == "cd":
            # Without a path, %cd goes to the home folder, which is unknown here.
            self.moved = self.placed(line.strip().strip("'\"")) if line.strip() else None


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[\w./{}$+,:@%^=-]+", word) else "'" + word.replace("'", "") + "'"


def _argument(node: ast.Call, use: Use) -> ast.expr | None:
    if use.position == -1:
        return node.func.value if isinstance(node.func, ast.Attribute) else None
    if use.position < len(node.args):
        return node.args[use.position]
    return next((k.value for k in node.keywords if k.arg in use.keywords), None)


def _mode(walk: _Walk, node: ast.Call, use: Use) -> str | None:
    given = node.args[use.mode_position] if use.mode_position < len(node.args) else None
    given = given or next((k.value for k in node.keywords if k.arg == "mode"), None)
    if given is None:
        return use.default_mode
    try:
        return str(walk.value(given))
    except NotConstantError:
        return None
