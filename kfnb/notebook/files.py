"""Which files a cell reads and writes, as far as its source says so."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from kfnb.notebook.constants import (
    PATH_CLASSES,
    NotConstantError,
    as_path,
    dotted,
    evaluate,
    imported,
    placeholders,
)
from kfnb.notebook.filecalls import OF_PATHS, Use, effects, uses_of
from kfnb.notebook.shellwords import accesses
from kfnb.pipeline import FileUse

Function = ast.FunctionDef | ast.AsyncFunctionDef

# What the names mean where the import stands in a cell that was not handed over.
USUAL = {
    "np": "numpy",
    "pd": "pandas",
    "pl": "polars",
    "plt": "matplotlib.pyplot",
    "pq": "pyarrow.parquet",
    "Path": "pathlib.Path",
    "Image": "PIL.Image",
    "ZipFile": "zipfile.ZipFile",
}
_MOST_ITERATIONS = 64
_DEEPEST_CALL = 4
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
        cells): their imports, functions and constants are known, their files are not told.

    Returns
    -------
    tuple of FileUse
        In source order, without repetitions. Paths are relative to the notebook's
        folder, normalised; absolute and ``../`` paths are kept as such. What is not
        a constant path is left out.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return ()
    walk = _Walk(cell_index, constants)
    for earlier in context:
        walk.learn(earlier)
    walk.statements(tree.body)
    return tuple(dict.fromkeys(walk.found))


class _Walk:
    """Goes through statements in order, keeping what names are known to be."""

    def __init__(self, cell: int, constants: Mapping[str, object]) -> None:
        self.cell = cell
        self.values: dict[str, object] = dict(constants)
        self.markers: dict[str, object] = placeholders(constants)
        self.modules: dict[str, str] = dict(USUAL)
        self.functions: dict[str, Function] = {}
        self.found: list[FileUse] = []
        self.calls: list[str] = []
        self.line: int | None = None
        self.offset = 0
        self.moved: str | None = ""

    def learn(self, code: str) -> None:
        """Take over what an earlier cell binds, but not the files it uses."""
        try:
            tree = ast.parse(code)
        except (SyntaxError, ValueError, RecursionError):
            return
        kept = len(self.found)
        self.statements(tree.body)
        del self.found[kept:]

    def statements(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self.functions[node.name] = node
            self.forget((node.name,), keep_function=True)
            for expression in [*node.decorator_list, *node.args.defaults]:
                self.expression(expression)
        elif isinstance(node, ast.ClassDef):
            before = dict(self.values), dict(self.markers)
            self.statements(
                [s for s in node.body if not isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef))]
            )
            self.values, self.markers = before
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = imported(node)
            self.forget(names)
            self.modules.update(names)
        elif isinstance(node, ast.Assign):
            self.expression(node.value)
            for target in node.targets:
                self.bind(target, node.value)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self.expression(node.value)
                self.bind(node.target, node.value)
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            self.loop(node)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                self.expression(item.context_expr)
                if item.optional_vars is not None:
                    self.forget(_bound(item.optional_vars))
            self.statements(node.body)
        else:
            self.branches(node)

    def loop(self, node: ast.For | ast.AsyncFor) -> None:
        """Take a loop over few constants apart, so that each path is known."""
        self.expression(node.iter)
        turns = self.turns(node.iter)
        if turns is None:
            self.forget(_bound(node.target))
            self.branch(node.body)
        else:
            for turn in turns:
                self.bind_value(node.target, turn)
                self.statements(node.body)
        self.branch(node.orelse)

    def turns(self, node: ast.expr) -> list[object] | None:
        try:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                arguments = [self.value(a) for a in node.args]
                if node.func.id == "range" and arguments:
                    whole = range(*arguments)
                    return list(whole) if len(whole) <= _MOST_ITERATIONS else None
                if node.func.id == "enumerate" and len(arguments) == 1:
                    return [tuple(pair) for pair in enumerate(arguments[0])]
                return None
            items = self.value(node)
        except (NotConstantError, TypeError, ValueError):
            return None
        short = isinstance(items, (list, tuple)) and len(items) <= _MOST_ITERATIONS
        return list(items) if short else None

    def branches(self, node: ast.stmt) -> None:
        """Walk any other statement: its expressions, then each block as one that may not run."""
        for _, field in ast.iter_fields(node):
            if isinstance(field, ast.expr):
                self.expression(field)
            elif isinstance(field, list):
                for item in field:
                    if isinstance(item, ast.expr):
                        self.expression(item)
                    elif isinstance(item, (ast.ExceptHandler, ast.match_case)):
                        self.branch(item.body)
                blocks = [item for item in field if isinstance(item, ast.stmt)]
                if blocks:
                    self.branch(blocks)
        if isinstance(node, ast.AugAssign):
            self.forget(_bound(node.target))

    def branch(self, body: Sequence[ast.stmt]) -> None:
        before = dict(self.values)
        self.statements(body)
        for name in [n for n, v in self.values.items() if n not in before or before[n] != v]:
            self.forget((name,))
        for name in before.keys() - self.values.keys():
            self.forget((name,))

    def value(self, node: ast.expr) -> Any:
        return evaluate(node, self.values, self.modules)

    def bind(self, target: ast.expr, source: ast.expr) -> None:
        try:
            value = self.value(source)
        except NotConstantError:
            self.forget(_bound(target))
            return
        self.bind_value(target, value)
        if isinstance(target, ast.Name):
            try:
                self.markers[target.id] = evaluate(source, self.markers, self.modules)
            except NotConstantError:
                self.markers[target.id] = value

    def bind_value(self, target: ast.expr, value: object) -> None:
        if isinstance(target, ast.Name):
            self.forget((target.id,))
            self.values[target.id] = self.markers[target.id] = value
        elif (
            isinstance(target, (ast.Tuple, ast.List))
            and isinstance(value, (tuple, list))
            and len(value) == len(target.elts)
        ):
            for element, part in zip(target.elts, value, strict=True):
                self.bind_value(element, part)
        else:
            self.forget(_bound(target))

    def forget(self, names: Iterable[str], *, keep_function: bool = False) -> None:
        for name in names:
            self.values.pop(name, None)
            self.markers.pop(name, None)
            self.modules.pop(name, None)
            if not keep_function:
                self.functions.pop(name, None)

    def expression(self, node: ast.expr) -> None:
        """Look at every call of an expression, inner ones first; lambdas are not called here."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr) and not isinstance(child, ast.Lambda):
                self.expression(child)
            elif isinstance(child, ast.keyword):
                self.expression(child.value)
            elif isinstance(child, ast.comprehension):
                self.expression(child.iter)
        if isinstance(node, ast.Call):
            self.call(node)
        elif isinstance(node, ast.NamedExpr):
            self.bind(node.target, node.value)

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
            try:
                as_path(self.value(node.func.value))
            except NotConstantError:
                self.uses(node, uses_of(name, attribute))
            else:
                self.uses(node, uses)
        else:
            self.uses(node, uses_of(name, name.rsplit(".", 1)[-1] if name else attribute))

    def enter(self, node: ast.Call, function: Function) -> None:
        """Walk the body of a function of the notebook as this call would, its lines the call's."""
        if function.name in self.calls or len(self.calls) >= _DEEPEST_CALL:
            return
        before = self.values, self.markers, self.modules, self.functions, self.line
        self.values, self.markers = dict(self.values), dict(self.markers)
        self.modules, self.functions = dict(self.modules), dict(self.functions)
        self.line = self.line or node.lineno + self.offset
        self.calls.append(function.name)
        for parameter, argument in _arguments(function, node):
            if argument is None:
                self.forget((parameter,), keep_function=True)
                continue
            caller = self.values
            self.values = before[0]
            try:
                value, marker = self.value(argument), self.template(argument, before[1])
            except NotConstantError:
                self.values = caller
                self.forget((parameter,), keep_function=True)
            else:
                self.values = caller
                self.values[parameter], self.markers[parameter] = value, marker
        self.statements(function.body)
        self.calls.pop()
        self.values, self.markers, self.modules, self.functions, self.line = before

    def template(self, node: ast.expr, markers: Mapping[str, object]) -> object:
        try:
            return evaluate(node, markers, self.modules)
        except NotConstantError:
            return self.value(node)

    def uses(self, node: ast.Call, uses: Sequence[Use]) -> None:
        for use in uses:
            argument = _argument(node, use)
            if argument is None:
                continue
            if use.effect == "mode":
                mode = _mode(self, node, use)
                if mode is None:
                    continue
                found = effects(mode)
            else:
                found = ("read", "write") if use.effect == "both" else (use.effect,)
            try:
                value = self.value(argument)
                # A path object would make one slash of the two in an address.
                path = value if isinstance(value, str) else str(as_path(value))
                template = str(self.template(argument, self.markers))
            except NotConstantError:
                continue
            if use.suffix and not path.endswith(use.suffix):
                path, template = path + use.suffix, template + use.suffix
            for effect in found:
                self.note(effect, path, template, node.lineno)

    def note(self, effect: Literal["read", "write"], path: str, template: str, line: int) -> None:
        path, template = self.placed(path), self.placed(template)
        if not path or path in (".", ":memory:") or "://" in path or "\0" in path or "\n" in path:
            return
        # Where it happens inside a function, the line that matters is the call in this cell.
        line = self.line or line + self.offset
        self.found.append(FileUse(path, template, effect, self.cell, line))

    def placed(self, path: str) -> str:
        if not path or "://" in path:
            return path
        if not path.startswith(("/", "~")):
            if self.moved is None:
                return ""
            path = posixpath.join(self.moved, path)
        normal = posixpath.normpath(path)
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
                return str(evaluate(ast.parse(name, mode="eval").body, markers, self.modules))
            except (NotConstantError, SyntaxError, ValueError):
                unknown = True
                return ""

        filled = re.sub(r"\$\{([^{}]+)\}|\{([^{}]+)\}|\$(\w+)", put, word)
        return None if unknown else filled

    def shell(self, command: str, line: int) -> None:
        templates = list(accesses(command, lambda word: self.fill(self.markers, word)))
        found = list(accesses(command, lambda word: self.fill(self.values, word)))
        if len(templates) != len(found):
            templates = found
        for (effect, path), (_, template) in zip(found, templates, strict=True):
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
            try:
                tree = ast.parse(inner)
            except (SyntaxError, ValueError):
                return
            outer, self.offset = self.offset, self.offset + number - (body is None)
            self.statements(tree.body)
            self.offset = outer
        elif name in ("run", "load") and (script := line.split(maxsplit=1)[:1]):
            self.note("read", script[0], script[0], number)
        elif name == "cd":
            self.moved = self.placed(line.strip().strip("'\"")) if line.strip() else None


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[\w./{}$+,:@%^=-]+", word) else "'" + word.replace("'", "") + "'"


def _bound(target: ast.expr) -> Iterator[str]:
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


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


def _arguments(function: Function, call: ast.Call) -> Iterator[tuple[str, ast.expr | None]]:
    """Pair each parameter of a function with what a call gives it (None: not known)."""
    positional = [*function.args.posonlyargs, *function.args.args]
    given = {k.arg: k.value for k in call.keywords if k.arg}
    defaults = dict(
        zip([a.arg for a in positional][::-1], function.args.defaults[::-1], strict=False)
    )
    defaults |= {
        a.arg: d
        for a, d in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        if d is not None
    }
    plain = not any(isinstance(a, ast.Starred) for a in call.args)
    for index, parameter in enumerate([*positional, *function.args.kwonlyargs]):
        name = parameter.arg
        if plain and index < len(positional) and index < len(call.args):
            yield name, call.args[index]
        else:
            yield name, given.get(name, defaults.get(name))


__all__ = ["PATH_CLASSES", "USUAL", "file_uses"]
