"""cloudpickle for values that leave one notebook kernel for another.

What differs from cloudpickle: definitions of the notebook that are replayed from
source everywhere go by reference; other functions see the ``__main__`` of whoever
loads them, and closures keep sharing their cells; classes that go by value keep
one identity, reproducibly, in every kernel that they reach.
"""

from __future__ import annotations

import functools
import hashlib
import io
import pickle
import sys
import types
from collections.abc import Collection, Mapping
from typing import Any

import cloudpickle
from cloudpickle import cloudpickle as machinery

from kfnb.step.values import arrays
from kfnb.step.values.codecs import reduce_by_codec

OUT_OF_BAND = 64 * 1024
"""Buffers of this many bytes and more are not copied into the pickle."""


_CACHED = type(functools.lru_cache(lambda: None))


class MissingDefinitionError(Exception):
    """A value needs a class or function that this kernel does not have."""


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles values of ``__main__``.

    Parameters
    ----------
    definitions
        Names that are replayed from source wherever the value is loaded.
    origin
        Stable text that classes made here are known by elsewhere.
    owners
        Memory that several arrays look into: id of what owns it to an array of it all.
    """

    def __init__(
        self,
        file: io.BytesIO,
        *,
        definitions: Collection[str],
        origin: str,
        owners: Mapping[int, Any] | None = None,
    ) -> None:
        self.buffers: list[memoryview] = []
        super().__init__(file, protocol=5, buffer_callback=self._keep)
        self._names = frozenset(definitions)
        self._origin = origin
        self._owners = owners or {}
        self._main = vars(sys.modules["__main__"])
        self._cells: dict[int, Any] = {}
        self.classes: dict[str, None] = {}
        self.globals: dict[str, None] = {}
        self.immutable: set[int] = set()
        self.arrays: list[Any] = []

    def _keep(self, buffer: pickle.PickleBuffer) -> bool:
        try:
            view = buffer.raw()
        except BufferError:
            return True
        if view.nbytes < OUT_OF_BAND:
            return True
        self.buffers.append(view)
        return False

    def reducer_override(self, obj: Any) -> Any:
        """Reduce what cloudpickle would reduce in another way."""
        kind = type(obj)
        if kind is types.FunctionType:
            # A wrapper of a library's own may call itself __main__'s: its globals tell.
            if obj.__globals__ is self._main:
                return self._named(obj) or self._function(obj)
            path = obj.__globals__.get("__path__")
            parts = (
                obj.__dict__,
                obj.__kwdefaults__,
                path,
                getattr(obj, "__annotations__", None),
                *(obj.__closure__ or ()),
            )
            self.immutable.update(map(id, parts))
        elif isinstance(obj, type):
            if obj.__module__ == "__main__":
                if (found := self._named(obj)) is not None:
                    return found
                self._track(obj)
                # A class keeps its identity by its id: what it holds does not tie values together.
                self.immutable.update(map(id, vars(obj).values()))
        elif kind is _CACHED:
            if obj.__module__ == "__main__":
                return self._named(obj) or (cached, (obj.__wrapped__, obj.cache_parameters()))
        elif kind is types.CellType and id(obj) in self._cells:
            return types.CellType, ()  # The function's state fills it.
        elif arrays.is_array(obj):
            self.arrays.append(obj)
            owner = self._owners.get(id(arrays.root(obj)))
            if owner is not None and owner is not obj:
                return self._view(obj, owner)
        elif (found := reduce_by_codec(obj)) is not None:
            return found
        else:
            self.immutable.update(arrays.immutable_parts(obj))
        return super().reducer_override(obj)

    def _named(self, obj: Any) -> Any:
        """Reduce to a reference, if the notebook's definitions hold this very object."""
        name = getattr(obj, "__qualname__", "")
        top = name.partition(".")[0]
        if top not in self._names or "<locals>" in name or _find(self._main, name) is not obj:
            return None
        self.classes[top] = None
        return lookup, (name,)

    def _function(self, function: types.FunctionType) -> Any:
        code = _neutral(function.__code__)
        closure = function.__closure__
        cells = [(c, *_contents(c)) for c in closure or ()]
        self._cells.update((id(c), c) for c in closure or ())
        state = {
            "name": function.__name__,
            "qualname": function.__qualname__,
            "defaults": function.__defaults__,
            "kwdefaults": function.__kwdefaults__,
            "annotations": _annotations(function),
            "doc": function.__doc__,
            "dict": function.__dict__,
            "cells": cells,
        }
        for name in machinery._extract_code_globals(function.__code__):
            if name in self._main:
                self.globals[name] = None
        return make_function, (code, closure), state, None, None, set_function

    def _track(self, kind: type) -> None:
        """Give a class an id that is the same whenever the same step makes it."""
        with machinery._DYNAMIC_CLASS_TRACKER_LOCK:
            if kind in machinery._DYNAMIC_CLASS_TRACKER_BY_CLASS:
                return
            number = 0
            while True:
                text = f"{self._origin}\0{kind.__qualname__}\0{number}"
                key = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
                if key not in machinery._DYNAMIC_CLASS_TRACKER_BY_ID:
                    break
                number += 1
            machinery._DYNAMIC_CLASS_TRACKER_BY_CLASS[kind] = key
            machinery._DYNAMIC_CLASS_TRACKER_BY_ID[key] = kind

    def _view(self, array: Any, owner: Any) -> Any:
        offset = array.__array_interface__["data"][0] - arrays.bounds(owner)[0]
        flags = bool(array.flags.writeable)
        return arrays.view, (owner, array.dtype, array.shape, array.strides, offset, flags)


def lookup(name: str) -> Any:
    """Give a definition of the loading kernel."""
    found = _find(vars(sys.modules["__main__"]), name)
    if found is None:
        raise MissingDefinitionError(
            f'the value needs "{name}", which the notebook defines and this kernel does not have'
        )
    return found


def make_function(code: types.CodeType, closure: Any) -> types.FunctionType:
    """Make a function that sees the ``__main__`` of this kernel."""
    return types.FunctionType(code, vars(sys.modules["__main__"]), closure=closure)


def cached(function: Any, parameters: Mapping[str, Any]) -> Any:
    """Make a function that remembers its results; it begins with none."""
    return functools.lru_cache(**parameters)(function)


def set_function(function: types.FunctionType, state: Mapping[str, Any]) -> None:
    """Give a function what it had, its closure's contents too."""
    function.__name__ = state["name"]
    function.__qualname__ = state["qualname"]
    function.__module__ = "__main__"
    function.__defaults__ = state["defaults"]
    function.__kwdefaults__ = state["kwdefaults"]
    function.__annotations__ = state["annotations"]
    function.__doc__ = state["doc"]
    function.__dict__.update(state["dict"])
    for cell, filled, value in state["cells"]:
        if filled:
            cell.cell_contents = value


def _find(names: Mapping[str, Any], name: str) -> Any:
    top, *rest = name.split(".")
    found = names.get(top)
    for part in rest:
        found = getattr(found, part, None)
    return found


def _contents(cell: Any) -> tuple[bool, Any]:
    try:
        return True, cell.cell_contents
    except ValueError:
        return False, None


def _annotations(function: types.FunctionType) -> dict[str, Any]:
    try:
        return dict(function.__annotations__)
    except Exception:
        return {}  # Python 3.14 evaluates them only now, and they may name what is not there.


def _neutral(code: types.CodeType) -> types.CodeType:
    """Leave out of a code object what differs from kernel to kernel: its file's name."""
    constants = tuple(_neutral(c) if isinstance(c, types.CodeType) else c for c in code.co_consts)
    return code.replace(co_filename="<notebook>", co_consts=constants)
