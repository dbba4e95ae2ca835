"""numpy's own subclasses of arrays, saved with their elements out of band, as plain arrays are.

Saved files name :func:`plain` and :func:`masked` by module path, so these two must stay here.
"""

from __future__ import annotations

from typing import Any

from kfnb.step.values.arrays import module


def knows(kind: type) -> bool:
    """Tell whether :func:`reduce` takes values of this type."""
    numpy = module("numpy")
    if numpy is None or not kind.__module__.startswith("numpy"):
        return False
    return kind is _masked(numpy) or kind in _plain(numpy)


def reduce(value: Any) -> Any:
    """Reduce to a plain array and what is needed to rebuild the subclass from it."""
    numpy = module("numpy")
    kind = type(value)
    if kind is not _masked(numpy):
        return plain, (kind.__name__, value.view(numpy.ndarray))
    # numpy compares nomask by identity, which would not survive loading.
    mask = None if value._mask is numpy.ma.nomask else value._mask
    state = {
        "fill": value._fill_value,
        "hard": value._hardmask,
        "shared": value._sharedmask,
        "optinfo": value._optinfo,
    }
    return masked, (value._data, mask, state)


def plain(name: str, array: Any) -> Any:
    """Rebuild a matrix, record array or memory map (without its file) from an array."""
    numpy = module("numpy") or __import__("numpy")
    return array.view(getattr(numpy, name))


def masked(data: Any, mask: Any, state: dict[str, Any]) -> Any:
    """Rebuild a masked array from its data and its mask."""
    from numpy import ma

    made: Any = ma.MaskedArray(data, mask=ma.nomask if mask is None else mask, copy=False)
    made._fill_value = state["fill"]
    made._hardmask = state["hard"]
    made._sharedmask = state["shared"]
    made._optinfo.update(state["optinfo"])
    return made


def _masked(numpy: Any) -> Any:
    return getattr(getattr(numpy, "ma", None), "MaskedArray", None)


def _plain(numpy: Any) -> tuple[type, ...]:
    return (numpy.matrix, numpy.recarray, numpy.memmap)
