"""A run as its journal tells it: what every view reads, and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from kfnb.api.run_lookup import facts
from kfnb.engine import driver_requests
from kfnb.engine.core.events import Event
from kfnb.engine.core.plan import Plan
from kfnb.engine.core.scheduler import Engine
from kfnb.engine.core.state import RunState
from kfnb.engine.journal.file_journal import JournalReader
from kfnb.errors import InfrastructureError, KfnbError, UsageError
from kfnb.home import AttemptFolder, RunFolder
from kfnb.pipeline import Pipeline, from_plain
from kfnb.runners import driver_state, is_driven, resume
from kfnb.runners.stores import store_of_run
from kfnb.store.blobs import Store

Course = Literal["going", "ended", "lost"]
"""``lost``: nobody drives the run, although it has not ended."""

_MOMENT = 0.1
LEAVING = 15.0
"""Seconds that the driver of a run that has ended may take to leave."""


class RunView:
    """Follows the journal of one run.

    Parameters
    ----------
    folder
        The run's folder, complete.
    driver
        The pid of a driver that this process started, which may still be on its way.

    Raises
    ------
    InfrastructureError
        If the folder is gone, or what was written at the start cannot be read.
    """

    def __init__(self, folder: RunFolder, *, driver: int | None = None) -> None:
        self.folder = folder
        try:
            plain = json.loads(folder.pipeline.read_bytes())
            self.pipeline: Pipeline = from_plain(Pipeline, plain)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InfrastructureError(
                f"The run {folder.id} cannot be read: {folder.pipeline} is gone or damaged."
            ) from error
        self._driver = driver
        self._rewind()

    def _rewind(self) -> None:
        self._engine = Engine(Plan.of(self.pipeline))
        self._begun = False
        self._reader = JournalReader(self.folder.journal)

    @cached_property
    def about(self) -> dict[str, Any]:
        """What ``run.json`` says of the run; empty if it is gone or damaged."""
        return facts(self.folder)

    @cached_property
    def store(self) -> Store:
        """The store with the run's manifests and values; raises as :func:`store_of_run`."""
        return store_of_run(self.about)

    @property
    def state(self) -> RunState:
        """What the events read so far amount to."""
        return self._engine.state

    def update(self) -> list[Event]:
        """Read what was appended since the last call, and return it.

        Raises
        ------
        InfrastructureError
            If the run's folder was deleted, or the journal is damaged.
        """
        events = []
        try:
            for event in self._reader.read():
                self._engine.apply(event)
                self._begun |= event.type == "DriverStarted"
                events.append(event)
        except KeyboardInterrupt:
            # A notebook's "interrupt" may come between two halves of an event.
            self._rewind()
            raise
        if not events and not self.folder.path.is_dir():
            raise InfrastructureError(
                f"The folder of the run {self.folder.id} was deleted: {self.folder.path} is gone."
            )
        return events

    def look(self) -> tuple[list[Event], Course]:
        """Read what is new, and whether more is to come; raises as :meth:`update`."""
        # Asked for before reading: whoever takes the request has written RunResumed by then.
        over = self.state.ended or not self._reader.seq
        resuming = over and any(
            r.type == "resume" for r in driver_requests.pending_requests(self.folder)
        )
        events = self.update()
        if self.state.ended and not resuming:
            return events, "ended"
        if events:
            return events, "going"  # somebody wrote them; whether he lives shows when it is quiet
        if self._is_driven():
            return events, "going"
        # Its last words may have come between our reading and our looking for it; or its folder
        # is just being deleted, file by file.
        events = self.update()
        if not self.state.ended:
            time.sleep(_MOMENT)
            events += self.update()
        return events, "ended" if self.state.ended and not resuming else "lost"

    def driver(self) -> str:
        """Say ``alive``, ``ended`` or ``lost since …``; a driver that tidies up has ended."""
        self.update()
        _, course = self.look()
        if course == "ended":
            return "ended"
        state = driver_state(self.folder)
        return "alive" if course == "going" else state

    def resume(self, settings: Mapping[str, Any]) -> None:
        """Go on with the run as read so far, with some settings changed.

        Raises
        ------
        UsageError
            If the run is still going on, or has succeeded.
        """
        deadline = time.monotonic() + LEAVING
        while self.state.ended and is_driven(self.folder) and time.monotonic() < deadline:
            time.sleep(0.02)  # its driver has said the last word and sees the processes out
        if is_driven(self.folder):
            run = self.folder.id
            raise UsageError(
                f"Run {run} is still going on: its driver is at work. Follow it with "
                f"kfnb logs {run} -f, or end it with kfnb stop {run}."
            )
        self._driver = resume(self.folder, settings=settings)

    def attempt(self, step: str, attempt: int | None = None) -> AttemptFolder:
        """Return the folder of an attempt: by default the last, or of a cached result's copy."""
        number = self.state.steps[step, ""].attempts if attempt is None else attempt
        return self.folder.attempt(self.pipeline.steps[step].id, number)

    @property
    def begun(self) -> bool:
        """Whether a driver has ever taken the run."""
        return self._begun

    def last_words(self) -> str:
        """Return the last line of what the driver itself printed; often empty."""
        try:
            lines = self.folder.driver_log.read_text("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return next((line.removeprefix("kfnb: ") for line in reversed(lines) if line.strip()), "")

    def _is_driven(self) -> bool:
        """Whether a driver is at work, or on its way."""
        if driver_state(self.folder) != "alive":
            return self._executes() is True
        # Nobody need wait for a driver of ours that has left before it took the run.
        waits = self._executes() is not False or driver_requests.pending_requests(self.folder)
        return bool(waits) or is_driven(self.folder)

    def _executes(self) -> bool | None:
        """Whether the driver that this process started still executes; None if it cannot tell."""
        if self._driver is None or not hasattr(os, "waitid"):
            return None
        try:
            return self._ended() is None
        except ChildProcessError:
            return False

    def _ended(self) -> os.waitid_result | None:
        """How the driver that this process started ended; None if it has not."""
        assert self._driver is not None
        return os.waitid(os.P_PID, self._driver, os.WEXITED | os.WNOHANG | os.WNOWAIT)

    def refused(self) -> bool:
        """Whether a driver that this process started took the call for wrong, and began nothing."""
        if self._begun or self._driver is None or not hasattr(os, "waitid"):
            return False
        with contextlib.suppress(ChildProcessError):
            ended = self._ended()
            return ended is not None and ended.si_status == UsageError.exit_code
        return False


def lost(view: RunView) -> KfnbError:
    """Return the error to raise where nobody drives a run: a wrong call is one."""
    kind = UsageError if view.refused() else InfrastructureError
    return kind(gone(view))


def gone(view: RunView) -> str:
    """Say that nobody drives a run, what was heard last, and what to do."""
    said = view.last_words()
    if said and not view.begun:
        return f"{said.rstrip('.')}. Nothing has begun; kfnb resume {view.folder.id} tries again."
    because = f" (it said: {said.rstrip('.')})" if said else ""
    return (
        f"The driver of this run is gone{because}; "
        f"kfnb resume {view.folder.id} goes on where it was."
    )
