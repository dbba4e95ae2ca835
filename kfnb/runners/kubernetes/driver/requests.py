"""Requests to a run's driver, wherever that is, and what lets other machines find the run.

A request is a file in the run's folder on the machine where it was made. The store carries it to
the driver's folder, and the journal's event that records it has the request's name.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from kfnb.engine.core.event_types import RunResumed, StopRequested
from kfnb.engine.core.events import Event
from kfnb.engine.driver_requests import Request, pending_requests, remove_request
from kfnb.home import RunFolder
from kfnb.runners.code_bundle import FILE
from kfnb.store import disk
from kfnb.store.remote.base import Remote

POLL = 2.0
"""Seconds between two lists of the requests in the store."""

FILES = ("run.json", "pipeline.json", "notebook.ipynb", FILE)
"""The files that make a run; its folder counts as a run when the first one is there."""

INDEX = "index/"
"""Keys below it name the store's runs, so that these can be listed without all their objects."""


def publish(run: RunFolder, remote: Remote) -> None:
    """Store the run's own files, for drivers and mirrors on other machines."""
    for name in FILES:
        file = run.path / name
        key = f"runs/{run.id}/{name}"
        if file.exists() and remote.size(key) is None:
            remote.upload(key, file)
    # Last, so that every run in the index has its files.
    remote.create(f"{INDEX}{run.id}", b"")


def store_request(run: str, request: Request, remote: Remote) -> str:
    """Store a request for the run's driver; return its name, which the event will have.

    A request that was read from a run's folder keeps its name, so that sending it twice makes one.
    """
    # Requests are carried out in the order of their names, which is that of their times.
    name = request.path.stem if request.path else f"{time.time_ns():020d}"
    content = {"type": request.type, "data": {**request.data, "request": name}}
    remote.create(f"runs/{run}/control/{name}.json", json.dumps(content).encode())
    return name


class Inbox:
    """The driver's end: brings requests from the store into its run folder, each once.

    A request is removed from the store when the event that records it is durable. One that a
    killed driver could not remove is known by its name, which that event has.
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
        self._recorded = {
            event.data.request
            for event in events
            if isinstance(event.data, (RunResumed, StopRequested)) and event.data.request
        }
        self._taken: dict[str, str] = {}
        self._next = 0.0

    def take(self) -> None:
        """Look for requests in the store, unless this was done a moment ago."""
        # Listing a bucket costs money and time.
        if self._now() < self._next:
            return
        self._next = self._now() + POLL
        waiting = {r.path.name for r in pending_requests(self._run) if r.path}
        for key in self._remote.list(f"runs/{self._run.id}/control/"):
            name = key.rpartition("/")[2]
            # The driver has not carried it out yet; if it dies now, the store still has the
            # request.
            if key in self._taken and name in waiting:
                continue
            if key in self._taken or name.removesuffix(".json") in self._recorded:
                self._remote.delete(key)
                continue
            data = self._remote.get(key)
            if data is not None:
                with disk.writing(self._run.control):
                    self._run.control.mkdir(exist_ok=True)
                    disk.replace(self._run.control / name, data)
                self._taken[key] = name


class Outbox:
    """A mirror's end: sends the requests of its run folder to the driver.

    A request stays in the folder until its event is in the journal, because views wait for that.
    """

    def __init__(self, run: RunFolder, remote: Remote) -> None:
        self._run = run
        self._remote = remote
        self._sent: dict[str, Request] = {}

    @property
    def unanswered(self) -> frozenset[str]:
        """The names of the requests that were sent and are not recorded yet."""
        return frozenset(self._sent)

    @property
    def wants_more(self) -> bool:
        """Whether a run that has ended was asked to go on."""
        return any(request.type == "resume" for request in self._sent.values())

    def send(self, *, recorded: set[str], has_ended: bool) -> bool:
        """Send what is new; return whether anything was.

        Parameters
        ----------
        recorded
            The names of the requests that the journal has.
        has_ended
            Whether the run has. Resuming a run that executes means following it.
        """
        is_new = False
        for request in pending_requests(self._run):
            name = request.path.stem if request.path else ""
            if name in self._sent:
                continue
            if name in recorded or (request.type == "resume" and not has_ended):
                remove_request(request)
                continue
            self._sent[store_request(self._run.id, request, self._remote)] = request
            is_new = True
        for name in recorded & self._sent.keys():
            remove_request(self._sent.pop(name))
        return is_new

    def discard(self) -> None:
        """Remove the requests that the end of the run has made pointless."""
        for request in self._sent.values():
            remove_request(request)
