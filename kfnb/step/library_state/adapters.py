"""The seam of library state: what captures one kind of state and restores it.

It runs in the kernel: standard library only, and a library's own functions once it is loaded.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "kfnb.library_state"
"""The entry point under which packages bring adapters of their own."""


class Adapter(Protocol):
    """One kind of state, as named parts.

    Attributes
    ----------
    name
        What sentences call it: ``options of pandas``.
    module
        The module that must be loaded for the state to exist; empty: it always does.
    """

    name: str
    module: str

    def capture(self) -> Mapping[str, Any]:
        """Return all parts of the present state."""

    def restore(self, parts: Mapping[str, Any], gone: Collection[str]) -> None:
        """Set these parts, and remove those that are gone."""

    def compare(self, one: Any, other: Any) -> bool:
        """Return whether two captured parts are the same."""


class Generator(Adapter, Protocol):
    """A global random generator. Its state flows only if somebody has seeded it.

    Attributes
    ----------
    seeds
        The functions that seed it: modules and their attributes.
    """

    seeds: tuple[tuple[str, str], ...]


def is_generator(adapter: Adapter) -> bool:
    """Return whether an adapter is that of a random generator."""
    return hasattr(adapter, "seeds")


@functools.cache
def all_adapters() -> tuple[Adapter, ...]:
    """Return the built-in adapters and those of installed packages."""
    from kfnb.step.library_state.generators import GENERATORS
    from kfnb.step.library_state.options import OPTIONS
    from kfnb.step.library_state.process import PROCESS
    from kfnb.step.library_state.registries import REGISTRIES

    return (*PROCESS, *REGISTRIES, *GENERATORS, *OPTIONS, *_installed())


@functools.cache
def installed_points() -> tuple[EntryPoint, ...]:
    """Return what installed packages bring. It reads a file of each package."""
    from importlib import metadata

    return tuple(metadata.entry_points(group=GROUP))


def _installed() -> list[Adapter]:
    adapters: list[Adapter] = []
    for point in installed_points():
        with contextlib.suppress(Exception):  # A package that is broken must not break the step.
            adapters.append(point.load()())
    return adapters
