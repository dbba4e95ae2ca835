"""Pickles that are compared, not loaded: what a library remembers for speed is left out.

pandas keeps caches in its indices and arrays, and pickles them; ``cached_property``
writes into an object's ``__dict__``. Neither is a change that anybody means.
"""

from __future__ import annotations

import functools
from typing import Any

from kfnb.step.values import arrays
from kfnb.step.values.pickling import Pickler


class ComparingPickler(Pickler):
    """Gives equal bytes for values that are equal to their users."""

    def reducer_override(self, obj: Any) -> Any:
        """Reduce to what counts; the result is never loaded."""
        bare = _bare(obj)
        return (tuple, (bare,)) if bare is not None else super().reducer_override(obj)


def _bare(value: Any) -> tuple[Any, ...] | None:
    """Give the parts of a value that count, or None: all of them do."""
    kind = type(value)
    pandas = arrays.module("pandas")
    if kind.__module__.startswith("pandas") and pandas is not None:
        if isinstance(value, pandas.MultiIndex):
            return kind.__name__, tuple(value.names), tuple(value.levels), tuple(value.codes)
        if isinstance(value, pandas.RangeIndex):
            return kind.__name__, value.name, value.start, value.stop, value.step
        if isinstance(value, pandas.Index):
            return kind.__name__, value.name, str(getattr(value, "freq", "")), value._data
        if hasattr(value, "_ndarray") and hasattr(value, "dtype"):
            return kind.__name__, value.dtype, value._ndarray
        return None
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        return None
    lazy = _lazy(kind)
    if lazy and not lazy.isdisjoint(value.__dict__):
        return kind, {k: v for k, v in value.__dict__.items() if k not in lazy}
    return None


def _lazy(kind: type) -> frozenset[str]:
    return frozenset(
        name
        for base in kind.__mro__
        for name, item in vars(base).items()
        if isinstance(item, functools.cached_property)
    )
