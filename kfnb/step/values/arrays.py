"""numpy arrays as memory: what they lie in, what they share, and how that survives.

Nothing is imported here: a library is used if the user's code has loaded it.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

MOST_CHECKS = 2_000
"""So many pairs of arrays are looked at closely; of further ones the extents must do."""
MOST_OPEN = 256
"""So many arrays may lie across one address before all of them count as one piece."""
_WORK = 20_000
BUFFERED = "biufcSU"
"""Kinds of dtype whose arrays numpy itself pickles out of band."""


@dataclass(frozen=True)
class Use:
    """An array and the addresses (first, one past the last) that its elements lie between."""

    low: int
    high: int
    array: Any


def module(name: str) -> Any:
    """Give a library if the user's code has loaded it, else None."""
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


def use(array: Any) -> Use:
    """Note where an array lies."""
    return Use(*bounds(array), array)


class Overlaps:
    """Tells which arrays share elements: columns of one table lie between each other, no more."""

    def __init__(self) -> None:
        self._checks = MOST_CHECKS

    def pairs(self, uses: Sequence[Use]) -> Iterable[tuple[int, int]]:
        """Give pairs (of indices) that connect all that share; not every such pair."""
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
            return bool(numpy.shares_memory(one.array, two.array, max_work=_WORK))
        except Exception:  # TooHardError has had several homes
            return True


@dataclass(frozen=True)
class Hull:
    """A piece of memory that arrays look into, as one array that can be pickled."""

    low: int
    high: int
    whole: Any


class Layout:
    """The pieces of memory that several arrays of a bundle look into."""

    def __init__(self, hulls: Iterable[Hull] = ()) -> None:
        self._hulls = sorted(hulls, key=lambda hull: hull.low)

    def __bool__(self) -> bool:
        return bool(self._hulls)

    def find(self, array: Any) -> Hull | None:
        """Give the piece that an array lies in, if it is a shared one."""
        if not self._hulls:
            return None
        low, high = bounds(array)
        for hull in self._hulls:
            if hull.low <= low and high <= hull.high and high > low:
                return hull
        return None

    @classmethod
    def of(cls, uses: Iterable[Use]) -> Layout:
        """Find what is shared among arrays; the same array met twice shares nothing."""
        distinct = list({id(u.array): u for u in uses}.values())
        merged: list[list[Use]] = []
        joined = _components(distinct)
        for component in sorted(joined, key=lambda c: min(u.low for u in c)):
            # Pieces that lie between each other are one piece: it is how the memory was.
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
    # References cannot be read as bytes: only an array that owns them all will do.
    owner = root(uses[0].array)
    if not is_array(owner) or not (owner.flags.c_contiguous or owner.flags.f_contiguous):
        return None
    return Hull(*bounds(owner), owner)


def raw(low: int, high: int, keep: Any) -> Any:
    """Give memory as an array of bytes; ``keep`` is held as long as the array is."""
    numpy = module("numpy")
    memory: Any = (ctypes.c_ubyte * (high - low)).from_address(low)
    memory.keep = keep
    return numpy.frombuffer(memory, dtype=numpy.uint8)


def reduce_view(array: Any, hull: Hull) -> Any:
    """Reduce an array to a view of a piece of memory; None if that cannot be said."""
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
    """Name the field of records that an array shows; empty: the records themselves."""
    if whole == part:
        return ""
    for name, (dtype, offset, *_) in (whole.fields or {}).items():
        if dtype == part and at % whole.itemsize == offset:
            return str(name)
    return None


def view(whole: Any, dtype: Any, shape: Any, strides: Any, at: int, writeable: bool) -> Any:
    """Make an array that looks into memory again."""
    numpy = module("numpy") or __import__("numpy")
    made = numpy.ndarray(shape, dtype, buffer=whole, offset=at, strides=strides)
    if not writeable and made.flags.writeable:
        made.flags.writeable = False
    return made


def view_objects(whole: Any, field: str, shape: Any, strides: Any, at: int, writeable: bool) -> Any:
    """Make an array of objects, or of records with objects, that looks into another again."""
    numpy = module("numpy") or __import__("numpy")
    flat = whole.ravel(order="K")[at // whole.itemsize :]
    made = numpy.lib.stride_tricks.as_strided(flat[field] if field else flat, shape, strides)
    if not writeable:
        made.flags.writeable = False
    return made


def reduce_memory(array: Any) -> Any:
    """Reduce an array to the memory that it lies in; None: pickle it.

    That is for arrays in no order that pickle knows, those that repeat elements, and those
    of types that numpy gives no buffers of (dates). Strides survive, and with them the
    order in which numpy sums up.
    """
    if array.dtype.hasobject:
        return None
    if array.size == 0:
        return module("numpy").empty, (array.shape, array.dtype)
    dense = array
    low, high = bounds(array)
    if high - low > array.nbytes:
        dense = array.copy(order="K")
        dense.flags.writeable = array.flags.writeable
        low, high = bounds(dense)
    return reduce_view(dense, Hull(low, high, raw(low, high, dense)))
