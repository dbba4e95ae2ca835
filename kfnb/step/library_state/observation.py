"""Observe the state of libraries during a step: what it began with, relied on, and left.

A state travels as the parts that differ from those of a fresh process, so that a process which
has other defaults keeps them.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from kfnb.step.library_state.adapters import Adapter, all_adapters, is_generator
from kfnb.step.library_state.contents import digest
from kfnb.step.library_state.import_watch import ImportWatch
from kfnb.step.library_state.own_modules import OwnModule

UNUSED = "-"
"""In the place of what a step began with: the step did not rely on that state."""
_USES: Mapping[str, Collection[str]] = {
    "numpy": (),
    "polars": ("numpy",),
    "matplotlib": ("numpy",),
    "pandas": ("numpy", "matplotlib", "tqdm"),
    "sklearn": ("numpy", "pandas"),
    "scipy": ("numpy",),
}
"""What libraries may rely on; another one may rely on everything that is loaded."""
Change = Mapping[str, Any]
"""A state: ``set``, the parts that differ from a fresh process, and ``gone``, those it lacks."""


@dataclass(slots=True)
class Observed:
    """One adapter whose state exists in this process."""

    adapter: Adapter
    fresh: dict[str, Any]
    own: Change = field(default_factory=dict)
    # A hash of what it was given, and of what restoring that gave: a value may look another way
    # after it was saved and loaded.
    began: str = ""
    start: str = ""
    seeded: bool = False
    # Whether the step seeded the generator before it drew from it; None: it has not done so yet.
    reset: bool | None = None

    def change(self) -> Change:
        """Return how the present state differs from a fresh one; empty if it does not."""
        now = self.adapter.capture()
        if is_generator(self.adapter):
            return {"set": dict(now)} if self.seeded else {}
        compare, fresh = self.adapter.compare, self.fresh
        changed = {k: v for k, v in now.items() if k not in fresh or not compare(fresh[k], v)}
        gone = sorted(fresh.keys() - now.keys())
        return {"set": changed, "gone": gone} if changed or gone else {}

    def apply(self, change: Change) -> None:
        """Bring the process into a state."""
        wanted, gone = dict(change.get("set", {})), set(change.get("gone", ()))
        # What only this process has changed is put back first.
        for name in self.own.get("set", {}).keys() - wanted.keys():
            if name in self.fresh:
                wanted[name] = self.fresh[name]
            else:
                gone.add(name)
        self.adapter.restore(wanted, sorted(gone))


class StateObserver:
    """Observes the state of all libraries that are loaded, or that the step loads.

    Parameters
    ----------
    folder
        The notebook's folder: modules below it are the user's own, and their globals are a state.
    """

    def __init__(self, folder: str, adapters: Iterable[Adapter] | None = None) -> None:
        self._adapters = tuple(all_adapters() if adapters is None else adapters)
        self._observed: dict[str, Observed] = {}
        self._given: dict[str, Change] = {}
        self._began = False
        self._uses: set[str] | None = None
        self._starts: dict[str, Mapping[str, Any]] = {}
        self._imports = ImportWatch(
            folder,
            modules={a.module for a in self._adapters if a.module},
            loaded=self._loaded,
            own_loaded=self._own_loaded,
            snapshot=self._snapshot,
            fold=self._fold,
        )

    def start(self) -> None:
        """Take the present state as that of a fresh process, and watch imports."""
        for adapter in self._adapters:
            if not adapter.module or adapter.module in sys.modules:
                self._observe(adapter)
        self._imports.start()

    def begin(self, given: Mapping[str, Change], *, uses: Iterable[str] | None = None) -> None:
        """Restore the given states: setup has been executed, and the step's own cells follow.

        Parameters
        ----------
        uses
            Modules that the step's own statements import, and those of its inputs' classes. By
            default, it may use all that are loaded.
        """
        self._given = dict(given)
        if uses is not None:
            self._uses = {module.partition(".")[0] for module in uses}
        self._began = True
        for observed in self._observed.values():
            self._begin(observed)

    def states(self) -> dict[str, tuple[str, str, str]]:
        """Return for each state what setup made, what the step began with, and what it left.

        Each is a hash, empty for the state of a fresh process. What the step began with is
        ``UNUSED`` if it did not rely on the state; what it left is empty if it is no change.
        """
        self.left: dict[str, Change] = {}
        states = {}
        for name, observed in list(self._observed.items()):
            try:
                states[name] = self._state(name, observed)
            except Exception:  # A library that is broken must not break the step.
                self.left.pop(name, None)
        return states

    def _state(self, name: str, observed: Observed) -> tuple[str, str, str]:
        own, began = _hash(observed.own), observed.began
        ended = observed.change()
        after = _hash(ended)
        if is_generator(observed.adapter):
            drawn = dict(observed.adapter.capture()) != self._starts.get(name)
            if not drawn or observed.reset:
                began = UNUSED
        elif not self._may_rely_on(observed.adapter):
            began = UNUSED
        changed = after != observed.start
        if changed:
            self.left[name] = {**ended, "hash": after}
        return own, began, (after or "fresh") if changed else ""

    def _may_rely_on(self, adapter: Adapter) -> bool:
        module = adapter.module.partition(".")[0]
        if self._uses is None or module in ("", "IPython") or module in self._uses:
            return True
        own = {o.adapter.module for o in self._observed.values() if type(o.adapter) is OwnModule}
        own = {name.partition(".")[0] for name in own}
        if self._uses & own:
            return True  # It may import any of the others.
        libraries = self._uses - sys.stdlib_module_names - {"__main__"}
        return module not in own and any(module in _USES.get(n, {module}) for n in libraries)

    def _observe(self, adapter: Adapter) -> None:
        if adapter.name in self._observed:
            return
        with contextlib.suppress(Exception):  # A version of the library that we do not know.
            observed = Observed(adapter, dict(adapter.capture()))
            self._observed[adapter.name] = observed
            for module, function in getattr(adapter, "seeds", ()):
                _wrap(sys.modules.get(module), function, functools.partial(self._seeds, observed))
            if self._began:
                self._begin(observed)

    def _begin(self, observed: Observed) -> None:
        name = observed.adapter.name
        with contextlib.suppress(Exception):
            observed.own = observed.change()
            observed.began = observed.start = _hash(observed.own)
            if name in self._given:
                observed.apply(self._given[name])
                observed.began = self._given[name]["hash"]
                observed.seeded = True
                observed.start = _hash(observed.change())
            observed.reset = None
            if is_generator(observed.adapter):
                self._starts[name] = dict(observed.adapter.capture())

    def _seeds(self, observed: Observed, arguments: tuple[Any, ...]) -> None:
        name = observed.adapter.name
        if self._began and observed.reset is None:
            observed.reset = dict(observed.adapter.capture()) == self._starts.get(name)
        # Without a seed the system's randomness is used, which no later step can continue.
        observed.seeded = bool(arguments) and arguments[0] is not None

    def _loaded(self, name: str) -> None:
        for adapter in self._adapters:
            if adapter.module == name:
                self._observe(adapter)

    def _own_loaded(self, module: ModuleType, path: str) -> None:
        adapter = OwnModule(module, path)
        # A module that is loaded again is as fresh as at its first import.
        self._observed.pop(adapter.name, None)
        self._observe(adapter)

    def _snapshot(self) -> dict[str, Mapping[str, Any]]:
        """Capture the states that importing a library often changes."""
        names = [a.name for a in self._adapters if not a.module]
        return {n: self._observed[n].adapter.capture() for n in names if n in self._observed}

    def _fold(self, before: Mapping[str, Mapping[str, Any]]) -> None:
        """Count what an import has changed as a fresh process's: each import does the same."""
        for name, was in before.items():
            observed = self._observed[name]
            now = observed.adapter.capture()
            for part in {*was, *now}:
                if was.get(part) == now.get(part) or observed.fresh.get(part) != was.get(part):
                    continue
                if part in now:
                    observed.fresh[part] = now[part]
                else:
                    observed.fresh.pop(part, None)


def _hash(change: Change) -> str:
    parts = {f"set {name}": value for name, value in change.get("set", {}).items()}
    return digest(parts | {f"gone {name}": "" for name in change.get("gone", ())})


def _wrap(module: ModuleType | None, name: str, called: Callable[[tuple[Any, ...]], None]) -> None:
    """Let ``called`` know of calls of a module's function, which looks as before."""
    function = getattr(module, name, None)
    if module is None or function is None or hasattr(function, "_kfnb_wrapped"):
        return

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with contextlib.suppress(Exception):
            called(args or tuple(kwargs.values()))
        return function(*args, **kwargs)

    wrapper._kfnb_wrapped = True  # type: ignore[attr-defined]
    wrapper.__module__ = module.__name__
    wrapper.__qualname__ = name
    setattr(module, name, wrapper)
