"""The seam between runs and where they execute: a target is a folder, and one line below.

Everything that differs from target to target goes through :class:`Target`; no other code compares
names of targets or imports a target's modules.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from kfnb.errors import UsageError

if TYPE_CHECKING:
    from kfnb.home import RunFolder
    from kfnb.pipeline import Diagnostic, Pipeline
    from kfnb.store.blobs import Store

LOCAL = "local"
"""The target of a run that names none."""

_MODULES: dict[str, str] = {
    LOCAL: "kfnb.runners.local.target",
    "kubernetes": "kfnb.runners.kubernetes.target",
}
"""Each target's module, which has it as ``TARGET`` and imports nothing heavy by itself."""

_registered: dict[str, Target] = {}

Status = Literal["ok", "missing", "warning", "unknown", "optional", "fixed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check of ``kfnb doctor``, with the commands that repair it.

    ``missing`` is what runs need, a ``warning`` what they do without; ``optional`` is there for
    those who want it, and ``unknown`` is what you have no right to look at.
    """

    check: str
    status: Status
    sentence: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workspace:
    """A Kubernetes context with its namespace; ``current`` if a run that names none uses it."""

    context: str
    namespace: str
    current: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run on a target has besides what every run has.

    Parameters
    ----------
    facts
        Entries for the run's ``run.json``.
    files
        Files for the run's folder, by name.
    findings
        What the run's steps will miss on this target.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    findings: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What a clean-up removed, or would remove.

    Parameters
    ----------
    runs
        For each run that was removed its notebook's path; empty where that is not known.
    sentences
        One for each thing that was removed or kept.
    """

    runs: Mapping[str, str]
    sentences: tuple[str, ...]


class Target(Protocol):
    """Where runs execute.

    ``options`` are always those of one call, by name; the target adds what the notebook and the
    configuration file say. ``facts`` is the content of a run's ``run.json``. Every method raises
    UsageError where the call or the configuration is wrong, and InfrastructureError where the
    target cannot be reached.
    """

    @property
    def title(self) -> str:
        """What a person calls the target, in a sentence."""

    @property
    def options(self) -> type:
        """The dataclass of its options; see :func:`kfnb.runners.options.option`."""

    @property
    def is_remote(self) -> bool:
        """Whether runs go on without this machine, so that their folder here may be behind."""

    def parallel(self) -> int:
        """Return how many steps execute at once unless the run says otherwise."""

    def workspaces(self) -> list[Workspace]:
        """Return the workspaces that are configured; nothing is asked for them."""

    def check(self, pipeline: Pipeline, options: Mapping[str, Any]) -> tuple[Diagnostic, ...]:
        """Return what a pipeline's steps will miss there."""

    def prepare(
        self, pipeline: Pipeline, parameters: Mapping[str, Any], options: Mapping[str, Any]
    ) -> Prepared:
        """Return what a new run needs; nothing is started or created."""

    def preview(
        self,
        pipeline: Pipeline,
        parameters: Mapping[str, Any],
        options: Mapping[str, Any],
        *,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """List the objects that a run would create; ``timeout`` is a step's, in seconds."""

    def store(self, facts: Mapping[str, Any]) -> Store:
        """Open the store with a run's manifests and values."""

    def store_identity(self, facts: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return a value that is equal for two runs that share a store."""

    def drive(self, run: RunFolder, pipeline: Pipeline, facts: Mapping[str, Any]) -> str:
        """Drive a run to its end, or follow the process that does; return its final status."""

    def mirror(self, run: RunFolder, facts: Mapping[str, Any]) -> None:
        """Update the copy of a run in its folder on this machine."""

    def mirror_all(self, options: Mapping[str, Any]) -> set[str]:
        """Bring the newest runs of a store here; the ids of those that something drives now."""

    def clean(
        self,
        options: Mapping[str, Any],
        *,
        keep: int | None,
        older_than: float | None,
        notebook: str | None,
        dry_run: bool,
    ) -> Cleaning:
        """Remove old runs and values; ``keep`` counts the runs of each notebook."""

    def doctor(
        self, pipeline: Pipeline | None, options: Mapping[str, Any], *, fix: bool
    ) -> Iterator[Finding]:
        """Check whether runs will find what they need; ``fix`` creates what can be created."""


def target_names() -> list[str]:
    """List the names of all targets, the default one first."""
    return list(dict.fromkeys([*_MODULES, *_registered]))


def find_target(name: str) -> Target:
    """Return a target by its name.

    Raises
    ------
    UsageError
        If there is none of this name.
    """
    if name not in _registered:
        if name not in _MODULES:
            listed = ", ".join(target_names())
            raise UsageError(f'There is no target "{name}". There is: {listed}.')
        target: Target = importlib.import_module(_MODULES[name]).TARGET
        _registered[name] = target
    return _registered[name]


def target_of(facts: Mapping[str, Any]) -> Target:
    """Return the target of a run, from the content of its ``run.json``."""
    return find_target(target_name(facts))


def target_name(facts: Mapping[str, Any]) -> str:
    """Return the name of a run's target, from the content of its ``run.json``."""
    return str(facts.get("target") or LOCAL)


def register(name: str, target: Target) -> None:
    """Add a target that is not part of kfnb."""
    _registered[name] = target


def unregister(name: str) -> None:
    """Remove a target that :func:`register` added."""
    _registered.pop(name, None)


def check_names(name: str, options: Mapping[str, Any]) -> None:
    """Refuse options that a target does not have.

    Raises
    ------
    UsageError
        With the target that has them, if there is one.
    """
    from kfnb.runners.options import given, options_of

    unknown = sorted(given(options).keys() - options_of(find_target(name).options).keys())
    if not unknown:
        return
    for other in target_names():
        if set(unknown) <= options_of(find_target(other).options).keys():
            title = find_target(other).title
            raise UsageError(f"{', '.join(unknown)} can be used only with {title} (--on {other}).")
    raise UsageError(f"There is no option {', '.join(unknown)}.")
