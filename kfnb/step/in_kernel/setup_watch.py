"""Values of setup that a step has changed: later steps get them as states. And its threads."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, MutableMapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from kfnb.step.library_state.contents import content
from kfnb.step.library_state.observation import UNUSED

if TYPE_CHECKING:
    from kfnb.step.values import Watch

_REMEMBERING = frozenset(
    ("IPython", "catboost", "keras", "lightgbm", "logging", "matplotlib", "plotly", "scipy",
     "seaborn", "sklearn", "spacy", "statsmodels", "tensorflow", "torch", "tqdm", "transformers",
     "xarray", "xgboost")
)  # fmt: skip
"""Libraries whose objects often remember results in themselves. What changes them is in the source
of the step: they are trained, fitted or drawn on."""
_UNCHANGING = (int, float, complex, str, bytes, type(None), type, range, slice, ModuleType,
               FunctionType, BuiltinFunctionType, re.Pattern)  # fmt: skip
_LARGE = 256 << 20
"""Bytes of a setup value above which it is not checked for changes."""


def setup_state(name: str) -> str:
    """Return what the state of a value is called that setup makes.

    >>> setup_state("graph")
    'the value "graph" of setup'
    """
    return f'the value "{name}" of setup'


class SetupWatch:
    """Notices changes of setup's values, which each step makes anew.

    Parameters
    ----------
    wanted
        Names of setup that later steps read; those that this kernel lacks are ignored.
    used
        Names of setup that this step reads.
    names
        The user's names, after setup and before the step's own cells.
    given
        States that earlier steps have left.
    contents
        What earlier steps have left in this kernel: the contents by name.
    definitions
        As for :func:`~kfnb.step.values.save`.
    """

    def __init__(
        self,
        wanted: Collection[str],
        names: MutableMapping[str, Any],
        *,
        used: Collection[str],
        given: Mapping[str, Mapping[str, Any]],
        contents: MutableMapping[str, str],
        definitions: Collection[str],
    ) -> None:
        self._began: dict[str, str] = {}
        for name in {*wanted, *used}:
            change = given.get(setup_state(name))
            if change is not None and name in names and "value" in change["set"]:
                _put_in(names, name, change["set"]["value"])
                contents[name] = change["set"]["content"]
            self._began[name] = contents.get(name, "")
        self._used = frozenset(used)
        self._values = {n: names[n] for n in wanted if n in names and _may_change(names[n])}
        self._watch: Watch | None = None
        if not self._values:
            return
        from kfnb.step import values

        sizes = {name: values.describe(value)["size"] or 0 for name, value in self._values.items()}
        self._values = {n: v for n, v in self._values.items() if sizes[n] <= _LARGE}
        self._watch = values.Watch(self._values, definitions=definitions)

    def changed(self, names: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Return the values that were changed in place and still have their names, as states."""
        if self._watch is None:
            return {}
        changed = sorted(n for n in self._watch.changed() if names.get(n) is self._values[n])
        return {n: {"set": {"value": names[n], "content": _content(names[n])}} for n in changed}

    def states(self, left: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, str, str]]:
        """Return what the step began with and left, as the observer of library states does."""
        return {
            setup_state(name): (
                "",
                self._began.get(name, "") if name in self._used else UNUSED,
                left[name]["set"]["content"] if name in left else "",
            )
            for name in sorted({*self._used, *left})
        }


def own_threads() -> list[str]:
    """Return the names of running threads that the user's own code has started."""
    import threading

    return [
        thread.name
        for thread in threading.enumerate()
        if "__main__"
        in (type(thread).__module__, getattr(getattr(thread, "_target", None), "__module__", None))
    ]


def _may_change(value: Any) -> bool:
    """Whether a value can change, but only by what its users do to it."""
    home = type(value).__module__.partition(".")[0]
    return not isinstance(value, _UNCHANGING) and home not in _REMEMBERING


def _content(value: Any) -> str:
    try:
        return content({"value": value})
    except Exception:  # Then each change counts as another one.
        return os.urandom(16).hex()


def _put_in(names: MutableMapping[str, Any], name: str, value: Any) -> None:
    """Bind a value; an object that setup may have stored elsewhere keeps its identity."""
    old: Any = names[name]
    if type(old) is not type(value):
        names[name] = value
    elif type(value) is list:
        old[:] = value
    elif type(value) in (dict, set):
        old.clear()
        old.update(value)
    elif type(value).__flags__ & 1 << 9 and hasattr(value, "__dict__") and _is_plain(type(value)):
        vars(old).clear()
        vars(old).update(vars(value))
    else:
        names[name] = value


def _is_plain(kind: type) -> bool:
    """Whether all that an object of a class holds is in its dictionary."""
    return all(
        base is object or (base.__flags__ & 1 << 9 and "__slots__" not in vars(base))
        for base in kind.__mro__
    )
