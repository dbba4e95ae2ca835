"""A run as its journal describes it; every view reads a run through this class."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
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
from kfnb.json_values import from_plain
from kfnb.pipeline import Pipeline
from kfnb.runners import driver_state, is_driven, resume
from kfnb.runners.masked_values import values_to_resume
from kfnb.runners.stores import store_of_run
from kfnb.runners.target import LOCAL, find_target
from kfnb.store import locks
from kfnb.store.blobs import Store

Course = Literal["going", "ended", "lost"]
"""``lost``: no driver is alive, although the run has not ended."""

_MOMENT = 0.1
EXIT_TIME = 15.0
"""Seconds that a driver may take to exit after its run has ended."""


class RunView:
    """Follows the journal of one run.

    Parameters
    ----------
    folder
        The run's folder, complete.
    driver
        The pid of a driver that this process started, which may not have its lock yet.

    Raises
    ------
    InfrastructureError
        If the folder is gone, or its files cannot be read.
    """

    def __init__(self, folder: RunFolder, *, driver: int | None = None) -> None:
        self.folder = folder
        try:
            plain = json.loads(folder.pipeline.read_bytes())
            self.pipeline: Pipeline = from_plain(Pipeline, plain)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InfrastructureError(
                f"The run {folder.id} cannot be read: {folder.pipeline} is missing or damaged."
            ) from error
        self._driver = driver
        self._rewind()

    def _rewind(self) -> None:
        self._engine = Engine(Plan.of(self.pipeline))
        self._begun = False
        self._reader = JournalReader(self.folder.journal)

    @cached_property
    def about(self) -> dict[str, Any]:
        """The content of ``run.json``; empty if that is gone or damaged."""
        return facts(self.folder)

    @cached_property
    def store(self) -> Store:
        """The store with the run's manifests and values; raises as :func:`store_of_run`."""
        return store_of_run(self.about)

    @property
    def state(self) -> RunState:
        """The state after all events read so far."""
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
            # The interrupt may have come while an event was applied only partly.
            self._rewind()
            raise
        if not events and not self.folder.path.is_dir():
            raise InfrastructureError(
                f"The folder of the run {self.folder.id} was deleted ({self.folder.path})."
            )
        return events

    def look(self) -> tuple[list[Event], Course]:
        """Return new events, and whether more will come; raises as :meth:`update`."""
        # Checked before reading: a driver that takes the request writes RunResumed first.
        over = self.state.ended or not self._reader.seq
        resuming = over and any(
            r.type == "resume" for r in driver_requests.pending_requests(self.folder)
        )
        events = self.update()
        if self.state.ended and not resuming:
            return events, "ended"
        if events:
            return events, "going"  # a driver wrote them; it is looked for when nothing is new
        if self._is_driven():
            return events, "going"
        # The driver may have written its last events and exited between reading and this check, or
        # the run's folder is being deleted file by file.
        events = self.update()
        if not self.state.ended:
            time.sleep(_MOMENT)
            events += self.update()
        return events, "ended" if self.state.ended and not resuming else "lost"

    def driver(self) -> str:
        """Return ``alive``, ``ended`` or ``lost since …``; after the run's end it is ``ended``."""
        self.update()
        _, course = self.look()
        if course == "ended":
            return "ended"
        state = driver_state(self.folder)
        return "alive" if course == "going" else state

    def resume(
        self, settings: Mapping[str, Any], *, masked: Mapping[str, Any] | None = None
    ) -> None:
        """Start a new driver for the run, with some settings changed.

        ``masked`` has values of masked parameters, which no file has.

        Raises
        ------
        UsageError
            If the run is still going on, or has succeeded, or its notebook's folder is gone.
        InfrastructureError
            If a program that is not kfnb has locked the run.
        """
        self._require_notebook_folder()
        values = values_to_resume(self.folder, self.about, self.pipeline, masked or {})
        deadline = time.monotonic() + EXIT_TIME
        while self.state.ended and is_driven(self.folder) and time.monotonic() < deadline:
            time.sleep(0.02)  # the driver has recorded the end and waits for its processes
            if deadline - time.monotonic() < EXIT_TIME - locks.PATIENCE:
                locks.refuse_strangers(self.folder.driver_lock)
        if is_driven(self.folder):
            locks.refuse_strangers(self.folder.driver_lock)
            run = self.folder.id
            raise UsageError(
                f"Run {run} is still executing. Follow it with kfnb logs {run} -f, or stop it "
                f"with kfnb stop {run}."
            )
        self._driver = resume(self.folder, settings=settings, masked=values)

    def _require_notebook_folder(self) -> None:
        """Refuse a run on this machine whose steps would have no folder to execute in."""
        folder = Path(str(self.about.get("notebook", ""))).parent
        if not find_target(str(self.about.get("target", LOCAL))).is_remote and not folder.is_dir():
            raise UsageError(
                f"The steps of run {self.folder.id} execute in the notebook's folder {folder}, "
                "which no longer exists on this machine. Restore it, and resume the run again."
            )

    def attempt(self, step: str, attempt: int | None = None, *, index: str = "") -> AttemptFolder:
        """Return the folder of an attempt, by default the last; 0 is that of a cached result."""
        number = self.state.steps[step, index].attempts if attempt is None else attempt
        return self.folder.attempt(self.pipeline.steps[step].id, number, index=index)

    @property
    def begun(self) -> bool:
        """Whether a driver has ever taken over the run."""
        return self._begun

    def last_driver_line(self) -> str:
        """Return the last line that the driver printed; often empty."""
        try:
            lines = self.folder.driver_log.read_text("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return next((line.removeprefix("kfnb: ") for line in reversed(lines) if line.strip()), "")

    def _is_driven(self) -> bool:
        """Whether a driver is alive or starting."""
        if driver_state(self.folder) != "alive":
            return self._is_executing() is True
        # A driver of ours that has exited before it took the run is not waited for.
        waits = self._is_executing() is not False or driver_requests.pending_requests(self.folder)
        return bool(waits) or is_driven(self.folder)

    def _is_executing(self) -> bool | None:
        """Whether the driver that this process started is still executing; None if unknown."""
        if self._driver is None or not hasattr(os, "waitid"):
            return None
        try:
            return self._ended() is None
        # Other code of this process has already read its exit status.
        except ChildProcessError:
            return False

    def _ended(self) -> os.waitid_result | None:
        """Return how the driver that this process started ended; None if it has not."""
        assert self._driver is not None
        # WNOWAIT leaves the exit status to the code that started the process and waits for it.
        return os.waitid(os.P_PID, self._driver, os.WEXITED | os.WNOHANG | os.WNOWAIT)

    def refused(self) -> bool:
        """Whether a driver that this process started refused the run and started nothing."""
        if self._begun or self._driver is None or not hasattr(os, "waitid"):
            return False
        with contextlib.suppress(ChildProcessError):
            ended = self._ended()
            return ended is not None and ended.si_status == UsageError.exit_code
        return False


def lost(view: RunView) -> KfnbError:
    """Return the error to raise if no driver is alive: a usage error if the call was wrong."""
    kind = UsageError if view.refused() else InfrastructureError
    return kind(lost_sentence(view))


def lost_sentence(view: RunView) -> str:
    """Return that no driver is alive, what the last one printed, and what to do."""
    printed = view.last_driver_line()
    if printed and not view.begun:
        return (
            f"{printed.rstrip('.')}. Nothing was started; retry with kfnb resume {view.folder.id}."
        )
    detail = f" (last line: {printed.rstrip('.')})" if printed else ""
    return (
        f"The driver of this run has died{detail}; kfnb resume {view.folder.id} continues the run."
    )
