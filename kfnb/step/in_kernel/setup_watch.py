"""Find values of setup that a step has changed, and its threads. Standard library only."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfnb.step.values import Watch

_PLAIN_HOMES = {"__main__", "numpy", "pandas", "polars", "pyarrow", "scipy"}
_UNCHANGING = (int, float, complex, str, bytes, type(None), type, range, slice, ModuleType,
               FunctionType, BuiltinFunctionType, re.Pattern)  # fmt: skip
_LARGE = 256 << 20
"""Bytes of a setup value above which it is not checked for changes."""


class SetupWatch:
    """Notices changes of setup's values, which later steps get as setup makes them.

    Parameters
    ----------
    wanted
        Names of setup that later steps read; those that this kernel lacks are ignored.
    names
        The user's names, after setup and before the step's own cells.
    definitions
        As for :func:`~kfnb.step.values.save`.
    """

    def __init__(
        self, wanted: Collection[str], names: Mapping[str, Any], definitions: Collection[str]
    ) -> None:
        self._values = {n: names[n] for n in wanted if n in names and _is_plain(names[n])}
        self._watch: Watch | None = None
        if not self._values:
            return
        from kfnb.step import values

        sizes = {name: values.describe(value)["size"] or 0 for name, value in self._values.items()}
        self._values = {n: v for n, v in self._values.items() if sizes[n] <= _LARGE}
        self._watch = values.Watch(self._values, definitions=definitions)

    def changed(self, names: Mapping[str, Any]) -> list[str]:
        """Return the names of values that were changed in place and still have their names."""
        if self._watch is None:
            return []
        return sorted(n for n in self._watch.changed() if names.get(n) is self._values[n])


def own_threads() -> list[str]:
    """Return the names of running threads that the user's own code has started."""
    import threading

    return [
        thread.name
        for thread in threading.enumerate()
        if "__main__"
        in (type(thread).__module__, getattr(getattr(thread, "_target", None), "__module__", None))
    ]


def _is_plain(value: Any) -> bool:
    """Whether a value can change, but only by what its users do to it.

    Objects of other libraries often cache results in themselves.
    """
    home = type(value).__module__.partition(".")[0]
    if isinstance(value, _UNCHANGING):
        return False
    return home in _PLAIN_HOMES or home in sys.stdlib_module_names
