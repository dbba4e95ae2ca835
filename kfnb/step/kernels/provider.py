"""The seam between a step and the kernel in which it executes: start a kernel, execute, end it.

The client of a step sees a kernel only through :class:`StepKernel`. A provider may therefore start
a new process for each step (:class:`~kfnb.step.kernels.own_kernels.OwnKernels`), fork kernels from
a template, or let several steps share one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class KernelRequest:
    """Which kernel a step needs.

    ``name`` is that of a kernelspec, empty for the default one; ``cwd`` and ``env`` are the
    process's working directory and whole environment, None for those of this process. ``imports``
    are import statements with which its first cells begin.
    """

    name: str
    cwd: str | None = None
    env: Mapping[str, str] | None = None
    imports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KernelExit:
    """How a kernel exited: in time or not, and what it wrote to its own stdout and stderr."""

    in_time: bool
    output: str = ""


@dataclass(frozen=True, slots=True)
class KernelUsage:
    """What a kernel that has ended has used: peak memory in bytes, CPU time in seconds."""

    peak_memory: int
    cpu_seconds: float


class StepKernel(Protocol):
    """A kernel as the client of a step uses it."""

    dead: asyncio.Event
    """Set as soon as the process has ended."""

    exit_status: int | None
    """The exit code of the process, a signal as a negative number; None while it runs."""

    pid: int | None
    client: Any
    """jupyter_client's connection to the kernel, once it is ready."""

    info: dict[str, Any]
    """The kernel's reply to ``kernel_info_request``, once it is ready."""

    @property
    def manager(self) -> Any:
        """jupyter_client's manager of the kernel."""

    @property
    def name(self) -> str:
        """The name of the kernelspec."""

    @property
    def command(self) -> list[str]:
        """The kernelspec's command line."""

    @property
    def usage(self) -> KernelUsage | None:
        """What it has used, once it has ended; None if the system counts it as this process's."""

    @property
    def is_ipykernel(self) -> bool:
        """Whether it is IPython's own kernel."""

    def outputs_ended(self) -> bool:
        """Whether the kernel has closed the connection on which its outputs arrive."""

    async def interrupt(self) -> None:
        """Interrupt what the kernel executes."""

    async def kill(self) -> None:
        """Kill the kernel with its child processes, and wait until it is gone."""

    def captured_output(self) -> str:
        """Return the end of what the process wrote to its own stdout and stderr."""


class CellExecution(Protocol):
    """The execution of one step's cells: what the client gives to a provider."""

    @property
    def startup_timeout(self) -> float:
        """Seconds within which the kernel must answer."""

    @property
    def exit_timeout(self) -> float:
        """Seconds that the kernel has for its exit handlers."""

    async def run_cells(self, kernel: StepKernel) -> None:
        """Execute the cells in a kernel that is ready."""

    async def collect_exit(self, exit_report: KernelExit) -> None:
        """Add to the notebook what the kernel printed while it exited."""


class KernelProvider(Protocol):
    """Starts kernels for steps, has steps executed in them, and ends them."""

    async def start(self, request: KernelRequest) -> StepKernel:
        """Start a kernel, or choose one that runs; it may still be booting when this returns.

        Raises
        ------
        UsageError
            If no such kernel is installed, or its program is missing.
        """

    async def execute(self, kernel: StepKernel, cells: CellExecution) -> None:
        """Wait until the kernel is ready, and execute a step's cells in it."""

    async def end(self, kernel: StepKernel, cells: CellExecution | None = None) -> None:
        """End the kernel, unless other steps still need it. May be called again.

        With ``cells``, the step's cells were all executed: the kernel exits by itself, so that its
        exit handlers run. Without, it is killed.
        """
