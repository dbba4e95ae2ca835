"""Watch imports: libraries whose state flows, the user's own modules, and what imports change."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from types import ModuleType
from typing import Any

from kfnb.step.in_kernel.loaded_modules import is_own_module

Snapshot = Mapping[str, Mapping[str, Any]]


class ImportWatch(importlib.abc.MetaPathFinder):
    """Finds modules as Python does, and says when their import is done.

    Parameters
    ----------
    folder
        Modules below this folder are the user's own.
    modules
        Names of modules of which ``loaded`` is called.
    own_loaded
        Called with each of the user's own modules and its path below the folder.
    snapshot, fold
        Called before and after the import of a whole library.
    """

    def __init__(
        self,
        folder: str,
        *,
        modules: Collection[str],
        loaded: Callable[[str], None],
        own_loaded: Callable[[ModuleType, str], None],
        snapshot: Callable[[], Snapshot],
        fold: Callable[[Snapshot], None],
    ) -> None:
        self._folder = os.path.realpath(folder) + os.sep
        self._modules = frozenset(modules)
        self._loaded = loaded
        self._own_loaded = own_loaded
        self._snapshot = snapshot
        self._fold = fold
        self._depth = 0

    def start(self) -> None:
        """Begin to watch."""
        sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module; None if nobody wants to know when it is imported."""
        whole = "." not in name and name not in sys.stdlib_module_names
        if not whole and name not in self._modules and "." in name and not self._maybe_own(path):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        loader = spec.loader if spec is not None else None
        if spec is None or type(loader) is not importlib.machinery.SourceFileLoader:
            return None
        own = is_own_module(loader.path, self._folder)
        if own or name in self._modules or whole:
            spec.loader = _Loader(loader, self, own=own, whole=whole and not own)
        return spec

    def _maybe_own(self, path: Sequence[str] | None) -> bool:
        return any(os.path.realpath(each).startswith(self._folder) for each in path or ())

    def execute(
        self,
        loader: importlib.machinery.SourceFileLoader,
        module: ModuleType,
        *,
        own: bool,
        whole: bool,
    ) -> None:
        """Execute a module, and say that it is loaded."""
        before = None
        if whole and not self._depth:
            with contextlib.suppress(Exception):
                before = self._snapshot()
        self._depth += whole
        try:
            loader.exec_module(module)
        finally:
            self._depth -= whole
        with contextlib.suppress(Exception):  # Observing must never break an import.
            if before is not None:
                self._fold(before)
        with contextlib.suppress(Exception):
            if own:
                file = os.path.realpath(loader.path)
                self._own_loaded(module, file[len(self._folder) :].replace(os.sep, "/"))
            if module.__name__ in self._modules:
                self._loaded(module.__name__)


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module as its own loader does, which it leaves in the module."""

    def __init__(
        self,
        loader: importlib.machinery.SourceFileLoader,
        watch: ImportWatch,
        *,
        own: bool,
        whole: bool,
    ) -> None:
        super().__init__(loader.name, loader.path)
        self._loader, self._watch = loader, watch
        self._own, self._whole = own, whole

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._watch.execute(self._loader, module, own=self._own, whole=self._whole)
