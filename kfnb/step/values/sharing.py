"""Which values share mutable objects, found from what pickling each of them reached.

A pickler remembers every object that it has met. Two values that met the same
mutable object, or arrays that look into the same memory, belong together.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kfnb.step.values import arrays
from kfnb.step.values.pickling import Pickler

_IMMUTABLE_TYPES = frozenset({
    str, bytes, int, float, complex, bool, type(None), tuple, frozenset, range, slice, type(...),
    types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.ModuleType, type,
    types.MethodType, types.MappingProxyType, types.NotImplementedType if hasattr(
        types, "NotImplementedType") else type(NotImplemented),
})  # fmt: skip
# Types of whole modules whose values nobody changes in place.
_IMMUTABLE_MODULES = frozenset({
    "datetime", "decimal", "fractions", "uuid", "pathlib", "pathlib._local", "re", "zoneinfo",
    "ipaddress", "operator", "abc", "typing",
})  # fmt: skip


@dataclass(frozen=True)
class Reached:
    """Mutable objects that a value is made of: by id, and the arrays by what owns their memory."""

    objects: frozenset[int]
    memory: Mapping[int, list[tuple[int, int, Any]]]
    keep: object

    @classmethod
    def of(cls, pickler: Pickler) -> Reached:
        """Sort what a pickler has met."""
        memo = pickler.memo.copy()
        objects: set[int] = set()
        for key, (_, met) in memo.items():
            if key not in pickler.immutable and _mutable(met):
                objects.add(key)
                if type(met) is types.FunctionType:
                    objects.discard(key)
        memory: dict[int, list[tuple[int, int, Any]]] = {}
        for array in pickler.arrays:
            owner = arrays.root(array)
            if id(array) in pickler.immutable or id(owner) in pickler.immutable:
                continue
            if array.flags.writeable or getattr(getattr(owner, "flags", None), "writeable", False):
                low, high = arrays.bounds(array)
                if high > low:
                    memory.setdefault(id(owner), []).append((low, high, array))
        return cls(frozenset(objects), memory, (pickler, memo))


def groups(reached: Mapping[str, Reached]) -> list[list[str]]:
    """Join names that share something; in the order of the names."""
    parent = {name: name for name in reached}

    def find(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    first: dict[int, str] = {}
    spans: dict[int, list[tuple[int, int, str]]] = {}
    for name, value in reached.items():
        for key in value.objects:
            parent[find(name)] = find(first.setdefault(key, name))
        for owner, found in value.memory.items():
            spans.setdefault(owner, []).extend((low, high, name) for low, high, _ in found)
    for found in spans.values():
        for one, two in _overlapping(sorted(found, key=lambda s: s[:2])):
            parent[find(one)] = find(two)
    joined: dict[str, list[str]] = {}
    for name in reached:
        joined.setdefault(find(name), []).append(name)
    return list(joined.values())


def owners_within(members: Sequence[Reached]) -> dict[int, Any]:
    """Give the memory that several different arrays of a bundle look into, as one array each."""
    found: dict[int, dict[int, tuple[int, int, Any]]] = {}
    for member in members:
        for owner, uses in member.memory.items():
            for use in uses:
                found.setdefault(owner, {})[id(use[2])] = use
    owners: dict[int, Any] = {}
    for owner, by_id in found.items():
        uses = sorted(by_id.values(), key=lambda use: use[:2])
        if any(True for _ in _overlapping([(low, high, str(id(a))) for low, high, a in uses])):
            whole = _whole(arrays.root(uses[0][2]))
            if whole is not None:
                owners[owner] = whole
    return owners


def _whole(owner: Any) -> Any:
    """Give all of an owner's memory as an array that can be pickled, or None."""
    if arrays.is_array(owner):
        flags = owner.flags
        return owner if flags.c_contiguous or flags.f_contiguous else None
    numpy = arrays.module("numpy")
    try:
        return numpy.frombuffer(owner, dtype=numpy.uint8)
    except (TypeError, ValueError, BufferError):
        return None


def _overlapping(spans: Sequence[tuple[int, int, str]]) -> Iterator[tuple[str, str]]:
    """Give neighbours that overlap, of spans sorted by where they begin."""
    furthest: tuple[int, str] | None = None
    for low, high, name in spans:
        if furthest is not None and low < furthest[0]:
            yield furthest[1], name
        if furthest is None or high > furthest[0]:
            furthest = (high, name)


def _mutable(value: Any) -> bool:
    kind = type(value)
    if kind in _IMMUTABLE_TYPES or isinstance(value, type) or arrays.is_array(value):
        return False
    if _importable(value):
        return False
    module = kind.__module__
    if module in _IMMUTABLE_MODULES or "enum" in str(type(kind).__module__):
        return False
    package = module.partition(".")[0]
    if package == "numpy":
        numpy = arrays.module("numpy")
        return not isinstance(value, (numpy.dtype, numpy.generic))
    if package == "pandas":
        return not _pandas_constant(value)
    # Arrow data does not change; polars copies on write.
    return package not in ("polars", "pyarrow")


def _importable(value: Any) -> bool:
    """Tell whether a value is a module's own function, so that it goes by reference."""
    name = getattr(value, "__qualname__", None)
    home = sys.modules.get(getattr(value, "__module__", None) or "")
    return isinstance(name, str) and home is not None and getattr(home, name, None) is value


def _pandas_constant(value: Any) -> bool:
    pandas = arrays.module("pandas")
    kinds = (
        pandas.Index, pandas.Timestamp, pandas.Timedelta, pandas.Period, pandas.Interval,
        pandas.DateOffset, pandas.api.extensions.ExtensionDtype,
    )  # fmt: skip
    return isinstance(value, kinds) or "dtype" in type(value).__name__.lower()
