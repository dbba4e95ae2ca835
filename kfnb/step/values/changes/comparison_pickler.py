"""Pickles that are compared, not loaded: caches of libraries are left out.

pandas has caches in its indices and arrays, which it pickles, and it joins the columns of a frame
in memory when they are read. ``cached_property`` and others write into an object's ``__dict__``.
None of these is a change that the user made.
"""

from __future__ import annotations

import functools
from typing import Any

from kfnb.step.values import classes
from kfnb.step.values.arrays import module
from kfnb.step.values.pickling import Pickler

# Attributes that reading an object may leave behind, by the package of its class.
_REMEMBERED = {
    "scipy": frozenset({"_has_sorted_indices", "_has_canonical_format"}),
    "sklearn": frozenset({"_stop_words_id", "_n_threads"}),
}
_CONTAINERS = (type, list, dict, set, frozenset, tuple, str, bytes, bytearray, int, float, complex)


class Bare:
    """Stands for an object of which only some parts are compared."""


class ComparingPickler(Pickler):
    """Produces equal bytes for values that are equal to their users.

    Ids that it gives to classes are removed afterwards.

    Attributes
    ----------
    unknowable
        Whether some parts were not compared: drawing a figure changes nearly all of it, and
        showing one is not meant as a change.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._tracked: list[tuple[Any, str]] = []
        self.unknowable = False

    def dump(self, obj: Any) -> None:
        """Pickle, and remove ids from classes that had none before."""
        try:
            super().dump(obj)
        finally:
            for kind, key in self._tracked:
                classes.forget(kind, key)

    def track(self, kind: Any) -> None:
        """Give a class a temporary id."""
        key = classes.track(kind, self._origin)
        if key is not None:
            self._tracked.append((kind, key))

    def _drawn(self, artist: Any) -> Any:
        self.unknowable = True
        return (type(artist).__name__,)

    def _reducer(self, kind: type) -> Any:
        usual = super()._reducer(kind)
        bare = self._bare_of(kind)
        if bare is None:
            return usual

        def reduce(value: Any) -> Any:
            parts = bare(value)
            if parts is not None:
                return Bare, (), parts  # As a state, because parts may refer back to the value.
            return usual(value) if usual is not None else NotImplemented

        return reduce

    def _bare_of(self, kind: type) -> Any:
        """Return a function for the parts of a value to compare; None if all of them are."""
        if any(base.__module__ == "matplotlib.artist" for base in kind.__mro__):
            return self._drawn
        pandas = module("pandas")
        if kind.__module__.startswith("pandas") and pandas is not None:
            return _pandas_parts
        own_ways = {"__reduce__", "__reduce_ex__"}
        if issubclass(kind, _CONTAINERS) or any(
            not own_ways.isdisjoint(vars(base)) for base in kind.__mro__[:-1]
        ):
            return None
        dropped = _REMEMBERED.get(kind.__module__.partition(".")[0], frozenset()) | _lazy(kind)
        if not dropped:
            return None

        def bare(value: Any) -> Any:
            getter = getattr(value, "__getstate__", None)  # every object has it from 3.11 on
            state = getter() if getter is not None else vars(value)
            state, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
            if not isinstance(state, dict):
                return None
            return kind, {k: v for k, v in state.items() if k not in dropped}, slots

        return bare


class ContentPickler(ComparingPickler):
    """Produces equal bytes for equal contents, whatever the memory layout of frames."""

    def _bare_of(self, kind: type) -> Any:
        pandas = module("pandas")
        if pandas is not None and issubclass(kind, getattr(pandas, "DataFrame", ())):
            return _frame_parts
        return super()._bare_of(kind)


def _pandas_parts(value: Any) -> tuple[Any, ...] | None:
    kind = type(value)
    pandas = module("pandas")
    if isinstance(value, pandas.MultiIndex):
        return kind, tuple(value.names), tuple(value.levels), tuple(value.codes)
    if isinstance(value, pandas.RangeIndex):
        return kind, value.name, value.start, value.stop, value.step
    if isinstance(value, pandas.Index):
        return kind, value.name, str(getattr(value, "freq", "")), value._data
    if hasattr(value, "_ndarray") and hasattr(value, "dtype"):
        return kind, value.dtype, value._ndarray
    return None


def _frame_parts(frame: Any) -> tuple[Any, ...]:
    columns = [frame._ixs(n, axis=1).array for n in range(len(frame.columns))]
    own = {name: getattr(frame, name, None) for name in type(frame)._metadata}
    flags = frame.flags.allows_duplicate_labels
    return type(frame), frame.columns, frame.index, columns, frame.attrs, flags, own


def _lazy(kind: type) -> frozenset[str]:
    return frozenset(
        name
        for base in kind.__mro__
        for name, item in vars(base).items()
        if isinstance(item, functools.cached_property)
    )
