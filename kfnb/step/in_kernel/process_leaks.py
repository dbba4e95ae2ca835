"""Find state that a step changes in its process and that later steps will miss in theirs.

That is environment variables and the working directory, if code outside of the cells sets them, and
globals of the user's own modules that a call has changed. What cells do themselves is known from
their source. It runs in the kernel: standard library only.
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

from kfnb.step.in_kernel.loaded_modules import is_own_module

_SETTERS = frozenset({"os", "_collections_abc", "collections", "contextlib"})
_MEMORY = re.compile("cache|memo", re.IGNORECASE)
"""Names of globals that are caches: their changes only save time."""
_UNIMPORTANT = (ModuleType, type, CodeType)
_LARGE = 16 << 20
"""Bytes of a global above which it is not checked for changes."""


class ProcessLeaks:
    """Finds state of the process that a step has changed.

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
        """Start to listen, and to record the user's own modules as they are after their import."""
        sys.addaudithook(self._hook)
        sys.meta_path.insert(0, _OwnModules(self))

    def take_baseline(self) -> None:
        """Take the present state as the one that every step has: setup has been executed."""
        self._environment = dict(os.environ)
        self._cwd = _cwd()
        self._set.clear()
        self._moved = False
        for name in self._fresh:
            module = sys.modules.get(name)
            if module is not None:
                self.imported(module)

    def imported(self, module: ModuleType) -> None:
        """Record the globals of one of the user's modules right after its import."""
        self._fresh[module.__name__] = _contents(module)

    def find(self) -> dict[str, list[str]]:
        """Return the changes in the form of a manifest's ``left``."""
        leaks: dict[str, list[str]] = {}
        changed = [key for key in self._set if os.environ.get(key) != self._environment.get(key)]
        if changed:
            leaks["environment"] = sorted(changed)
        if self._moved and _cwd() != self._cwd:
            leaks["folder"] = [_cwd()]
        for name, fresh in self._fresh.items():
            module = sys.modules.get(name)
            file = os.path.realpath(getattr(module, "__file__", None) or "")
            if module is None or not is_own_module(file, self._folder):
                continue
            now = _contents(module)
            names = sorted(key for key, was in fresh.items() if now.get(key, was) != was)
            if names:
                path = file[len(self._folder) :].replace(os.sep, "/")
                leaks[f"module:{path}"] = names
        return leaks

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
        except Exception:  # Observing must never change what the notebook does.
            return
        finally:
            self._looking = False

    def _hidden(self) -> bool:
        """Whether code outside of the cells acts for a cell, and not during its own import."""
        frame = sys._getframe(2)
        while frame.f_globals.get("__name__", "").partition(".")[0] in _SETTERS:
            if frame.f_back is None:
                return False
            frame = frame.f_back
        if frame.f_globals.get("__name__") == "__main__":
            return False
        own = is_own_module(frame.f_code.co_filename, self._folder)
        while frame is not None:
            name = frame.f_globals.get("__name__", "")
            if name == "importlib._bootstrap" and not own:
                return False  # Any process that imports the library gets the same.
            if name == "__main__":
                return True
            frame = frame.f_back  # type: ignore[assignment]
        return False


class _OwnModules(importlib.abc.MetaPathFinder):
    """Finds the user's own modules as Python does, and records them after their import."""

    def __init__(self, leaks: ProcessLeaks) -> None:
        self._leaks = leaks

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module; None if it is not one of the user's own."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        loader = spec.loader if spec is not None else None
        if spec is None or type(loader) is not importlib.machinery.SourceFileLoader:
            return None
        if not is_own_module(loader.path, self._leaks._folder):
            return None
        spec.loader = _RecordingLoader(loader.name, loader.path, self._leaks)
        return spec


class _RecordingLoader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, leaks: ProcessLeaks) -> None:
        super().__init__(fullname, path)
        self._leaks = leaks

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        with contextlib.suppress(Exception):  # Observing must never break an import.
            self._leaks.imported(module)


def _contents(module: ModuleType) -> dict[str, str]:
    """Return a fingerprint for each global that is data."""
    fingerprints = {}
    for name, value in list(vars(module).items()):
        if name.startswith("__") or isinstance(value, _UNIMPORTANT) or _MEMORY.search(name):
            continue
        home = type(value).__module__.partition(".")[0]
        if home not in ("builtins", "collections", "numpy", "pandas"):
            continue
        if type(value).__name__ in ("function", "builtin_function_or_method", "method"):
            continue
        with contextlib.suppress(Exception):  # A value that cannot be pickled is not checked.
            data = pickle.dumps(value)
            if len(data) <= _LARGE:
                # A Python in FIPS mode refuses SHA-1 unless it is told that nothing depends on its
                # security.
                fingerprints[name] = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    return fingerprints


def _cwd() -> str:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:
        return ""
