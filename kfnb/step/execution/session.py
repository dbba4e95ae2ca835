"""What the client asks and tells while a notebook executes; this one knows of no order.

Under plain papermill there is nothing to add. The step process's own session
(:mod:`kfnb.step.execution.attempt`) starts the kernel early, reports, and watches limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kfnb.step.execution.reporter import NullReporter, Reporter
from kfnb.step.execution.stop_requests import StopRequest
from kfnb.step.kernels.kernel_process import EXIT_TIMEOUT, Kernel


class KernelDied(Exception):  # noqa: N818 (what it means is for the caller to say)
    """The kernel ended by itself while ``cell`` executed.

    ``status`` is the process's exit code (a signal as a negative number), ``asked``
    whether the cell had asked for it (``exit()``), ``said`` what the process wrote last.
    """

    def __init__(self, cell: Mapping[str, Any], *, status: int | None, asked: bool, said: str):
        super().__init__("the kernel ended while it was needed")
        self.cell, self.status, self.asked, self.said = cell, status, asked, said


@dataclass(frozen=True, slots=True)
class CellFailure:
    """The cell that stopped the notebook, and the content of the kernel's reply."""

    cell: Mapping[str, Any]
    reply: Mapping[str, Any]


class Session:
    """The execution of one notebook."""

    reporter: Reporter
    kernel: Kernel | None = None
    first_source: str | None = None
    exit_timeout = EXIT_TIMEOUT

    def __init__(self, control: StopRequest | None = None) -> None:
        self.control = control or StopRequest()
        self.reporter = NullReporter()
        self.failure: CellFailure | None = None
        self.kernel_exit: int | None = None
        self.late_text = 0

    def begins(self, manager: Any) -> None:
        """Note papermill's execution manager, which has the notebook."""

    def wants(self, cell: Mapping[str, Any]) -> bool:  # noqa: ARG002 (for subclasses)
        """Whether ``cell`` is to be executed."""
        return True

    def continues_after(self, error: Exception) -> bool:  # noqa: ARG002 (for subclasses)
        """Whether to look at the cells after one that failed."""
        return False

    def cell_started(self, cell: Mapping[str, Any]) -> None:
        """Note that a code cell is about to execute."""
        self.reporter.cell_started(cell)

    def cell_finished(self, cell: Mapping[str, Any], *, ok: bool) -> None:
        """Note that a code cell has executed."""
        self.reporter.cell_finished(cell, ok=ok)

    def preparation_failed(self, reply: Mapping[str, Any]) -> None:
        """Note that ``first_source`` failed."""

    def exit_timed_out(self) -> None:
        """Note that the kernel had to be killed after its last cell."""

    def tick(self) -> None:
        """Look at what else is going on; called ten times a second."""
