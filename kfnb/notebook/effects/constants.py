"""Work out the value of an expression that is made of constants only, without executing it.

Paths are what this is for: literals, ``Path("a") / "b"``, ``os.path.join``,
f-strings, ``.format``, ``%`` and ``+``, over names whose values are known.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from kfnb.notebook.parsed_cell import parse_code
from kfnb.notebook.syntax_trees import attribute_chain

# Nothing that is longer can be a path or a short list of paths.
_LONGEST_TEXT = 4096
_LONGEST_LIST = 10_000
_LARGEST_NUMBER = 2**64
# A width such as {:>1000000000} would make a huge text.
_HUGE_WIDTH = re.compile(r"[<>^=.:0]\d{4,}|%[-+ #0]*\d{4,}")


class NotConstantError(Exception):
    """The expression is not one of constants."""


class Placeholder(str):
    """Stands for a constant in a template: ``{name}`` whatever the format asked for."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        """Leave the format aside: a template shows where a name stands, not how it is printed."""
        del spec
        return str(self)


def placeholders(constants: Mapping[str, object]) -> dict[str, object]:
    """Give every constant that may be part of a path its ``{name}``."""
    return {
        name: Placeholder("{" + name + "}")
        if isinstance(value, (str, int, float, PurePosixPath)) and not isinstance(value, bool)
        else value
        for name, value in constants.items()
    }


def evaluate(node: ast.expr, names: Mapping[str, object], modules: Mapping[str, str]) -> Any:
    """Evaluate an expression of constants.

    Parameters
    ----------
    node
        The expression.
    names
        The values known where it stands.
    modules
        What imported names stand for: ``{"np": "numpy", "Path": "pathlib.Path"}``.

    Raises
    ------
    NotConstantError
        Where any part of it is not known, or evaluating it fails.
    """
    try:
        value = _Evaluation(names, modules).of(node)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError) as error:
        raise NotConstantError from error
    return value


def may_be_constant(node: ast.expr) -> bool:
    """Return False for the forms of expressions that :func:`evaluate` never evaluates."""
    if isinstance(node, ast.Call):
        function = node.func
        if isinstance(function, ast.Name):
            # The classes of paths begin with a capital letter.
            return function.id in _FUNCTIONS or function.id[:1].isupper()
        known = _STRING_METHODS | _PATH_METHODS | _PATH_SAME | _LAST_PARTS
        return isinstance(function, ast.Attribute) and function.attr in known
    return isinstance(node, ast.Constant) or hasattr(_Evaluation, "_" + type(node).__name__.lower())


def parse_expression(text: str) -> ast.expr:
    """Parse a text that should be one expression.

    Raises
    ------
    NotConstantError
        If it is not one.
    """
    body = parse_code(text.strip()).shallow_body
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        raise NotConstantError
    return body[0].value


def dotted(node: ast.expr, modules: Mapping[str, str]) -> str | None:
    """``np.random.seed`` as ``numpy.random.seed``; None where it is no plain dotted name."""
    names = attribute_chain(node)
    if names is None:
        return None
    first, *rest = names
    return ".".join([modules.get(first, first), *rest])


def imported(statement: ast.stmt) -> dict[str, str]:
    """Tell which names an import statement binds, and to what."""
    if isinstance(statement, ast.Import):
        return {a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0]
                for a in statement.names}  # fmt: skip
    if isinstance(statement, ast.ImportFrom) and not statement.level and statement.module:
        return {a.asname or a.name: f"{statement.module}.{a.name}" for a in statement.names}
    return {}


def as_path(value: object) -> PurePosixPath:
    """Take a string or path as a path; anything else is unknown."""
    if isinstance(value, PurePosixPath):
        return value
    if isinstance(value, str):
        return PurePosixPath(value)
    raise NotConstantError


PATH_CLASSES = frozenset(
    f"pathlib.{name}" for name in ("Path", "PurePath", "PosixPath", "PurePosixPath")
)

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "os.path.join": lambda *parts: str(PurePosixPath(*map(as_path, parts))),
    "os.path.abspath": lambda p: str(as_path(p)),
    "os.path.normpath": lambda p: posixpath.normpath(str(as_path(p))),
    "os.path.realpath": lambda p: str(as_path(p)),
    "os.path.dirname": lambda p: posixpath.dirname(str(as_path(p))),
    "os.path.basename": lambda p: posixpath.basename(str(as_path(p))),
    "os.fspath": lambda p: str(as_path(p)),
    # Paths are relative to the notebook's folder, which is the working directory.
    "os.getcwd": lambda: ".",
    "pathlib.Path.cwd": lambda: PurePosixPath("."),
    "str": str,
    "int": int,
    "float": float,
}

# Methods of strings that give a string however they are called.
_STRING_METHODS = frozenset(
    [
        "format",
        "lower",
        "upper",
        "strip",
        "lstrip",
        "rstrip",
        "title",
        "capitalize",
        "replace",
        "removeprefix",
        "removesuffix",
        "casefold",
        "zfill",
        "join",
        "split",
    ]
)
_PATH_METHODS = frozenset(["joinpath", "with_suffix", "with_name", "with_stem", "as_posix"])
# These methods give another path to the same file.
_PATH_SAME = frozenset(("resolve", "absolute", "expanduser"))
_LAST_PARTS = frozenset(
    name.rsplit(".", 1)[-1] for name in (*_FUNCTIONS, *PATH_CLASSES) if "." in name
)
_PATH_ATTRIBUTES = frozenset(("parent", "name", "stem", "suffix"))


def _bounded(value: Any) -> Any:
    """Return a value of moderate size, so that no computation with it takes long.

    Raises
    ------
    NotConstantError
        If it is larger.
    """
    if isinstance(value, (str, bytes)):
        large = len(value) > _LONGEST_TEXT
    elif isinstance(value, (list, tuple, dict)):
        large = _leaves(value, _LONGEST_LIST) < 0
    else:
        large = isinstance(value, int) and abs(value) > _LARGEST_NUMBER
    if large:
        raise NotConstantError
    return value


def _leaves(value: Any, budget: int) -> int:
    """Return what is left of ``budget`` after one for each value inside; below 0 if too little."""
    budget -= 1
    if isinstance(value, (list, tuple, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            if budget < 0:
                break
            if isinstance(part, (list, tuple, dict)):
                budget = _leaves(part, budget)
            else:
                budget -= 1
    return budget


_DISPLAYS = frozenset((ast.List, ast.Tuple, ast.Dict))


class _Evaluation:
    def __init__(self, names: Mapping[str, object], modules: Mapping[str, str]) -> None:
        self.names = names
        self.modules = modules
        self._in_display = False

    def of(self, node: ast.expr) -> Any:
        kind = type(node)
        if kind is ast.Constant:
            return _bounded(node.value)  # type: ignore[attr-defined]
        method = getattr(self, "_" + kind.__name__.lower(), None)
        if method is None:
            raise NotConstantError
        # The leaves of a display within a display are counted with the outer one's.
        inner, self._in_display = self._in_display, kind in _DISPLAYS
        value = method(node)
        counted, self._in_display = inner and kind in _DISPLAYS, inner
        return value if counted else _bounded(value)

    def _name(self, node: ast.Name) -> Any:
        if node.id not in self.names:
            raise NotConstantError
        return self.names[node.id]

    def _tuple(self, node: ast.Tuple) -> Any:
        return tuple(self.of(e) for e in node.elts)

    def _list(self, node: ast.List) -> Any:
        return [self.of(e) for e in node.elts]

    def _dict(self, node: ast.Dict) -> Any:
        return {self.of(k): self.of(v) for k, v in zip(node.keys, node.values, strict=True) if k}

    def _subscript(self, node: ast.Subscript) -> Any:
        return self.of(node.value)[self.of(node.slice)]

    def _joinedstr(self, node: ast.JoinedStr) -> str:
        return "".join(str(self.of(part)) for part in node.values)

    def _formattedvalue(self, node: ast.FormattedValue) -> str:
        value = self.of(node.value)
        if node.conversion != -1:
            value = repr(value) if chr(node.conversion) == "r" else str(value)
        spec = str(self.of(node.format_spec)) if node.format_spec else ""
        if _HUGE_WIDTH.search(spec):
            raise NotConstantError
        return format(value, spec)

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.USub):
            return -self.of(node.operand)
        raise NotConstantError

    def _binop(self, node: ast.BinOp) -> Any:
        left, right = self.of(node.left), self.of(node.right)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mod):
            if isinstance(left, str) and _HUGE_WIDTH.search(left):
                raise NotConstantError
            return left % right
        if isinstance(node.op, ast.Div):
            # A constant that is a path is handed over as a string.
            return (
                left / right if isinstance(left, (int, float)) else as_path(left) / as_path(right)
            )
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        if isinstance(node.op, ast.Mult) and numbers:
            return left * right
        raise NotConstantError

    def _attribute(self, node: ast.Attribute) -> Any:
        name = dotted(node, self.modules)
        if name in ("os.sep", "os.path.sep"):
            return "/"
        if node.attr in _PATH_ATTRIBUTES:
            return getattr(as_path(self.of(node.value)), node.attr)
        raise NotConstantError

    def _call(self, node: ast.Call) -> Any:
        if any(k.arg is None for k in node.keywords):
            raise NotConstantError
        name = dotted(node.func, self.modules)
        args = [self.of(a) for a in node.args]
        keywords = {str(k.arg): self.of(k.value) for k in node.keywords}
        if name in PATH_CLASSES:
            return PurePosixPath(*map(as_path, args))
        if name in _FUNCTIONS:
            return _FUNCTIONS[name](*args, **keywords)
        if not isinstance(node.func, ast.Attribute):
            raise NotConstantError
        receiver = self.of(node.func.value)
        attribute = node.func.attr
        if attribute in _PATH_SAME:
            return as_path(receiver)
        if attribute in _PATH_METHODS:
            return getattr(as_path(receiver), attribute)(*args, **keywords)
        if attribute in _STRING_METHODS and isinstance(receiver, str):
            if attribute == "format":
                # A field may reach into attributes of what it formats; constants need none of it.
                if "._" in receiver or _HUGE_WIDTH.search(receiver):
                    raise NotConstantError
                return receiver.format(*args, **keywords)
            if attribute in ("zfill", "replace", "join") and not _fits(receiver, args):
                raise NotConstantError
            return getattr(receiver, attribute)(*args, **keywords)
        raise NotConstantError


def _fits(receiver: str, arguments: list[Any]) -> bool:
    """Return whether a method of a string gives one of moderate length."""
    width = sum(
        argument if isinstance(argument, int) else len(argument)
        for argument in arguments
        if isinstance(argument, (int, str, list, tuple))
    )
    return (len(receiver) + 1) * (width + 1) <= _LONGEST_TEXT**2 and width <= _LONGEST_LIST
