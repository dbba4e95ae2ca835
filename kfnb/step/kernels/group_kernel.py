"""A provider that keeps a kernel for the next step of its group."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from kfnb.step.kernels.provider import CellExecution, KernelProvider, KernelRequest, StepKernel


class GroupKernel:
    """Gives the steps of a group one kernel of another provider, one step after the other.

    Attributes
    ----------
    stays
        Asked when the cells of a step have been executed: whether the kernel is to wait.
    """

    def __init__(self, provider: KernelProvider) -> None:
        self.stays: Callable[[], bool] = lambda: False
        self._provider = provider
        self._waiting: StepKernel | None = None
        self._at_end: list[Callable[[], None]] = []

    @property
    def waiting(self) -> StepKernel | None:
        """The kernel that waits for the next step."""
        return self._waiting

    def at_end(self, act: Callable[[], None]) -> None:
        """Have ``act`` called when the kernel that waits has ended."""
        self._at_end.append(act)

    async def start(self, request: KernelRequest) -> StepKernel:
        """Return the kernel that waits, or start one."""
        return self._waiting or await self._provider.start(request)

    async def execute(self, kernel: StepKernel, cells: CellExecution) -> None:
        """Execute a step's cells."""
        if kernel is not self._waiting:
            await self._provider.execute(kernel, cells)
            return
        # If the step fails, the kernel ends as any other does.
        self._waiting = None
        await cells.run_cells(kernel)

    async def end(self, kernel: StepKernel, cells: CellExecution | None = None) -> None:
        """End the kernel after a step, unless it is to wait for the next one."""
        if cells is not None and self.stays():
            self._waiting = kernel
        if kernel is not self._waiting:
            await self._provider.end(kernel, cells)
            self._ended()

    async def close(self) -> None:
        """Let the kernel that waits exit, so that its exit handlers run."""
        kernel, self._waiting = self._waiting, None
        if kernel is not None:
            with contextlib.suppress(Exception):
                await kernel.exit(timeout=10.0)  # type: ignore[attr-defined]
            await self._provider.end(kernel)
            self._ended()

    def _ended(self) -> None:
        acts, self._at_end = self._at_end, []
        for act in acts:
            act()
