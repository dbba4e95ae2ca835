"""Globals of the user's own modules, and attributes of the classes in them, as a state."""

from __future__ import annotations

import contextlib
import copy
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from kfnb.step.library_state.process import Parts

_MEMORY = re.compile("cache|memo", re.IGNORECASE)
"""Names of globals that are caches: their changes only save time."""
_CODE = (ModuleType, CodeType, FunctionType, BuiltinFunctionType, MethodType, staticmethod,
         classmethod, property)  # fmt: skip
_LIBRARIES = frozenset(
    ("builtins", "collections", "datetime", "decimal", "numpy", "pandas", "pathlib", "random")
)
_LARGE = 16 << 20
"""Bytes of a global above which it is not checked for changes."""


class OwnModule(Parts):
    """The globals of one module that are data.

    Parameters
    ----------
    path
        The module's file, relative to the notebook's folder.
    """

    def __init__(self, module: ModuleType, path: str) -> None:
        self.name = f"globals of {path}"
        self.module = module.__name__

    def capture(self) -> Mapping[str, Any]:
        """Return copies of the globals, and of attributes of classes as ``Class.attribute``."""
        parts = {}
        for name, value in self._data():
            with contextlib.suppress(Exception):  # What cannot be copied is not checked.
                parts[name] = value if isinstance(value, (int, float, str)) else _copied(value)
        return parts

    def restore(self, parts: Mapping[str, Any], gone: Collection[str]) -> None:
        """Set globals, in place where they are lists, dictionaries or sets."""
        module = sys.modules[self.module]
        for name, value in parts.items():
            owner, key = self._owner(module, name)
            _set(owner, key, value)
        for name in gone:
            owner, key = self._owner(module, name)
            if hasattr(owner, key):
                delattr(owner, key)

    def _owner(self, module: ModuleType, name: str) -> tuple[Any, str]:
        owner, _, key = name.rpartition(".")
        return (getattr(module, owner) if owner else module), key

    def _data(self) -> Iterator[tuple[str, Any]]:
        module = sys.modules[self.module]
        for name, value in list(vars(module).items()):
            if _is_data(name, value, module.__name__):
                yield name, value
            elif isinstance(value, type) and value.__module__ == module.__name__:
                for key, item in list(vars(value).items()):
                    if _is_data(key, item, module.__name__):
                        yield f"{name}.{key}", item


def _is_data(name: str, value: Any, module: str) -> bool:
    if name.startswith("__") or isinstance(value, (*_CODE, type)) or _MEMORY.search(name):
        return False
    home = type(value).__module__
    return home.partition(".")[0] in _LIBRARIES or home == module


def _copied(value: Any) -> Any:
    if sys.getsizeof(value, 0) > _LARGE:
        raise ValueError("too large to be compared")
    return copy.deepcopy(value)


def _set(owner: Any, name: str, value: Any) -> None:
    """Bind a name; an object that others may hold keeps its identity."""
    old: Any = getattr(owner, name, None)
    if type(old) is not type(value):
        setattr(owner, name, value)
    elif type(value) is list:
        old[:] = value
    elif type(value) in (dict, set):
        old.clear()
        old.update(value)
    elif type(value).__module__ == owner.__name__ and hasattr(value, "__dict__"):
        vars(old).clear()
        vars(old).update(vars(value))
    else:
        setattr(owner, name, value)
