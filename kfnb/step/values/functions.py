"""Functions that are pickled by value: they use the ``__main__`` of the kernel that loads them.

Saved files name :func:`lookup`, :func:`make`, :func:`set_state` and :func:`cached` by module path,
so these must stay here.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Mapping
from typing import Any

from cloudpickle import cloudpickle as machinery

CACHED = type(functools.lru_cache(lambda: None))


class MissingDefinitionError(Exception):
    """A value needs a class or function that this kernel does not have."""


def find(names: Mapping[str, Any], name: str) -> Any:
    """Look up a dotted name; None if it does not exist."""
    top, *rest = name.split(".")
    value = names.get(top)
    for part in rest:
        value = getattr(value, part, None)
    return value


def lookup(name: str) -> Any:
    """Return a definition of the kernel that loads the value."""
    definition = find(vars(sys.modules["__main__"]), name)
    if definition is None:
        raise MissingDefinitionError(
            f'the value needs "{name}", which the notebook defines but this kernel does not have'
        )
    return definition


def reads(function: types.FunctionType) -> Mapping[str, Any]:
    """Return the globals that a function reads, including the functions inside it."""
    names: Mapping[str, Any] = machinery._extract_code_globals(function.__code__)
    return names


def reduce(function: types.FunctionType) -> Any:
    """Reduce a function of ``__main__`` to its code and attributes, without its globals."""
    closure = function.__closure__
    state = {
        "name": function.__name__,
        "qualname": function.__qualname__,
        "module": function.__module__,
        "defaults": function.__defaults__,
        "kwdefaults": function.__kwdefaults__,
        "annotations": _annotations(function),
        "doc": function.__doc__,
        "dict": function.__dict__,
        "cells": [(cell, *_contents(cell)) for cell in closure or ()],
        "types": getattr(function, "__type_params__", ()),
    }
    return make, (neutral(function.__code__), closure), state, None, None, set_state


def make(code: types.CodeType, closure: Any) -> types.FunctionType:
    """Rebuild a function that uses the ``__main__`` of this kernel."""
    return types.FunctionType(code, vars(sys.modules["__main__"]), closure=closure)


def set_state(function: types.FunctionType, state: Mapping[str, Any]) -> None:
    """Restore the attributes of a function, and the contents of its closure."""
    function.__name__ = state["name"]
    function.__qualname__ = state["qualname"]
    function.__module__ = state["module"]
    function.__defaults__ = state["defaults"]
    function.__kwdefaults__ = state["kwdefaults"]
    function.__annotations__ = state["annotations"]
    function.__doc__ = state["doc"]
    function.__dict__.update(state["dict"])
    if state["types"]:
        setattr(function, "__type_params__", state["types"])  # noqa: B010 (from Python 3.12 on)
    # Filled only now, because the closure of a recursive function holds the function itself.
    for cell, filled, value in state["cells"]:
        if filled:
            cell.cell_contents = value


def cached(function: Any, parameters: Mapping[str, Any]) -> Any:
    """Rebuild a function with ``lru_cache``; its cache is empty."""
    return functools.lru_cache(**parameters)(function)


def neutral(code: types.CodeType, first: int | None = None) -> types.CodeType:
    """Remove from a code object what depends on the kernel and on its position in a cell.

    ipykernel's file names contain a process id and a hash of the cell.
    """
    first = code.co_firstlineno if first is None else first
    constants = tuple(
        neutral(c, first) if isinstance(c, types.CodeType) else c for c in code.co_consts
    )
    return code.replace(
        co_filename="<notebook>",
        co_consts=constants,
        co_firstlineno=max(1, code.co_firstlineno - first + 1),
    )


def _contents(cell: Any) -> tuple[bool, Any]:
    try:
        return True, cell.cell_contents
    except ValueError:
        # The name is not bound yet.
        return False, None


def _annotations(function: types.FunctionType) -> dict[str, Any]:
    try:
        return dict(function.__annotations__)
    except Exception:
        return {}  # Python 3.14 evaluates them only now, and they may use undefined names.
