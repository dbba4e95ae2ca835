"""numpy arrays by the memory that they use: arrays that share memory share it after loading too.

Nothing is imported here: numpy is used only if the user's code has imported it. Saved files name
:func:`view` and :func:`view_objects` by module path, so these two must stay here.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

MOST_CHECKS = 2_000
"""Pairs of arrays that are compared exactly; further ones share if their extents overlap."""
MOST_OPEN = 256
"""If more arrays than this overlap at one address, they all count as sharing."""
# The exact test may take exponential time; numpy gives up after this much work.
_WORK = 20_000
BUFFERED = "biufcSU"
"""Kinds of dtype whose arrays numpy itself pickles out of band."""


@dataclass(frozen=True)
class Use:
    """An array, and the addresses (first, one past the last) between which its elements lie."""

    low: int
    high: int
    array: Any


def module(name: str) -> Any:
    """Return a library if the user's code has imported it, else None."""
    return sys.modules.get(name)


def is_array(value: object) -> bool:
    """Tell whether a value is exactly a numpy array (not a subclass)."""
    return is_array_kind(type(value))


def is_array_kind(kind: type) -> bool:
    """Tell whether a type is exactly numpy's array."""
    numpy = module("numpy")
    return numpy is not None and kind is getattr(numpy, "ndarray", None)


def is_dtype_kind(kind: type) -> bool:
    """Tell whether a type is a numpy dtype that may have fields."""
    return kind.__module__.startswith("numpy") and kind.__name__ in ("VoidDType", "dtype[void]")


def root(array: Any) -> Any:
    """Return the object that owns an array's memory: an array, or another provider of a buffer."""
    while True:
        base = getattr(array, "base", None)
        if base is None:
            return array
        array = base


def bounds(array: Any) -> tuple[int, int]:
    """Return the addresses (first, one past the last) between which an array's elements lie."""
    low = high = array.__array_interface__["data"][0]
    for size, stride in zip(array.shape, array.strides, strict=True):
        if not size:
            return low, low
        if stride < 0:
            low += stride * (size - 1)
        else:
            high += stride * (size - 1)
    return low, high + array.itemsize


def use(array: Any) -> Use:
    """Return an array together with its addresses."""
    return Use(*bounds(array), array)


class Overlaps:
    """Finds arrays that share elements; columns of one table only lie between each other."""

    def __init__(self) -> None:
        self._checks = MOST_CHECKS

    def pairs(self, uses: Sequence[Use]) -> Iterable[tuple[int, int]]:
        """Yield pairs of indices that connect all arrays that share elements, but not all pairs."""
        order = sorted(range(len(uses)), key=lambda n: (uses[n].low, uses[n].high))
        parent = list(range(len(uses)))

        def find(n: int) -> int:
            while parent[n] != n:
                parent[n] = parent[parent[n]]
                n = parent[n]
            return n

        active: list[int] = []
        for n in order:
            active = [m for m in active if uses[m].high > uses[n].low]
            if len(active) > MOST_OPEN:
                widest = max(active, key=lambda m: uses[m].high)
                for m in active:
                    if find(m) != find(widest):
                        parent[find(m)] = find(widest)
                        yield m, widest
                # The array that ends last stands for all of them from here on.
                active = [widest]
            for m in active:
                if find(m) != find(n) and self._share(uses[m], uses[n]):
                    parent[find(m)] = find(n)
                    yield m, n
            active.append(n)

    def _share(self, one: Use, two: Use) -> bool:
        numpy = module("numpy")
        self._checks -= 1
        if self._checks < 0:
            return True
        try:
            # If it is not known, the arrays count as sharing: that costs a larger bundle, but no
            # identity.
            return bool(numpy.shares_memory(one.array, two.array, max_work=_WORK))
        except Exception:  # numpy has moved its TooHardError several times.
            return True


@dataclass(frozen=True)
class Hull:
    """A piece of memory that several arrays use, as one array that can be pickled."""

    low: int
    high: int
    whole: Any


class Layout:
    """The pieces of memory that several arrays of a bundle share."""

    def __init__(self, hulls: Iterable[Hull] = ()) -> None:
        self._hulls = sorted(hulls, key=lambda hull: hull.low)

    def __bool__(self) -> bool:
        return bool(self._hulls)

    def find(self, array: Any) -> Hull | None:
        """Return the shared piece of memory that an array lies in, or None."""
        if not self._hulls:
            return None
        low, high = bounds(array)
        for hull in self._hulls:
            if hull.low <= low and high <= hull.high and high > low:
                return hull
        return None

    @classmethod
    def of(cls, uses: Iterable[Use]) -> Layout:
        """Find memory that different arrays share; one array that occurs twice shares nothing."""
        distinct = list({id(u.array): u for u in uses}.values())
        merged: list[list[Use]] = []
        joined = _components(distinct)
        for component in sorted(joined, key=lambda c: min(u.low for u in c)):
            # Interleaved pieces are one piece, as they were in memory.
            if merged and min(u.low for u in component) < max(u.high for u in merged[-1]):
                merged[-1].extend(component)
            else:
                merged.append(component)
        return cls(hull for component in merged if (hull := _hull(component)) is not None)


def _components(uses: Sequence[Use]) -> list[list[Use]]:
    parent = list(range(len(uses)))

    def find(n: int) -> int:
        while parent[n] != n:
            n = parent[n]
        return n

    for one, two in Overlaps().pairs(uses):
        parent[find(one)] = find(two)
    components: dict[int, list[Use]] = {}
    for n, item in enumerate(uses):
        components.setdefault(find(n), []).append(item)
    return [component for component in components.values() if len(component) > 1]


def _hull(uses: Sequence[Use]) -> Hull | None:
    low, high = min(u.low for u in uses), max(u.high for u in uses)
    if not any(u.array.dtype.hasobject for u in uses):
        return Hull(low, high, raw(low, high, [u.array for u in uses]))
    # Object references cannot be saved as bytes: only an array that owns them all will do.
    owner = root(uses[0].array)
    if not is_array(owner) or not (owner.flags.c_contiguous or owner.flags.f_contiguous):
        return None
    return Hull(*bounds(owner), owner)


def raw(low: int, high: int, owner: Any) -> Any:
    """Return memory as an array of bytes, which keeps ``owner`` alive."""
    numpy = module("numpy")
    memory: Any = (ctypes.c_ubyte * (high - low)).from_address(low)
    memory.owner = owner
    return numpy.frombuffer(memory, dtype=numpy.uint8)


def reduce_view(array: Any, hull: Hull) -> Any:
    """Reduce an array to a view of a piece of memory; None if that is not possible."""
    at = array.__array_interface__["data"][0] - hull.low
    writeable = bool(array.flags.writeable)
    if not array.dtype.hasobject:
        if hull.whole.dtype.hasobject:
            return None
        return view, (hull.whole, array.dtype, array.shape, array.strides, at, writeable)
    field = _field(hull.whole.dtype, array.dtype, at)
    if field is None:
        return None
    return view_objects, (hull.whole, field, array.shape, array.strides, at, writeable)


def _field(whole: Any, part: Any, at: int) -> str | None:
    """Return the name of the record field that an array shows; empty for whole records."""
    if whole == part:
        return ""
    for name, (dtype, offset, *_) in (whole.fields or {}).items():
        if dtype == part and at % whole.itemsize == offset:
            return str(name)
    return None


def view(whole: Any, dtype: Any, shape: Any, strides: Any, at: int, writeable: bool) -> Any:
    """Rebuild an array that uses a piece of memory."""
    # The kernel that loads the value need not have imported numpy yet.
    numpy = module("numpy") or __import__("numpy")
    made = numpy.ndarray(shape, dtype, buffer=whole, offset=at, strides=strides)
    if not writeable and made.flags.writeable:
        made.flags.writeable = False
    return made


def view_objects(whole: Any, field: str, shape: Any, strides: Any, at: int, writeable: bool) -> Any:
    """Rebuild an array of objects, or of records with objects, that is a view of another."""
    numpy = module("numpy") or __import__("numpy")
    flat = whole.ravel(order="K")[at // whole.itemsize :]
    made = numpy.lib.stride_tricks.as_strided(flat[field] if field else flat, shape, strides)
    if not writeable:
        made.flags.writeable = False
    return made


def reduce_memory(array: Any) -> Any:
    """Reduce an array to its memory; None if it must be pickled as usual.

    This is for arrays in an order that pickle does not keep, arrays that repeat elements, and types
    that numpy does not save as buffers (dates). Strides survive, and with them the order in which
    numpy adds up elements.
    """
    if array.dtype.hasobject:
        return None
    if array.size == 0:
        return module("numpy").empty, (array.shape, array.dtype)
    dense = array
    low, high = bounds(array)
    # Memory in the gaps between the elements does not belong to the array, and is not saved.
    if high - low > array.nbytes:
        dense = array.copy(order="K")
        dense.flags.writeable = array.flags.writeable
        low, high = bounds(dense)
    return reduce_view(dense, Hull(low, high, raw(low, high, dense)))
