"""The role of the mirror: it reads the run's store, and brings a copy of the run to this machine.

Views read the copy. A mirror writes nothing but requests into the store, and may end at any time:
the run continues, and the next mirror copies what was added meanwhile.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import selectors
import shutil
import time
from collections.abc import Iterator, Mapping
from typing import Any

from kfnb.engine.cache.cache_lookup import copy_notebook_and_log
from kfnb.engine.core.event_types import (
    AttemptFailed,
    RunFinished,
    RunResumed,
    StepCached,
    StepSucceeded,
    StopRequested,
)
from kfnb.engine.core.events import Event
from kfnb.engine.dispatch.manifests import load_run, read_manifest
from kfnb.engine.journal.file_journal import JournalBusy, JournalReader
from kfnb.engine.journal.segment_journal import SegmentJournal, follow_segments
from kfnb.engine.wakeup import WakeupSocket
from kfnb.errors import InfrastructureError, KfnbError, UsageError
from kfnb.home import AttemptFolder, RunFolder, run_folder
from kfnb.pipeline import Pipeline
from kfnb.runners.kubernetes.driver.remote_driver import (
    DriverGone,
    RemoteDriver,
    driven_runs,
    has_remote_driver,
)
from kfnb.runners.kubernetes.driver.requests import FILES, INDEX, Outbox, publish
from kfnb.runners.kubernetes.logs.attempt_reports import AttemptReports
from kfnb.runners.kubernetes.options import TARGET, KubernetesOptions
from kfnb.runners.kubernetes.store.store_access import store_of
from kfnb.runners.launch import driver_state, has_succeeded, is_driven, start_driver
from kfnb.store import disk
from kfnb.store.locks import FileLock
from kfnb.store.remote.base import Remote
from kfnb.store.remote_store import RemoteStore

EVERY = 1.0
"""Seconds between two looks into the store."""

ALIVE = 10.0
"""Seconds between two checks that the driver lives."""

NEWEST = 50
"""How many of a store's runs are copied to this machine at most."""

_ENDS = {"RunFinished", "RunCancelled"}
# Seconds that a follower has to start; after that, the copy is shown as it is.
_STARTS = 10.0
# Options that differ between machines: each one has its own way to the cluster and the store.
_OF_THIS_MACHINE = ("context", "namespace", "store_client_endpoint")


class Mirror:
    """The copy of one run in its folder here."""

    def __init__(self, run: RunFolder, pipeline: Pipeline, store: RemoteStore) -> None:
        self._run = run
        self._pipeline = pipeline
        self._store = store
        self._reader = JournalReader(run.journal)
        self._reports: dict[AttemptFolder, AttemptReports] = {}
        self._last: Event | None = None
        self.recorded: set[str] = set()
        """The names of the requests that the journal has."""

    @property
    def has_ended(self) -> bool:
        """Whether the run has ended, as far as it is known here."""
        return self._last is not None and self._last.type in _ENDS

    @property
    def status(self) -> str:
        """The final status of a run that has ended."""
        if self._last is None:
            return ""
        data = self._last.data
        return data.status if isinstance(data, RunFinished) else "cancelled"

    def update(self) -> None:
        """Bring the journal, and what attempts reported and left, up to date with the store.

        Raises
        ------
        InfrastructureError
            If the store does not answer, or the disk refuses.
        """
        follow_segments(self._store.remote, self._run.id, self._run.journal)
        for event in self._reader.read():
            self._last = event
            if isinstance(event.data, (RunResumed, StopRequested)) and event.data.request:
                self.recorded.add(event.data.request)
            self._copy(event)
        for reports in self._reports.values():
            reports.read_store()

    def _copy(self, event: Event) -> None:
        """Begin or end the copy of an attempt."""
        if event.step is None or event.step not in self._pipeline.steps:
            return
        step_id = self._pipeline.steps[event.step].id
        folder = self._run.attempt(step_id, event.attempt or 0, index=event.index)
        # An attempt whose notebook is here was copied by an earlier process.
        if event.type == "AttemptStarted" and not folder.executed.exists():
            self._reports[folder] = self._reports_of(folder)
        elif isinstance(event.data, StepCached):
            manifest = read_manifest(self._store, str(event.data.manifest))
            if manifest is not None and not folder.executed.exists():
                with contextlib.suppress(KfnbError):
                    copy_notebook_and_log(self._store, manifest, folder)
        elif event.type in ("StepSucceeded", "AttemptFailed") and folder in self._reports:
            reports = self._reports.pop(folder)
            # If the store does not answer now, only the end of the log may be missing.
            with contextlib.suppress(InfrastructureError):
                reports.finish()
            reports.close()
            self._copy_notebook(event, folder)

    def _reports_of(self, folder: AttemptFolder) -> AttemptReports:
        prefix = f"runs/{self._run.id}/steps/{folder.path.parent.name}/{folder.path.name}/"
        remote = self._store.remote
        return AttemptReports(
            folder, read_client=None, remote=remote, prefix=prefix, wake=lambda: None
        )

    def _copy_notebook(self, event: Event, folder: AttemptFolder) -> None:
        blob = event.data.executed if isinstance(event.data, AttemptFailed) else None
        if isinstance(event.data, StepSucceeded):
            manifest = read_manifest(self._store, str(event.data.manifest))
            blob = manifest.executed if manifest is not None else None
        if blob:
            with contextlib.suppress(KfnbError, OSError):  # a convenience: the store has it
                shutil.copyfile(self._store.fetch(str(blob)), folder.executed)


def follow(
    run: RunFolder, pipeline: Pipeline, facts: Mapping[str, Any], *, in_cluster: bool
) -> str:
    """Mirror the run until its end, and send its driver what is requested here; its final status.

    Call it within :func:`only_follower`.

    Parameters
    ----------
    in_cluster
        Whether the driver is a pod, which is started if it is missing.

    Raises
    ------
    DriverGone
        If nothing drives the run any more.
    UsageError, InfrastructureError
        If the cluster or the store cannot be used.
    """
    wakeup = WakeupSocket(run)
    try:
        return _follow(run, pipeline, facts, wakeup, in_cluster=in_cluster)
    finally:
        wakeup.close()


def _follow(
    run: RunFolder,
    pipeline: Pipeline,
    facts: Mapping[str, Any],
    wakeup: WakeupSocket,
    *,
    in_cluster: bool,
) -> str:
    options = KubernetesOptions.of_run(facts)
    store = store_of(options)
    with SegmentJournal(run.journal, run.id, remote=store.remote):
        publish(run, store.remote)
    mirror, outbox = Mirror(run, pipeline, store), Outbox(run, store.remote)
    driver = RemoteDriver(run, pipeline, options, in_cluster=in_cluster)
    mirror.update()
    check_at = 0.0
    with selectors.DefaultSelector() as selector:
        if wakeup.socket is not None:
            selector.register(wakeup.socket, selectors.EVENT_READ)
        while True:
            is_new = outbox.send(recorded=mirror.recorded, has_ended=mirror.has_ended)
            is_over = mirror.has_ended and not outbox.wants_more
            if is_new or (not is_over and time.monotonic() >= check_at):
                try:
                    driver.ensure(outbox.unanswered)
                except DriverGone:
                    # The driver may have recorded the run's end just before it left.
                    mirror.update()
                    if not mirror.has_ended or outbox.wants_more:
                        raise
                check_at = time.monotonic() + ALIVE
            # This is asked again, because the update above may have read the end.
            if mirror.has_ended and not outbox.wants_more:
                outbox.discard()
                return mirror.status
            selector.select(EVERY)
            wakeup.drain()
            with contextlib.suppress(InfrastructureError):  # the store may answer next time
                mirror.update()


def mirror(run: RunFolder, facts: Mapping[str, Any]) -> None:
    """Bring the copy of a run up to date; if something drives the run, start to follow it.

    Raises
    ------
    UsageError, InfrastructureError
        If the cluster or the store cannot be asked.
    """
    store = store_of(KubernetesOptions.of_run(facts))
    # First, so that the caller sees how things are now, and not when a follower has started.
    has_grown = fetch(run, store.remote)
    has_ended = driver_state(run) == "ended"
    if not has_ended and has_remote_driver(run.id, facts):
        start_driver(run)
        # The caller asks next whether the run is driven, and a follower needs a moment to lock it.
        until = time.monotonic() + _STARTS
        while not is_driven(run) and time.monotonic() < until:
            time.sleep(0.05)
    # Without a follower, nothing else copies what attempts have reported.
    elif has_grown or not has_ended:
        pipeline, _ = load_run(run)
        Mirror(run, pipeline, store).update()


def mirror_all(options: KubernetesOptions) -> set[str]:
    """Bring the newest runs of a store here; return the ids of those that something drives now.

    Raises
    ------
    UsageError, InfrastructureError
        If the store is not configured, or cannot be read.
    """
    store = store_of(options)
    known = sorted(key.rpartition("/")[2] for key in store.remote.list(INDEX))
    for run_id in known[-NEWEST:]:
        run = run_folder(run_id)
        is_here = run.run.exists()
        # A run that succeeded does not change, and a process here that drives or follows a run
        # keeps it up to date.
        if is_here and (is_driven(run) or has_succeeded(run)):
            continue
        try:
            fetch(run, store.remote)
        except KfnbError:
            continue  # it is being removed, or was never complete
        # The run's file has the addresses of the machine that created it.
        if not is_here:
            _use_local_addresses(run, options)
    try:
        return driven_runs(options)
    except InfrastructureError:
        return set()  # without the right to look, runs are shown as their journals say


def fetch(run: RunFolder, remote: Remote) -> bool:
    """Bring a run's own files and its journal here; return whether the journal grew.

    Raises
    ------
    UsageError
        If the store has no such run.
    InfrastructureError
        If the store does not answer, or the folder cannot be written.
    """
    key = f"runs/{run.id}/"
    if not run.run.exists() and remote.size(key + run.run.name) is None:
        raise UsageError(f'There is no run "{run.id}" in the store {remote.address}.')
    with disk.writing(run.path):
        run.steps.mkdir(parents=True, exist_ok=True)
        run.control.mkdir(exist_ok=True)
    for name in reversed(FILES):  # the first one last, because it makes the folder a run
        if not (run.path / name).exists():
            remote.download(key + name, run.path / name)
    return follow_segments(remote, run.id, run.journal)


@contextlib.contextmanager
def only_follower(run: RunFolder) -> Iterator[None]:
    """Be the one process of this machine that follows the run; raises JournalBusy."""
    lock = FileLock(run.mirror_lock)
    if not lock.acquire():
        raise JournalBusy(run.journal, lock.holder())
    try:
        yield
    finally:
        lock.release()


def _use_local_addresses(run: RunFolder, configured: KubernetesOptions) -> None:
    """Note how this machine reaches the run's cluster and store."""
    facts = json.loads(run.run.read_bytes())
    known = {name: getattr(configured, name) for name in _OF_THIS_MACHINE}
    local = {name: value for name, value in known.items() if value is not None}
    options = dataclasses.replace(KubernetesOptions.of_run(facts), **{"context": None, **local})
    facts[TARGET] = options.plain()
    with disk.writing(run.run):
        disk.replace(run.run, json.dumps(facts, ensure_ascii=False, indent=1).encode())
