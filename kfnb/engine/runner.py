"""What a driver asks of whatever executes steps: a seam with one side for each target."""

from __future__ import annotations

import selectors
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from kfnb.engine.dispatch.step_orders import Inside
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


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that executes no more.

    ``code`` is its exit status, negative for the signal that killed it, None where
    nobody can know.
    """

    work: Work
    code: int | None


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a person should know of an attempt while it goes on."""

    work: Work
    said: Diagnostic


@dataclass(frozen=True, slots=True)
class Place:
    """What a driver finds at its target: the run's store, and the notebook's folder.

    ``workdir`` is what the driver sees of the notebook's folder; ``restores`` says whether
    files that steps wrote belong back into it. ``images`` and ``inside`` are as in
    :class:`~kfnb.engine.dispatch.step_orders.Site`. ``outlives`` says whether attempts go on
    without a driver until the next one finds them. ``inbox`` brings requests that were made
    elsewhere into the
    run's folder. ``cancelled`` removes what a cancelled run left at the target, before it is said
    to have ended: who is killed in between is asked once more to stop it.
    """

    store: Store
    workdir: Path
    restores: bool = True
    images: Mapping[str, str] = field(default_factory=dict)
    inside: Inside | None = None
    outlives: bool = False
    inbox: Callable[[], None] | None = None
    cancelled: Callable[[], None] | None = None


class Runner(Protocol):
    """Executes attempts. Called from one thread; no call waits for a step."""

    def attach(self, selector: selectors.BaseSelector) -> None:
        """Register with ``selector`` what becomes readable when :meth:`poll` has news."""

    def start(self, work: Work, order: StepOrder) -> None:
        """Execute an attempt; it must not be started twice, whoever asks.

        Raises
        ------
        InfrastructureError
            If it cannot be started now.
        UsageError
            If it can never be started as it is.
        """

    def adopt(self, work: Work) -> bool:
        """Take over an attempt that another driver started; False if it executes no more."""

    def began(self, work: Work) -> bool:
        """Whether an attempt that executes no more has, or may have, executed at all."""

    def stop(self, work: Work) -> None:
        """Ask an attempt to end, and end it if it does not; asking twice does no harm."""

    def poll(self) -> list[Ended]:
        """List the attempts that have ended since the last call."""

    def notes(self) -> list[Note]:
        """List what there is to be said since the last call, each thing once."""

    def pause(self) -> float | None:
        """Seconds after which :meth:`poll` wants to be called although nothing is readable."""

    def running(self) -> Sequence[Work]:
        """List the attempts that have not ended, as far as known."""

    def cannot_honour(self, pipeline: Pipeline) -> list[Diagnostic]:
        """Say which of the pipeline's options mean nothing here."""
