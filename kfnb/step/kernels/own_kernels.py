"""A kernel process for each step, started or forked: the isolation that steps have by default."""

from __future__ import annotations

from kfnb.step.kernels.kernel_process import Kernel
from kfnb.step.kernels.orphan_guard import Guard
from kfnb.step.kernels.provider import CellExecution, KernelRequest, StepKernel
from kfnb.step.templates.kernel_source import KernelSource


class OwnKernels:
    """Starts one process for each request, and ends it after the step.

    Parameters
    ----------
    guard
        Ends the kernels if this process is killed.
    capture
        Capture what kernels write to their own stdout and stderr, instead of passing it on.
    source
        Forks kernels from templates, where it can.
    """

    def __init__(
        self,
        *,
        guard: Guard | None = None,
        capture: bool = False,
        source: KernelSource | None = None,
    ) -> None:
        self._guard = guard
        self._capture = capture
        self._source = source

    async def start(self, request: KernelRequest) -> Kernel:
        """Start a process; it boots while the caller does other things."""
        kernel = Kernel(request.name, guard=self._guard, capture=self._capture)
        try:
            await kernel.launch(
                cwd=request.cwd, env=request.env, source=self._source, imports=request.imports
            )
        # Also if the step is stopped meanwhile: the process may have started already.
        except BaseException:
            await kernel.close()
            raise
        return kernel

    async def execute(self, kernel: StepKernel, cells: CellExecution) -> None:
        """Connect to the kernel, and execute the cells."""
        assert isinstance(kernel, Kernel)
        await kernel.ready(timeout=cells.startup_timeout)
        await cells.run_cells(kernel)

    async def end(self, kernel: StepKernel, cells: CellExecution | None = None) -> None:
        """Let the kernel exit if its step has completed, and remove what is left of it."""
        assert isinstance(kernel, Kernel)
        try:
            if cells is not None:
                await cells.collect_exit(await kernel.exit(timeout=cells.exit_timeout))
        finally:
            await kernel.close()
