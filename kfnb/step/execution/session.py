"""What the client asks and reports while a notebook executes; this session knows of no order.

Under plain papermill there is nothing to add. The step process's own session
(:mod:`kfnb.step.execution.order_session`) starts the kernel early, reports events and enforces
limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kfnb.step.execution.reporter import NullReporter, Reporter
from kfnb.step.execution.stop_requests import StopRequest
from kfnb.step.kernels.kernel_process import EXIT_TIMEOUT
from kfnb.step.kernels.own_kernels import OwnKernels
from kfnb.step.kernels.provider import KernelProvider, StepKernel


class KernelDied(Exception):  # noqa: N818 (what it means is for the caller to say)
    """The kernel ended by itself while ``cell`` executed.

    ``status`` is the process's exit code (a signal as a negative number), ``exit_requested``
    whether the cell had asked for it (``exit()``), ``output`` what the process wrote last.
    """

    def __init__(
        self, cell: Mapping[str, Any], *, status: int | None, exit_requested: bool, output: str
    ) -> None:
        super().__init__("the kernel ended while a cell executed")
        self.cell, self.status = cell, status
        self.exit_requested, self.output = exit_requested, output


@dataclass(frozen=True, slots=True)
class CellFailure:
    """The cell that stopped the notebook, and the content of the kernel's reply."""

    cell: Mapping[str, Any]
    reply: Mapping[str, Any]


class Session:
    """The execution of one notebook.

    ``kernel`` is one that was started already, ``first_source`` what is executed silently
    before the first cell.
    """

    reporter: Reporter
    kernel: StepKernel | None = None
    first_source: str | None = None
    exit_timeout = EXIT_TIMEOUT

    def __init__(
        self, stop: StopRequest | None = None, *, kernels: KernelProvider | None = None
    ) -> None:
        self.stop = stop or StopRequest()
        self.kernels = kernels or OwnKernels()
        self.reporter = NullReporter()
        self.failure: CellFailure | None = None

    def notebook_started(self, manager: Any) -> None:
        """Remember papermill's execution manager, which has the notebook."""

    def should_execute(self, cell: Mapping[str, Any]) -> bool:  # noqa: ARG002 (for subclasses)
        """Whether ``cell`` is to be executed."""
        return True

    def silent_source(self, cell: Mapping[str, Any]) -> str:  # noqa: ARG002 (for subclasses)
        """Return what is executed after ``cell`` without a trace in the notebook."""
        return ""

    def continues_after(self, error: Exception) -> bool:  # noqa: ARG002 (for subclasses)
        """Whether cells after one that failed may still be executed."""
        return False

    def cell_started(self, cell: Mapping[str, Any]) -> None:
        """Report that a code cell is about to execute."""
        self.reporter.cell_started(cell)

    def cell_finished(self, cell: Mapping[str, Any], *, ok: bool) -> None:
        """Report that a code cell has executed."""
        self.reporter.cell_finished(cell, ok=ok)

    def preparation_failed(self, reply: Mapping[str, Any]) -> None:
        """Handle a failure of ``first_source``; the kernel's reply says what it was."""

    def exit_timed_out(self) -> None:
        """Handle a kernel that was killed because it did not exit after its last cell."""

    def kernel_exited(self) -> None:
        """Handle what the kernel left behind; called when it has exited by itself."""

    def poll(self) -> None:
        """Check what else is going on; called ten times a second."""
