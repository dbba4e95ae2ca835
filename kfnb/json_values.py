"""Python values as JSON can hold them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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


def strict_json(value: Any) -> Any:
    """Return ``value`` as strict JSON in valid UTF-8: no NaN, no lone surrogates."""
    return json_value(value, non_finite="null", text=_valid_text)


def _valid_text(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def json_with_text(value: Any) -> Any:
    """Return ``value`` as strict JSON for views, where NaN and infinities are texts."""
    return json_value(value, non_finite="text")
