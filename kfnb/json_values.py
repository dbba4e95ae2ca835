"""Python values as JSON can hold them."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

NonFinite = Literal["keep", "null", "text"]


def json_value(
    value: Any,
    *,
    non_finite: NonFinite = "keep",
    text: Callable[[str], str] | None = None,
    other: Callable[[Any], Any] = repr,
) -> Any:
    """Return ``value`` with everything in it turned into what JSON has.

    Tuples and sets become lists (sets sorted, so that the result is the same each time), keys
    become text.

    Parameters
    ----------
    non_finite
        What becomes of NaN and infinities, for which strict JSON has no form: they stay as they
        are, become null, or become text.
    text
        What is done to each text.
    other
        What becomes of a value that JSON has no form for; its source text by default.

    Examples
    --------
    >>> json_value({"a": (1, float("nan"))}, non_finite="null"), json_value({2, 1}), json_value(1j)
    ({'a': [1, None]}, [1, 2], '1j')
    """
    if isinstance(value, str):
        return value if text is None else text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        if non_finite == "keep" or math.isfinite(value):
            # A subclass such as numpy.float64 becomes a plain float.
            return float(value)
        return None if non_finite == "null" else str(value)
    if isinstance(value, int):
        return int(value)

    def convert(part: Any) -> Any:
        return json_value(part, non_finite=non_finite, text=text, other=other)

    if isinstance(value, Mapping):
        return {convert(str(key)): convert(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [convert(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return [convert(item) for item in sorted(value, key=repr)]
    return other(value)


def python_literal(value: Any) -> str:
    """Write a value of JSON as a Python literal."""
    if isinstance(value, float) and not math.isfinite(value):
        # repr() gives `nan` or `inf`, which are names that the notebook need not have.
        return f'float("{value}")'
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(f"{python_literal(k)}: {python_literal(v)}" for k, v in value.items())
            + "}"
        )
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(python_literal(v) for v in value) + "]"
    return repr(value)


def strict_json(value: Any) -> Any:
    """Return ``value`` as strict JSON in valid UTF-8: no NaN, no lone surrogates."""
    return json_value(value, non_finite="null", text=_valid_text)


def _valid_text(text: str) -> str:
    # UTF-8 has no form for lone surrogates, so they become question marks.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def json_with_text(value: Any) -> Any:
    """Return ``value`` as strict JSON for views, where NaN and infinities are texts."""
    return json_value(value, non_finite="text")


def to_plain(value: Any) -> Any:
    """Turn frozen values into JSON values (mappings, lists, scalars)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(v) for v in value]
    return value


def from_plain(kind: Any, plain: Any) -> Any:
    """Rebuild a frozen value of type ``kind`` from the result of :func:`to_plain`."""
    return _builder(kind)(plain)


def prepare(kind: Any) -> None:
    """Do what the first :func:`from_plain` of ``kind`` would do once."""
    _builder(kind)


@cache
def _builder(kind: Any) -> Callable[[Any], Any]:
    """Return a function that rebuilds a type; a large pipeline has a million values."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        fields = {field.name: _builder(hints[field.name]) for field in dataclasses.fields(kind)}
        # A field that this version does not know was written by a later one, and is ignored.
        return lambda plain: kind(**{k: fields[k](v) for k, v in plain.items() if k in fields})
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    # The frozen values use unions only for what may be None.
    if origin in (typing.Union, types.UnionType):
        build = _builder(next(a for a in args if a is not type(None)))
        return lambda plain: None if plain is None else build(plain)
    if origin is tuple:
        build = _builder(args[0])
        # Most tuples hold plain values, and calling a function for each would cost time.
        return tuple if build is _same else lambda plain: tuple(map(build, plain))
    if origin in (dict, Mapping):
        build = _builder(args[1])
        # A frozen value must not change through its mappings.
        return lambda plain: MappingProxyType({k: build(v) for k, v in plain.items()})
    return _same


def _same(plain: Any) -> Any:
    return plain
