"""Kernel side: what a step leaves behind in its process, which no later step will find there.

Environment variables and the working directory that code outside of the cells sets, and
globals of the notebook's own modules that a call changed. What cells do themselves is
known from their source. Standard library only.
"""

# String paths: this runs at every import.

from __future__ import annotations

import contextlib
import hashlib
import importlib.abc
import importlib.machinery
import os
import pickle
import re
import sys
from collections.abc import Mapping, Sequence
from types import CodeType, ModuleType
from typing import Any

_SETTERS = frozenset({"os", "_collections_abc", "collections", "contextlib"})
_MEMORY = re.compile("cache|memo", re.IGNORECASE)
"""Globals whose change only saves time, by their names."""
_UNIMPORTANT = (ModuleType, type, CodeType)
_LARGE = 16 << 20
"""Bytes of a global beyond which nobody looks whether it changed."""


class ProcessLeaks:
    """Notices what a step leaves behind.

    Parameters
    ----------
    folder
        The notebook's folder: modules below it are the user's own.
    """

    def __init__(self, folder: str) -> None:
        self._folder = os.path.realpath(folder) + os.sep
        self._environment: Mapping[str, str] = {}
        self._cwd = ""
        self._set: set[str] = set()
        self._moved = False
        self._fresh: dict[str, dict[str, str]] = {}
        self._looking = False

    def start(self) -> None:
        """Listen from now on, and note how the user's own modules are when they are imported."""
        sys.addaudithook(self._hook)
        sys.meta_path.insert(0, _OwnModules(self))

    def mark(self) -> None:
        """Take what there is now as what every step finds: setup has been executed."""
        self._environment = dict(os.environ)
        self._cwd = _cwd()
        self._set.clear()
        self._moved = False
        for name in self._fresh:
            module = sys.modules.get(name)
            if module is not None:
                self.imported(module)

    def imported(self, module: ModuleType) -> None:
        """Note what an own module holds right after its import."""
        self._fresh[module.__name__] = _contents(module)

    def left(self) -> dict[str, list[str]]:
        """Return what was left behind, as a manifest's ``left``."""
        found: dict[str, list[str]] = {}
        changed = [key for key in self._set if os.environ.get(key) != self._environment.get(key)]
        if changed:
            found["environment"] = sorted(changed)
        if self._moved and _cwd() != self._cwd:
            found["folder"] = [_cwd()]
        for name, fresh in self._fresh.items():
            module = sys.modules.get(name)
            file = os.path.realpath(getattr(module, "__file__", None) or "")
            if module is None or not file.startswith(self._folder):
                continue
            now = _contents(module)
            names = sorted(key for key, was in fresh.items() if now.get(key, was) != was)
            if names:
                path = file[len(self._folder) :].replace(os.sep, "/")
                found[f"module:{path}"] = names
        return found

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("os.putenv", "os.unsetenv", "os.chdir") or self._looking:
            return
        self._looking = True
        try:
            if self._hidden():
                if event == "os.chdir":
                    self._moved = True
                else:
                    self._set.add(os.fsdecode(arguments[0]))
        except Exception:  # an observer must never change what the notebook does
            return
        finally:
            self._looking = False

    def _hidden(self) -> bool:
        """Whether other code than a cell's acts, for a cell, and not because it is imported."""
        frame = sys._getframe(2)
        while frame.f_globals.get("__name__", "").partition(".")[0] in _SETTERS:
            if frame.f_back is None:
                return False
            frame = frame.f_back
        if frame.f_globals.get("__name__") == "__main__":
            return False
        own = os.path.realpath(frame.f_code.co_filename).startswith(self._folder)
        while frame is not None:
            name = frame.f_globals.get("__name__", "")
            if name == "importlib._bootstrap" and not own:
                return False  # another process that imports the library has it, too
            if name == "__main__":
                return True
            frame = frame.f_back  # type: ignore[assignment]
        return False


class _OwnModules(importlib.abc.MetaPathFinder):
    """Finds the user's own modules as Python does, and has them noted after their import."""

    def __init__(self, leftover: ProcessLeaks) -> None:
        self._leftover = leftover

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module; None where it is not one of the user's own."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        loader = spec.loader if spec is not None else None
        if spec is None or type(loader) is not importlib.machinery.SourceFileLoader:
            return None
        if not os.path.realpath(loader.path).startswith(self._leftover._folder):
            return None
        spec.loader = _NotingLoader(loader.name, loader.path, self._leftover)
        return spec


class _NotingLoader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, leftover: ProcessLeaks) -> None:
        super().__init__(fullname, path)
        self._leftover = leftover

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        with contextlib.suppress(Exception):  # an observer must never change what happens
            self._leftover.imported(module)


def _contents(module: ModuleType) -> dict[str, str]:
    """Return a fingerprint of each global that is data."""
    found = {}
    for name, value in list(vars(module).items()):
        if name.startswith("__") or isinstance(value, _UNIMPORTANT) or _MEMORY.search(name):
            continue
        home = type(value).__module__.partition(".")[0]
        if home not in ("builtins", "collections", "numpy", "pandas"):
            continue
        if type(value).__name__ in ("function", "builtin_function_or_method", "method"):
            continue
        with contextlib.suppress(Exception):  # what cannot be pickled is not followed
            data = pickle.dumps(value)
            if len(data) <= _LARGE:
                found[name] = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    return found


def _cwd() -> str:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:
        return ""
