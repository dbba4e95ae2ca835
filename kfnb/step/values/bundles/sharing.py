"""Find out which values share mutable objects.

A pickler remembers every object that it has pickled. Two values belong together if both contain the
same mutable object, or arrays that use the same memory.
"""

from __future__ import annotations

import gc
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kfnb.step.values import arrays, frames
from kfnb.step.values.pickling import Pickler, importable

_IMMUTABLE_TYPES = frozenset({
    str, bytes, int, float, complex, bool, type(None), tuple, frozenset, range, slice, type(...),
    types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.ModuleType, type,
    types.MethodType, types.MappingProxyType, types.GenericAlias, types.UnionType,
    type(NotImplemented), types.WrapperDescriptorType, types.MethodDescriptorType,
    types.GetSetDescriptorType, types.MemberDescriptorType, property, classmethod, staticmethod,
    memoryview,
})  # fmt: skip
# Types of whole modules whose values nobody changes in place.
_IMMUTABLE_MODULES = frozenset({
    "datetime", "decimal", "fractions", "uuid", "pathlib", "pathlib._local", "re", "zoneinfo",
    "ipaddress", "operator", "abc", "typing", "dataclasses", "logging", "pickle", "inspect",
})  # fmt: skip
# Arrow data does not change; polars copies on write; zones and numpy's types are constants.
_IMMUTABLE_PACKAGES = frozenset({"polars", "pyarrow", "pytz", "dateutil"})
_VALUES = (tuple, frozenset, str, bytes, int, float, complex)


@dataclass(frozen=True)
class Reached:
    """The mutable objects that a value contains, by id, and the memory of its arrays.

    The pickler keeps these objects alive, so that their ids stay valid.
    """

    objects: frozenset[int]
    memory: Sequence[arrays.Use]
    pickler: object

    @classmethod
    def of(cls, pickler: Pickler, *, objects: bool = True) -> Reached:
        """Evaluate what a pickler has seen; without ``objects``, only the memory of arrays."""
        ids = _objects(pickler) if objects else frozenset()
        leaves = pickler.leaves
        memory = [use for use in pickler.uses if use.high > use.low and _shares(use, leaves)]
        return cls(ids, memory, pickler)


def _objects(pickler: Pickler) -> frozenset[int]:
    """Return the ids of objects that a pickler has seen and that can change."""
    kinds: dict[type, bool | None] = {}
    mutable_ids: set[int] = set()
    states: set[int] = set()
    collecting = gc.isenabled()
    gc.disable()  # Millions of small tuples are created, none of which is garbage.
    try:
        # The memo of the C pickler is no dictionary, but its copy is one.
        for key, (_, met) in pickler.memo.copy().items():
            kind = type(met)
            try:
                mutable = kinds[kind]
            except KeyError:
                mutable = kinds[kind] = _mutable_kind(kind)
            if mutable is None:
                mutable = not importable(met)
                if isinstance(met, _VALUES):
                    mutable = bool(getattr(met, "__dict__", None))
            if mutable:
                mutable_ids.add(key)
            # The attributes of an immutable object are a dictionary in the pickle, which nobody
            # changes.
            elif kind.__dictoffset__ and kind is not types.FunctionType:
                states.add(id(getattr(met, "__dict__", None)))
    finally:
        if collecting:
            gc.enable()
    return frozenset(mutable_ids - states - pickler.leaves.keys())


def groups(reached: Mapping[str, Reached]) -> list[list[str]]:
    """Group the names of values that share something, in the order of the names."""
    parent = {name: name for name in reached}

    def find(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    first: dict[int, str] = {}
    uses: list[arrays.Use] = []
    owners: list[str] = []
    for name, value in reached.items():
        for key in value.objects:
            parent[find(name)] = find(first.setdefault(key, name))
        uses += value.memory
        owners += [name] * len(value.memory)
    if uses and len(set(owners)) > 1:
        for one, two in arrays.Overlaps().pairs(uses):
            parent[find(owners[one])] = find(owners[two])
    joined: dict[str, list[str]] = {}
    for name in reached:
        joined.setdefault(find(name), []).append(name)
    return list(joined.values())


def layout_within(members: Iterable[Reached]) -> arrays.Layout:
    """Return the memory that several different arrays of a bundle share."""
    return arrays.Layout.of(use for member in members for use in member.memory)


def _shares(use: arrays.Use, leaves: Mapping[int, Any]) -> bool:
    """Tell whether an array's memory can be changed, through it or through its owner."""
    owner = arrays.root(use.array)
    if id(use.array) in leaves or id(owner) in leaves:
        return False
    if use.array.flags.writeable:
        return True
    flags = getattr(owner, "flags", None)
    return flags is None or bool(getattr(flags, "writeable", True))


def _mutable_kind(kind: type) -> bool | None:
    """Tell whether values of a type can change in place; None: it depends on the value."""
    if kind in _IMMUTABLE_TYPES or issubclass(kind, type) or arrays.is_array_kind(kind):
        return False
    if kind.__module__ in _IMMUTABLE_MODULES or type(kind).__module__ == "enum":
        return False
    package = kind.__module__.partition(".")[0]
    if package in _IMMUTABLE_PACKAGES or (package == "pandas" and frames.is_constant_kind(kind)):
        return False
    numpy = arrays.module("numpy")
    if numpy is not None and issubclass(kind, (numpy.dtype, numpy.generic, numpy.ufunc)):
        return False
    callable_kind = any("__call__" in vars(base) for base in kind.__mro__[:-1])
    if callable_kind or issubclass(kind, _VALUES):
        return None
    return True
