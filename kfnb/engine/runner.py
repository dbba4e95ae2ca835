"""The seam between a driver and what executes its attempts; each target has an implementation."""

from __future__ import annotations

import selectors
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from kfnb.engine.dispatch.step_orders import StepPaths
from kfnb.home import AttemptFolder
from kfnb.pipeline import Diagnostic, Pipeline
from kfnb.step.order import StepOrder
from kfnb.store.blobs import Store


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt at one step; equal for two drivers of the same run."""

    step: str
    step_id: str
    attempt: int
    folder: AttemptFolder
    index: str = ""
    round: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that has ended.

    ``code`` is its exit status, negative for the signal that killed it, None if unknown.
    """

    work: Work
    code: int | None


@dataclass(frozen=True, slots=True)
class Notice:
    """A diagnostic about an attempt that continues."""

    work: Work
    diagnostic: Diagnostic


@runtime_checkable
class GroupKernels(Protocol):
    """Kernels that execute more than one step, each by the attempt that has started it."""

    def waits(self, work: Work) -> bool:
        """Return whether an attempt's kernel still waits for the next step, or executes it."""

    def end(self, work: Work) -> None:
        """Have an attempt's kernel end; nothing happens if it has ended."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """The run's store and notebook folder, as the driver of a target sees them.

    Parameters
    ----------
    workdir
        The notebook's folder, as the driver sees it.
    restores
        Whether files that steps wrote are restored into it.
    images, inside
        As in :class:`~kfnb.engine.dispatch.step_orders.Site`.
    attempts_survive
        Whether attempts go on without a driver until the next one adopts them.
    fetch_requests
        Copies requests that were made on other machines into the run's folder.
    clean_up
        Removes what a cancelled run left at the target. It is called before the run is journaled as
        cancelled, so that a driver that dies in between is asked to stop once more.
    kernels
        Has several steps executed in one kernel; None: the target cannot do that.
    """

    store: Store
    workdir: Path
    restores: bool = True
    images: Mapping[str, str] = field(default_factory=dict)
    inside: StepPaths | None = None
    attempts_survive: bool = False
    fetch_requests: Callable[[], None] | None = None
    clean_up: Callable[[], None] | None = None
    kernels: GroupKernels | None = None


class Runner(Protocol):
    """Executes attempts. Called from one thread; no call waits for a step."""

    def attach(self, selector: selectors.BaseSelector) -> None:
        """Register with ``selector`` what becomes readable when :meth:`poll` has news."""

    def start(self, work: Work, order: StepOrder) -> None:
        """Execute an attempt. It never executes twice, even if two drivers start it.

        Raises
        ------
        InfrastructureError
            If it cannot be started now.
        UsageError
            If it can never be started as it is.
        """

    def adopt(self, work: Work) -> bool:
        """Take over an attempt that another driver started; return False if it has ended."""

    def may_have_executed(self, work: Work) -> bool:
        """Return whether an attempt that has ended may have executed at all."""

    def stop(self, work: Work) -> None:
        """Ask an attempt to end, and kill it if it does not; a second call does no harm."""

    def poll(self) -> list[Ended]:
        """List the attempts that have ended since the last call."""

    def notes(self) -> list[Notice]:
        """List the notices since the last call, each once."""

    def poll_interval(self) -> float | None:
        """Seconds after which :meth:`poll` must be called even if nothing is readable."""

    def running(self) -> Sequence[Work]:
        """List the attempts that have not ended, as far as known."""

    def unsupported_options(self, pipeline: Pipeline) -> list[Diagnostic]:
        """List the pipeline's options that this target does not support."""
