"""Parts of pandas objects that cannot be changed through another name, and so tie nothing."""

from __future__ import annotations

from typing import Any

from kfnb.step.values.arrays import is_array, module, root


def constant_parts(value: Any) -> list[Any]:
    """Return the objects inside a pandas object that nobody changes through another name.

    An index never changes. Under copy-on-write (always, from pandas 3 on) frames and
    series that share memory do not share changes.
    """
    pandas = module("pandas")
    if isinstance(value, pandas.Index):
        return (
            _arrays(getattr(value, "_data", None))
            + [part for level in getattr(value, "levels", ()) for part in constant_parts(level)]
            + [part for code in getattr(value, "codes", ()) for part in _arrays(code)]
        )
    parts = [type(value)._metadata]  # One list that the state of every frame refers to.
    if copy_on_write(pandas):
        blocks = getattr(getattr(value, "_mgr", None), "blocks", ())
        parts += [part for block in blocks for part in _arrays(block.values)]
    return parts


def has_parts(kind: type) -> bool:
    """Tell whether :func:`constant_parts` takes values of this type."""
    pandas = module("pandas")
    if pandas is None or not hasattr(pandas, "Index"):
        return False
    return issubclass(kind, (pandas.Index, pandas.DataFrame, pandas.Series))


def copy_on_write(pandas: Any) -> bool:
    """Tell whether this pandas copies on write."""
    if int(pandas.__version__.partition(".")[0]) >= 3:
        return True
    try:
        return pandas.get_option("mode.copy_on_write") is True
    except (KeyError, AttributeError):
        return False


def is_constant_kind(kind: type) -> bool:
    """Tell whether pandas objects of a type never change."""
    pandas = module("pandas")
    kinds = (
        pandas.Index, pandas.Timestamp, pandas.Timedelta, pandas.Period, pandas.Interval,
        pandas.api.extensions.ExtensionDtype,
    )  # fmt: skip
    if issubclass(kind, kinds) or "dtype" in kind.__name__.lower():
        return True
    return any(base.__name__ in ("BaseOffset", "NAType", "NaTType") for base in kind.__mro__)


def _arrays(value: Any, depth: int = 3) -> list[Any]:
    if value is None or depth == 0:
        return []
    parts = [value]
    if is_array(value):
        while (value := getattr(value, "base", None)) is not None:
            parts.append(value)
        return [*parts, root(parts[0])]
    state = getattr(value, "__dict__", None)  # pandas pickles it with its caches.
    if isinstance(state, dict):
        parts += [state, *state.values()]
    for name in ("_ndarray", "_data", "_mask", "_codes", "_pa_array", "_left", "_right"):
        parts += _arrays(getattr(value, name, None), depth - 1)
    return parts
