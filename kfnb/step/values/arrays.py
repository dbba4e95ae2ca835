"""numpy arrays and pandas frames as far as sharing memory goes; nothing is imported here."""

from __future__ import annotations

import sys
from typing import Any


def module(name: str) -> Any:
    """Give a library if the user's code has loaded it, else None."""
    return sys.modules.get(name)


def is_array(value: object) -> bool:
    """Tell whether a value is exactly a numpy array (not a subclass)."""
    numpy = module("numpy")
    return numpy is not None and type(value) is getattr(numpy, "ndarray", None)


def root(array: Any) -> Any:
    """Give the object that owns an array's memory: an array, or whatever lent it a buffer."""
    while True:
        base = getattr(array, "base", None)
        if base is None:
            return array
        array = base


def bounds(array: Any) -> tuple[int, int]:
    """Give the addresses (first, one past the last) that an array's elements lie between."""
    low = high = array.__array_interface__["data"][0]
    for size, stride in zip(array.shape, array.strides, strict=True):
        if not size:
            return low, low
        if stride < 0:
            low += stride * (size - 1)
        else:
            high += stride * (size - 1)
    return low, high + array.itemsize


def view(owner: Any, dtype: Any, shape: Any, strides: Any, offset: int, writeable: bool) -> Any:
    """Make an array again that looks into the memory of ``owner``."""
    numpy = module("numpy") or __import__("numpy")
    flat = owner.ravel(order="K")
    if dtype.hasobject:
        start = flat[offset // dtype.itemsize :][:1]
    else:
        start = flat.view(numpy.uint8)[offset:][: dtype.itemsize].view(dtype)
    made = numpy.lib.stride_tricks.as_strided(start, shape, strides)
    if not writeable:
        made.flags.writeable = False
    return made


def immutable_parts(value: Any) -> list[int]:
    """Give ids of arrays inside a pandas object that no one changes through another name.

    An index never changes. Under copy-on-write (always, from pandas 3 on) frames and
    series that share memory do not share changes.
    """
    pandas = module("pandas")
    if pandas is None or not hasattr(pandas, "Index"):
        return []
    if isinstance(value, pandas.Index):
        return (
            _arrays(getattr(value, "_data", None))
            + [i for level in getattr(value, "levels", ()) for i in immutable_parts(level)]
            + [i for code in getattr(value, "codes", ()) for i in _arrays(code)]
        )
    if isinstance(value, (pandas.DataFrame, pandas.Series)) and copy_on_write(pandas):
        blocks = getattr(getattr(value, "_mgr", None), "blocks", ())
        found = [i for block in blocks for i in _arrays(block.values)]
        return [*found, id(type(value)._metadata)]
    return []


def copy_on_write(pandas: Any) -> bool:
    """Tell whether this pandas copies on write."""
    if int(pandas.__version__.partition(".")[0]) >= 3:
        return True
    try:
        return pandas.get_option("mode.copy_on_write") is True
    except (KeyError, AttributeError):
        return False


def _arrays(value: Any, depth: int = 3) -> list[int]:
    if value is None or depth == 0:
        return []
    found = [id(value)]
    if is_array(value):
        found.append(id(root(value)))
        while (value := getattr(value, "base", None)) is not None:
            found.append(id(value))
        return found
    state = getattr(value, "__dict__", None)  # pandas pickles it, caches and all
    if isinstance(state, dict):
        found += [id(state), *(id(item) for item in state.values())]
    for name in ("_ndarray", "_data", "_mask", "_codes", "_pa_array", "_left", "_right"):
        found += _arrays(getattr(value, name, None), depth - 1)
    return found
