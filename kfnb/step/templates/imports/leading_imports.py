"""Execute the import statements that a template is given, and find those that take effect.

A statement takes effect if, besides loading modules, it does something that a forked child must do
itself: start threads, open files, print, look for the kernel. Such a process cannot serve as a
template any more; it starts anew without the statement (:class:`TakesEffect`).
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kfnb.step.templates.imports import filter_replay
from kfnb.step.templates.imports.audit import ImportAudit
from kfnb.step.templates.imports.filter_replay import Filters
from kfnb.step.templates.imports.process_state import ProcessState
from kfnb.step.templates.imports.stand_ins import StandIns

_INSTALLED = ("site-packages", "dist-packages")
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120 (compared as text)

READ_FROM_FOLDER = {"matplotlibrc": "matplotlib"}
"""Files that a package reads from the current folder when it is imported, with the package."""


class TakesEffect(Exception):  # noqa: N818 (no error)
    """Some statements have taken effect; ``effects`` has them with the reason."""

    def __init__(self, effects: dict[str, str]) -> None:
        super().__init__("; ".join(f"{source}: {reason}" for source, reason in effects.items()))
        self.effects = effects


@dataclass
class LoadedImports:
    """What the statements have loaded.

    Attributes
    ----------
    modules
        The names of the modules.
    environment
        The variables that they set (None: removed).
    filters
        For each statement, the filters of warnings that it put before and after the others, the
        first first.
    stand_ins
        What they found in place of the kernel.
    """

    modules: set[str] = field(default_factory=set)
    environment: dict[str, str | None] = field(default_factory=dict)
    filters: dict[str, Filters] = field(default_factory=dict)
    stand_ins: StandIns = field(default_factory=StandIns)

    def conflict(self, local_names: Sequence[str]) -> str | None:
        """Return why a folder with these names cannot use what was loaded; None if it can."""
        loaded = {name.partition(".")[0] for name in self.modules}
        for name in local_names:
            if READ_FROM_FOLDER.get(name, name) in loaded:
                return f'the notebook\'s folder has its own "{name}"'
        return None

    def replay(self) -> None:
        """Do in a child's kernel what the statements did besides loading modules.

        The environment and the filters were made anew for the child meanwhile, by its order and by
        IPython.
        """
        if not self.modules:
            return
        self.stand_ins.use_streams()
        for name, value in self.environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        here: list[Any] = warnings.filters  # type: ignore[assignment]
        ours = [entry for filters in self.filters.values() for part in filters for entry in part]
        here[:] = [entry for entry in here if entry not in ours]
        filter_replay.begin(self.filters)


def execute(statements: Sequence[str], loaded: LoadedImports) -> None:
    """Execute import statements, each in a namespace of its own, and add to ``loaded``.

    One that raises is left to the children too, which show the error where it belongs.

    Raises
    ------
    TakesEffect
        If any of them does more than load modules.
    """
    effects: dict[str, str] = {}
    audit = ImportAudit()
    for statement in statements:
        before = ProcessState.now()
        effect = _execute(statement, audit, loaded.stand_ins)
        after = ProcessState.now()
        effect = effect or after.effect_since(before)
        if effect is not None:
            effects[statement] = effect
            continue
        loaded.modules |= after.modules - before.modules
        loaded.environment.update(after.changed_environment(before))
        added = after.added_filters(before)
        if added is not None and any(added):
            loaded.filters[statement] = added
    if effects:
        raise TakesEffect(effects)


def _execute(statement: str, audit: ImportAudit, stand_ins: StandIns) -> str | None:
    known = set(sys.modules)
    try:
        with stand_ins.in_place(), audit.record():
            exec(compile(statement, "<imports>", "exec"), {"__name__": "kfnb_imports"})  # noqa: S102
    except BaseException as error:
        return f"it fails: {type(error).__name__}: {error}"[:300]
    new = set(sys.modules) - known
    packages = {name.partition(".")[0] for name in new}
    return stand_ins.effect() or audit.effect(packages) or _not_installed(new)


def own_file(module: object) -> str | None:
    """Return the file of a module that is not installed, but somebody's own; None for others."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or file.startswith(_STANDARD_LIBRARY):
        return None
    installed = any(f"{os.sep}{folder}{os.sep}" in file for folder in _INSTALLED)
    return None if installed else file


def _not_installed(modules: Iterable[str]) -> str | None:
    """Say which module's file is not an installed one: its author edits it between two runs."""
    for name in sorted(modules):
        file = own_file(sys.modules.get(name))
        if file is not None:
            return f"it loads {file}, which is not an installed package"
    return None
