"""Where a step process gets a kernel that was forked from a template: the seam, and its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kfnb.step.templates.spec import ForkOrder, TemplateSpec

# They say where or for which step a process runs, and no library reads them when it is imported.
_OF_ONE_PROCESS = frozenset({"PWD", "OLDPWD", "SHLVL", "_", "PYTEST_CURRENT_TEST"})
_PREFIXES = ("KFNB_", "JPY_")


@dataclass(frozen=True, slots=True)
class StartedProcess:
    """A kernel that was forked. It is no child of the process that asked for it."""

    pid: int


@dataclass(frozen=True, slots=True)
class KernelEnd:
    """How a forked kernel ended: its exit code (a signal as a negative number), bytes, seconds."""

    status: int
    peak_memory: int = 0
    cpu_seconds: float = 0.0


class KernelSource(Protocol):
    """Forks kernels from templates, which it starts when they are first asked for."""

    def start_kernel(
        self, spec: TemplateSpec, order: ForkOrder, descriptors: Sequence[int]
    ) -> StartedProcess | None:
        """Fork a kernel; None if no template is ready for it, or none can be."""

    def kernel_ended(self, pid: int) -> KernelEnd | None:
        """Return how a kernel ended, None while that is not known. Never waits."""


def shared_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a template has of a child's environment: all but what is only the child's."""
    return {
        name: value
        for name, value in environment.items()
        if name not in _OF_ONE_PROCESS and not name.startswith(_PREFIXES)
    }
