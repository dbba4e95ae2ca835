"""The Events of objects that do not run; others' are not listed, which saves requests."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kfnb.errors import InfrastructureError
from kfnb.runners.kubernetes.api.client_protocol import Clock, ReadClient, status_of
from kfnb.runners.kubernetes.explain.reading import (
    condition,
    conditions,
    is_live,
    metadata,
    status,
    step_status,
    terminated,
    uid,
)

Object = Mapping[str, Any]

PATIENCE = 2.0
"""Seconds that an object has to start before its Events are listed."""

INTERVAL = 3.0
"""Seconds between two lists of Events, at least."""

SEARCH = 10.0
"""Seconds between two lists of pods while something does not run: the watch may hang."""

_FEW = 3
_EVENTS_KEPT = 20
_FIELDS = (
    "reason", "message", "type", "count", "firstTimestamp", "lastTimestamp", "eventTime",
    "series", "involvedObject",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class View:
    """Everything known about one Job.

    Parameters
    ----------
    job
        The Job, or its last state if it was deleted; None if it was never seen.
    pods
        Its pods, including deleted ones, the oldest first.
    gone
        UIDs of deleted objects.
    """

    job: Object | None
    pods: tuple[Object, ...]
    events: tuple[Object, ...]
    gone: frozenset[str]

    def live(self) -> list[Object]:
        """List the pods that exist, are not being deleted and have not ended."""
        return [pod for pod in self.pods if is_live(pod, self.gone)]


class PodEvents:
    """Lists the Events of Jobs whose step does not run.

    Parameters
    ----------
    view
        Returns the view of a Job.
    on_events
        Called with the names of the Jobs that have new Events.
    search
        Lists the pods, in case the watch hangs.
    """

    def __init__(
        self,
        read_client: ReadClient,
        clock: Clock,
        view: Callable[[str], View],
        on_events: Callable[[set[str]], None],
        search: Callable[[], None],
    ) -> None:
        self._read_client = read_client
        self._clock = clock
        self._view = view
        self._on_events = on_events
        self._search = search
        self._search_at = float("-inf")
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._pending: dict[str, tuple[float, str]] = {}
        self._events: dict[str, tuple[Object, ...]] = {}
        self._owner: dict[str, str] = {}
        self._looked = float("-inf")
        self._stopped = False

    def seen(self, jobs: Iterable[str]) -> None:
        """Note that Jobs or their pods changed."""
        for job in jobs:
            object_uid = _unsettled(self._view(job))
            with self._lock:
                if object_uid is None:
                    self._pending.pop(job, None)
                    continue
                # The first time stays, or an object that keeps changing would never be due.
                since, _ = self._pending.get(job, (self._clock.now(), ""))
                self._pending[job] = (since, object_uid)
                self._owner[object_uid] = job
        self._wake.set()

    def unsettled(self) -> set[str]:
        """Return the Jobs whose step should run by now, and does not."""
        with self._lock:
            return {job for job, _ in self._due(PATIENCE)}

    def about(self, uids: Iterable[str]) -> tuple[Object, ...]:
        """Return the Events of objects, by UID."""
        with self._lock:
            return tuple(event for one in uids for event in self._events.get(one, ()))

    def ask(self, job: str, object_uid: str) -> None:
        """List the Events of an object of a Job now, if the server allows it."""
        with contextlib.suppress(InfrastructureError):
            events = self._list([object_uid])
            with self._lock:
                self._owner[object_uid] = job
                self._events.update(events)

    def forget(self, job: str) -> None:
        """Forget a Job."""
        with self._lock:
            self._pending.pop(job, None)
            for one in [u for u, owner in self._owner.items() if owner == job]:
                del self._owner[one]
                self._events.pop(one, None)

    def stop(self) -> None:
        """End :meth:`follow`."""
        self._stopped = True
        self._wake.set()

    def follow(self) -> None:
        """List Events when they are due, until :meth:`stop`."""
        while not self._stopped:
            pause = self.pause()
            if pause is None:
                self._wake.wait()
                self._wake.clear()
            elif pause > 0:
                if self._clock.wait(pause):
                    return
            else:
                self.look()

    def pause(self) -> float | None:
        """Return the seconds until Events are due; None if nothing needs them."""
        with self._lock:
            if not self._pending:
                return None
            first = min(since for since, _ in self._pending.values()) + PATIENCE
        return max(first, self._looked + INTERVAL) - self._clock.now()

    def look(self) -> None:
        """List the Events of the objects that are due."""
        self._looked = self._clock.now()
        with self._lock:
            # Objects that are nearly due are included, or they would wait a whole interval.
            wanted = [object_uid for _, object_uid in self._due(PATIENCE / 2)]
        if not wanted:
            return
        try:
            if self._looked >= self._search_at:
                self._search_at = self._looked + SEARCH
                self._search()
            listed = self._list(wanted)
        except InfrastructureError as error:
            # Without the right to list Events, do not try again soon.
            if status_of(error) in (401, 403):
                self._looked += 20 * INTERVAL
            return
        news = set()
        with self._lock:
            for object_uid, events in listed.items():
                job = self._owner.get(object_uid)
                if job is not None and self._events.get(object_uid) != events:
                    self._events[object_uid] = events
                    news.add(job)
        if news:
            self._on_events(news)

    def _due(self, patience: float) -> list[tuple[str, str]]:
        now = self._clock.now()
        return [
            (job, object_uid)
            for job, (since, object_uid) in self._pending.items()
            if now - since >= patience
        ]

    def _list(self, wanted: list[str]) -> dict[str, tuple[Object, ...]]:
        # One list of all warnings is cheaper than a list for each of many objects.
        asked = (
            [f"involvedObject.uid={object_uid}" for object_uid in wanted]
            if len(wanted) <= _FEW
            else ["type=Warning"]
        )
        listed: dict[str, list[Object]] = {object_uid: [] for object_uid in wanted}
        for fields in asked:
            for event in self._read_client.list("Event", fields=fields).get("items") or ():
                object_uid = str((event.get("involvedObject") or {}).get("uid") or "")
                if object_uid in listed:
                    # Events stay in memory until the run's end, so only the fields that are read
                    # stay.
                    slim = {k: event[k] for k in _FIELDS if event.get(k) is not None}
                    stamp = metadata(event).get("creationTimestamp")
                    listed[object_uid].append({**slim, "metadata": {"creationTimestamp": stamp}})
        return {object_uid: tuple(events[-_EVENTS_KEPT:]) for object_uid, events in listed.items()}


def _unsettled(view: View) -> str | None:
    """Return the UID of the object that does not run; None if all runs or has ended."""
    job = view.job
    if job is not None and any(c.get("type") in ("Complete", "Failed") for c in conditions(job)):
        return None
    live = view.live()
    if live:
        step = step_status(live[-1])
        running = (step.get("state") or {}).get("running")
        ready = condition(live[-1], "Ready").get("status") == "True"
        return None if terminated(step) or (running and ready) else uid(live[-1])
    if job is None or uid(job) in view.gone or any(p for p in view.pods if _failed(p)):
        return None
    return uid(job)


def _failed(pod: Object) -> bool:
    return bool(status(pod).get("phase") == "Failed")
