"""Drive a run whose truth is in the target's store: its journal, its files and its requests."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kfnb.engine.core.events import Event
from kfnb.engine.driver import Driver
from kfnb.engine.driver_requests import Request, pending_requests
from kfnb.engine.journal.file_journal import Journal
from kfnb.engine.journal.segment_journal import SegmentJournal
from kfnb.home import RunFolder
from kfnb.pipeline import Pipeline
from kfnb.runners.code_bundle import FILE
from kfnb.runners.kubernetes.api.lease import renewed
from kfnb.runners.kubernetes.driver.run_context import opened
from kfnb.runners.kubernetes.options import KubernetesOptions
from kfnb.runners.kubernetes.store.store_access import store_of
from kfnb.store import disk
from kfnb.store.remote.base import Remote
from kfnb.store.remote_store import RemoteStore

POLL = 2.0
"""Seconds between two looks at what was asked of a run from elsewhere."""

FILES = ("run.json", "pipeline.json", "notebook.ipynb", FILE)


HERE = "KFNB-W711"
INDEX = "index/"
"""Keys below it name the store's runs, so that they can be listed without all that they have."""


def drive_here(
    run: RunFolder,
    pipeline: Pipeline,
    about: Mapping[str, Any],
    *,
    store: RemoteStore | None = None,
) -> str:
    """Drive the run to its end; its status.

    Parameters
    ----------
    store
        The run's store; by default as this machine reaches it.

    Raises
    ------
    JournalBusy
        If another driver is at work here, or took the run over meanwhile.
    UsageError, InfrastructureError
        As :func:`~kfnb.runners.kubernetes.driver.run_context.opened`.
    """
    target = KubernetesOptions.of_run(about)
    here = store is None
    store = store or store_of(target)
    with SegmentJournal(run.journal, run.id, remote=store.remote) as journal:
        publish(run, store.remote)
        if here and target.driver == "auto":
            _warn_about_sleep(journal, target)
        inbox = Inbox(run, store.remote, journal.events)
        found = opened(run, pipeline, about, store=store, fence=journal.confirm)
        with found as (runner, context, workspace):
            # A driver in the cluster is owned by what it removes: it says first that all is over,
            # and is started again if it is killed before it has removed it.
            tidy = workspace.remove if here else None
            context = replace(
                context, fetch_requests=inbox.take, attempts_survive=True, clean_up=tidy
            )
            with renewed(workspace.cluster, run.id, workspace.owner(pipeline)):
                status = Driver(run, runner, journal, context=context).drive()
            if status == "cancelled" and not here:
                workspace.remove()
            return status


def _warn_about_sleep(journal: Journal, target: KubernetesOptions) -> None:
    """Note, once for a run, that nobody drives it while this machine sleeps."""
    if any(event.data.get("code") == HERE for event in journal.events):
        return
    account = target.driver_service_account
    data = {
        "code": HERE,
        "message": "The run is driven by this machine, and pauses while it sleeps: the cluster has "
        f'no service account "{account}" that could drive it.',
        "remedy": f"kfnb doctor {target.flags} --fix makes one; --driver here says it is meant",
    }
    journal.append("Warning", data=data, durable=False)


def publish(run: RunFolder, remote: Remote) -> None:
    """Have the run's own files in the store, for drivers and views on other machines."""
    for name in FILES:
        file = run.path / name
        key = f"runs/{run.id}/{name}"
        if file.exists() and remote.size(key) is None:
            remote.upload(key, file)
    remote.create(f"{INDEX}{run.id}", b"")


def ask(run: str, request: Request, remote: Remote) -> str:
    """Leave a request for the run's driver, wherever that is; its name, which its event has.

    What was asked in a run's folder keeps its name, so that asking twice is asking once.
    """
    name = request.path.stem if request.path else f"{time.time_ns():020d}"
    said = {"type": request.type, "data": {**request.data, "request": name}}
    remote.create(f"runs/{run}/control/{name}.json", json.dumps(said).encode())
    return name


class Inbox:
    """Brings what was asked elsewhere into the run's folder here, each request once.

    A request is taken away when the event that records it is durable; one that a killed driver
    could not take away is known by its name, which that event has.
    """

    def __init__(
        self,
        run: RunFolder,
        remote: Remote,
        events: tuple[Event, ...],
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._remote = remote
        self._now = now
        self._known = {str(e.data["request"]) for e in events if "request" in e.data}
        self._taken: dict[str, str] = {}
        self._next = 0.0

    def take(self) -> None:
        """Look into the store, if that was not done just now."""
        if self._now() < self._next:
            return
        self._next = self._now() + POLL
        waiting = {r.path.name for r in pending_requests(self._run) if r.path}
        for key in self._remote.list(f"runs/{self._run.id}/control/"):
            name = key.rpartition("/")[2]
            if key in self._taken and name in waiting:
                continue
            if key in self._taken or name.removesuffix(".json") in self._known:
                self._remote.delete(key)
                continue
            data = self._remote.get(key)
            if data is not None:
                with disk.writing(self._run.control):
                    self._run.control.mkdir(exist_ok=True)
                    disk.replace(self._run.control / name, data)
                self._taken[key] = name
