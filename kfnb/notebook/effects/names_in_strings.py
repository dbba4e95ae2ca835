"""Names of values that stand in strings: SQL over frames, formulas, ``df.query("@x")``.

The libraries look these names up in the frames of their callers. Sources: DuckDB's replacement
scans and Polars' ``sql``, patsy's ``EvalEnvironment``, pandas' ``query`` and ``eval``.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from kfnb.notebook.parsed_cell import ParsedCell

SQL_FUNCTIONS = frozenset(
    (
        "duckdb.sql", "duckdb.query", "duckdb.execute", "duckdb.from_query", "polars.sql",
        "pandasql.sqldf",
    )
)  # fmt: skip
_SQL_METHODS = frozenset(("sql", "execute", "query", "query_df", "from_query", "sqldf"))
_FORMULA_MODULES = ("statsmodels.formula.api.", "patsy.", "formulaic.")
_FORMULA_METHODS = frozenset(("from_formula",))
_PANDAS_METHODS = frozenset(("query", "eval"))
_HOLE = "\0"
"""Stands for a part of a string that is not known."""

CANDIDATES = (
    _SQL_METHODS | _FORMULA_METHODS | _PANDAS_METHODS
    | {"dmatrix", "dmatrices", "model_matrix", "ols", "gls", "wls", "glm", "logit", "probit",
       "poisson", "negativebinomial", "mixedlm", "quantreg", "rlm", "gee", "phreg", "mnlogit",
       "glsar", "ordinal_gee", "nominal_gee", "conditional_logit"}
)  # fmt: skip
"""Last parts of the names of the functions that :func:`names_read` knows."""

_WORD = re.compile(r"[^\W\d]\w*")
_AT_NAME = re.compile(r"@([^\W\d]\w*)")
# Two colons are a cast in SQL.
_INTERPOLATED = re.compile(r"(?<![:\w]):([^\W\d]\w*)|\{\{?\s*([^\W\d]\w*)")
_QUOTED = re.compile(r"'(?:[^']|'')*'")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_CLAUSE = "where|on|join|left|right|inner|outer|full|cross|group|order|limit|union|using"
# A table with its alias; a NUL in it is a part of the string that is not known.
_TABLE = rf'(?:"[^"]+"|[\w.\0]+)(?:\s+(?:as\s+)?(?!(?:{_CLAUSE})\b)\w+)?'
_TABLES = re.compile(
    r"\b(?:from|join|describe|summarize|pivot|unpivot|into|update|table)\s+\(*"
    rf"({_TABLE}(?:\s*,\s*{_TABLE})*)",
    re.IGNORECASE,
)
_WITH = re.compile(
    r'(?:\bwith\s+(?:recursive\s+)?|,\s*)("?\w+"?)\s*(?:\([^)]*\)\s*)?as\s*\(', re.IGNORECASE
)


def names_read(
    node: ast.Call, dotted: str | None, texts: Mapping[str, str], modules: Iterable[str]
) -> frozenset[str] | None:
    """Return the names that a call reads through its string, if they have a value.

    Parameters
    ----------
    dotted
        The name of the function, resolved through imports; None for a method of a value.
    texts
        Strings that names stand for in the whole notebook.
    modules
        Packages that the notebook imports.

    Returns
    -------
    frozenset of str or None
        None where the string is not known, so that any name may be read.
    """
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    packages = {module.split(".")[0] for module in modules}
    if dotted in SQL_FUNCTIONS:
        return _tables(_text(node, 0, ("query", "q"), texts))
    if dotted is not None and dotted.startswith(_FORMULA_MODULES):
        return _identifiers(_text(node, 0, ("formula", "formula_like", "spec"), texts))
    if dotted == "pandas.eval":
        return _identifiers(_text(node, 0, ("expr",), texts))
    if method in _FORMULA_METHODS:
        return _identifiers(_text(node, 0, ("formula",), texts))
    text = _text(node, 0, ("expr", "query", "sql"), texts)
    if text is None:
        # A query of another library is no string: session.query(User).
        if method not in _PANDAS_METHODS:
            return frozenset()
        return None if _is_text(node) else frozenset(_names_in_parts(node))
    names: set[str] = set()
    if method in _PANDAS_METHODS:
        names.update(_AT_NAME.findall(text))
        if _HOLE in text and re.search(rf"@[^\s]*{_HOLE}", text):
            return None
    # Of the libraries with such methods, these look up tables among the variables.
    if method in _SQL_METHODS and packages & {"duckdb", "pandasql"}:
        tables = _tables(text)
        if tables is None:
            return None
        names |= tables
    return frozenset(names)


def names_in_sql(text: str) -> frozenset[str]:
    """Return the tables of a ``%%sql`` cell and the names that it interpolates."""
    names = set(_tables(text) or ())
    names.update(first or second for first, second in _INTERPOLATED.findall(text))
    return frozenset(names)


def constant_texts(cells: Iterable[ParsedCell]) -> dict[str, str]:
    """Return the names that are bound once in a notebook, to a literal string."""
    texts: dict[str, str] = {}
    bound: Counter[str] = Counter()
    for cell in cells:
        names, literals, _ = _bindings(cell)
        bound.update(names)
        texts.update(literals)
    return {name: text for name, text in texts.items() if bound[name] == 1}


def marked_names(cells: Iterable[ParsedCell]) -> frozenset[str]:
    """Return the names that any string of a notebook marks as pandas' queries do, with ``@``."""
    return frozenset().union(*(_bindings(cell)[2] for cell in cells))


def _bindings(cell: ParsedCell) -> tuple[list[str], dict[str, str], frozenset[str]]:
    """Return the names that a cell binds, once for each time, the literals, and ``@x``."""
    known: tuple[list[str], dict[str, str], frozenset[str]] | None = cell.derived.get(_bindings)
    if known is not None:
        return known
    names = [node.id for node in cell.nodes_of(ast.Name) if not isinstance(node.ctx, ast.Load)]
    literals = {
        target.id: statement.value.value
        for statement in cell.shallow_body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name) and isinstance(statement.value.value, str)
    }
    marked = frozenset(
        name
        for node in cell.nodes_of(ast.Constant)
        if isinstance(node.value, str) and "@" in node.value
        for name in _AT_NAME.findall(node.value)
    )
    cell.derived[_bindings] = names, literals, marked
    return names, literals, marked


def _text(
    node: ast.Call, position: int, keywords: tuple[str, ...], texts: Mapping[str, str]
) -> str | None:
    argument = next(
        (k.value for k in node.keywords if k.arg is not None and k.arg in keywords), None
    )
    if argument is None and position < len(node.args):
        argument = node.args[position]
    # Without the argument the call reads no names.
    return _string(argument, texts) if argument is not None else ""


def _string(node: ast.expr, texts: Mapping[str, str]) -> str | None:
    """Return a string with a hole for each part that is not known; None if nothing is known."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return texts.get(node.id)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            (_string(part.value, texts) or _HOLE)
            if isinstance(part, ast.FormattedValue)
            else (_string(part, texts) or "")
            for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _string(node.left, texts), _string(node.right, texts)
        return None if left is None and right is None else (left or _HOLE) + (right or _HOLE)
    return None


def _names_in_parts(node: ast.Call) -> Iterator[str]:
    for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
        for part in ast.walk(argument):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield from _AT_NAME.findall(part.value)


def _is_text(node: ast.Call) -> bool:
    """Return whether the first argument may well be a string."""
    argument = node.args[0] if node.args else None
    if isinstance(argument, ast.Call):
        return isinstance(argument.func, ast.Attribute) and argument.func.attr in ("format", "join")
    return isinstance(argument, (ast.BinOp, ast.JoinedStr))


def _tables(text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    # Words in comments and in quoted texts are not names of tables.
    plain = _QUOTED.sub("''", _COMMENT.sub(" ", text))
    # A WITH clause names tables that exist only in this query.
    own = {name.strip('"').lower() for name in _WITH.findall(plain)}
    names: set[str] = set()
    for items in _TABLES.findall(plain):
        for item in items.split(","):
            word = item.split()[0] if item.split() else ""
            # The name of this table is unknown, so it may be any.
            if _HOLE in word:
                return None
            name = word.strip('"').split(".")[0]
            if name.lower() not in own and _WORD.fullmatch(name):
                names.add(name)
    return frozenset(names)


def _identifiers(text: str | None) -> frozenset[str] | None:
    if text is None or _HOLE in text:
        return None
    return frozenset(_WORD.findall(text))
