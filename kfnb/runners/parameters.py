"""Overridden parameters: checks, before anything starts, that they exist and fit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kfnb.errors import UsageError
from kfnb.pipeline import Parameter

_TYPES = ("bool", "int", "float", "str", "list", "dict", "tuple", "set")
_MADE_OF = {
    "Sequence": "list",
    "List": "list",
    "Dict": "dict",
    "Mapping": "dict",
    "Tuple": "tuple",
    "Set": "set",
    "string": "str",
    "Path": "str",
}
MOST = 200
"""Characters of a value that a message shows at most."""
_PLAIN = (bool, int, float, str, list, dict)
_NUMBER = re.compile(r"[+-]?(\d[\d_]*\.?[\d_]*|\.\d+)([eE][+-]?\d+)?")


def check_parameters(parameters: Sequence[Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse values for parameters that the notebook does not have, or that do not fit.

    An ``int`` is accepted for a ``float``; nothing else is converted. A parameter without a
    default or annotation of a plain type accepts any value.

    Raises
    ------
    UsageError
        With the most similar name.
    """
    known = {p.name: p for p in parameters}
    checked = {}
    for name, value in values.items():
        if name not in known:
            raise UsageError(_unknown(parameters, name))
        checked[name] = _fitting(known[name], value)
    return checked


def parse_parameter(parameters: Sequence[Parameter], name: str, text: str) -> Any:
    """Read a value from the command line as YAML, guided by the parameter's type.

    Text for a ``str`` parameter stays as it was typed (``-p version=3``,
    ``-p title='issue #5'``). Numbers are written as in Python, not as in YAML 1.1: ``1e-3`` is
    one, ``010`` is ten, ``12:30`` is text.
    """
    import yaml

    known = {p.name: p for p in parameters}
    if name in known and _kinds(known[name]) == {"str"}:
        return text
    value_text = text.strip()
    if _NUMBER.fullmatch(value_text):
        whole = value_text.replace("_", "")
        return int(whole) if whole.lstrip("+-").isdecimal() else float(whole)
    try:
        value = yaml.load(text, _loader())  # noqa: S506 (a safe loader without dates)
    except (yaml.YAMLError, ValueError):
        # What is not YAML is a text that was meant as it is.
        return text
    # YAML 1.1 reads 12:30 as a number to the base of 60.
    if isinstance(value, (int, float)) and not isinstance(value, bool) and ":" in value_text:
        return value_text
    return value if isinstance(value, _PLAIN) or value is None else text


def brief(value: Any) -> str:
    """Shorten a value for a message.

    >>> brief("abc"), len(brief("x" * 1000)) < 210
    ("'abc'", True)
    """
    return _cut(repr(value))


def _cut(text: str) -> str:
    from kfnb.draw import shortened  # only for a sentence about something that is wrong

    return shortened(text, MOST)


def _fitting(parameter: Parameter, value: Any) -> Any:
    kinds = _kinds(parameter)
    if not kinds or (value is None and "None" in kinds):
        return value
    kind = type(value).__name__
    if kind in kinds:
        return value
    if kind == "int" and "float" in kinds:
        return float(value)
    # Neither YAML nor JSON has tuples or sets.
    if kind == "list" and kinds & {"tuple", "set"}:
        return value
    wanted = " or ".join(sorted(kinds - {"None"})) or "None"
    raise UsageError(
        f'Parameter "{parameter.name}" is {wanted} (default {_cut(parameter.expression)}), '
        f"{brief(value)} is {_article(kind)}. Nothing was started."
    )


def _kinds(parameter: Parameter) -> set[str]:
    """Return the plain types that a parameter may have; empty if any value is allowed."""
    annotation = parameter.type or ""
    optional = re.fullmatch(r"(?:typing\.)?Optional\[(.*)\]", annotation, re.DOTALL)
    if optional:
        annotation = optional[1]
    # The types of items, in brackets, are not checked.
    while (outer := re.sub(r"\[[^\[\]]*\]", "", annotation)) != annotation:
        annotation = outer
    names = re.findall(r"[A-Za-z_][\w.]*", annotation) + (["None"] if optional else [])
    kinds = set()
    for word in names:
        plain = word.rpartition(".")[2]
        plain = {"NoneType": "None", **_MADE_OF}.get(plain, plain)
        if plain not in (*_TYPES, "None"):
            return set()
        kinds.add(plain)
    if parameter.default is None:
        kinds.add("None")
    # A default of None alone does not show which other values are allowed.
    return set() if kinds <= {"None"} else kinds


def _unknown(parameters: Sequence[Parameter], name: str) -> str:
    import difflib

    names = [p.name for p in parameters]
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        hint = f'Did you mean "{close[0]}"?'
    elif names:
        hint = f"It has: {', '.join(names)}."
    else:
        hint = 'It has none: tag the cell that assigns them with "parameters".'
    return f'The notebook has no parameter "{name}". {hint}'


def _article(kind: str) -> str:
    kind = {"NoneType": "None"}.get(kind, kind)
    return kind if kind == "None" else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _loader() -> Any:
    """Make a safe YAML loader for which a date is text, as papermill's command line has it."""
    import yaml

    resolvers = {
        first: [
            (tag, pattern) for tag, pattern in resolvers_of_first if not tag.endswith(":timestamp")
        ]
        for first, resolvers_of_first in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return type("Loader", (yaml.SafeLoader,), {"yaml_implicit_resolvers": resolvers})
