"""Put the filters of warnings that a template's imports set in place when a child imports the same.

A cell may set filters of its own between two imports, and which come first decides which count.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from typing import Any

from kfnb.step.templates.imports.known_effects import imported_modules

Filters = tuple[Sequence[Any], Sequence[Any]]
"""Filters that were put before all others, and after them; each the first first."""

_waiting: list[tuple[list[ModuleSpec], Filters]] = []


def begin(filters: Mapping[str, Filters]) -> None:
    """Wait for the imports that have set ``filters``, which has them by statement."""
    for statement, own in filters.items():
        modules = [sys.modules.get(name) for name in imported_modules(statement)]
        specs = [getattr(module, "__spec__", None) for module in modules]
        watched = [spec for spec in specs if type(spec) in (ModuleSpec, _WatchedSpec)]
        if not watched:
            _put_in_place(own)
            continue
        _waiting.append((watched, own))  # type: ignore[arg-type]
        for spec in watched:
            spec.__class__ = _WatchedSpec


class _WatchedSpec(ModuleSpec):
    """The spec of a loaded module whose next import is noticed.

    The import system asks the spec of a module that it finds loaded whether it is still
    initialising. A function in place of ``__import__`` would be seen in tracebacks.
    """

    @property
    def _initializing(self) -> bool:
        _imported(self)
        return False

    @_initializing.setter
    def _initializing(self, value: bool) -> None:
        vars(self)["_initializing"] = value


def _imported(spec: ModuleSpec) -> None:
    """Put the filters of the first statement that imported the module in place."""
    for number, (specs, filters) in enumerate(_waiting):
        if any(one is spec for one in specs):
            del _waiting[number]
            _put_in_place(filters)
            break
    else:
        specs = [spec]
    left = {id(one) for others, _ in _waiting for one in others}
    for one in specs:
        if id(one) not in left:
            one.__class__ = ModuleSpec


def _put_in_place(filters: Filters) -> None:
    here: list[Any] = warnings.filters  # type: ignore[assignment]
    here[:] = [*filters[0], *here, *filters[1]]
    # Python remembers which filters a module's warnings have passed, until it is informed.
    getattr(warnings, "_filters_mutated", lambda: None)()
