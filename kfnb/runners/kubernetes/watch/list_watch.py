"""Keeps the Jobs and pods of one run up to date, with lists and watches in threads."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Mapping
from typing import Any

from kfnb.errors import InfrastructureError
from kfnb.runners.kubernetes.api.backoff import Backoff
from kfnb.runners.kubernetes.api.client_protocol import Clock, ReadClient, RealClock, status_of
from kfnb.runners.kubernetes.api.cluster_clock import ClusterClock
from kfnb.runners.kubernetes.watch.object_cache import ObjectCache, TruncatedLine, VersionExpired
from kfnb.runners.kubernetes.watch.pod_events import PodEvents, View

__all__ = ["View", "Watcher"]

Object = Mapping[str, Any]

KINDS = ("Job", "Pod")
RELIST = 300.0
"""Seconds after which everything is listed again, in case the watch missed something."""

WATCH = 30.0
"""Seconds that a watch lasts; a socket that is silent for longer is dead."""

POLL = 5.0
"""Seconds between lists where watching is not allowed."""

_LASTING = 10.0


class Watcher:
    """Watches the Jobs and pods that a label selector chooses.

    Methods may be called from any thread. :attr:`wakeup` becomes readable when there is news.

    Parameters
    ----------
    read_client
        The cluster's client; its calls are made from this object's threads.
    selector
        The label selector of the run.
    """

    def __init__(
        self,
        read_client: ReadClient,
        selector: str,
        *,
        clock: Clock | None = None,
        time: ClusterClock | None = None,
    ) -> None:
        self._read_client = read_client
        self._selector = selector
        self._own_clock = RealClock() if clock is None else None
        self._clock: Clock = clock or self._own_clock or RealClock()
        self._lock = threading.Lock()
        self._caches = {kind: ObjectCache() for kind in KINDS}
        self._news: set[str] = set()
        self._listed = {kind: threading.Event() for kind in KINDS}
        self._troubles: dict[str, tuple[float, str]] = {}
        self._time = time or ClusterClock()
        self._pod_events = PodEvents(
            read_client, self._clock, self.view, self._note_events, self._search
        )
        # A socket, and not an Event, because the driver waits for several sources in one select().
        self.wakeup, self._waker = socket.socketpair()
        self.wakeup.setblocking(False)
        self._waker.setblocking(False)

    def start(self) -> None:
        """Start to watch, in threads that do not keep the process alive."""
        for kind in KINDS:
            threading.Thread(
                target=self.follow, args=(kind,), name=f"kfnb-watch-{kind}", daemon=True
            ).start()
        threading.Thread(target=self._pod_events.follow, name="kfnb-events", daemon=True).start()

    def stop(self) -> None:
        """Stop watching. A thread that waits for the server ends with the server's next line."""
        if self._own_clock is not None:
            self._own_clock.stop()
        self._pod_events.stop()
        with self._lock:
            self.wakeup.close()
            self._waker.close()

    def wait(self, timeout: float) -> bool:
        """Wait until everything was listed once; return whether that happened in time."""
        return all(listed.wait(timeout) for listed in self._listed.values())

    def take(self) -> set[str]:
        """Return the names of the Jobs that changed since the last call."""
        # The socket is emptied first, so that news that comes in between makes it readable again.
        with contextlib.suppress(OSError):
            while self.wakeup.recv(64):
                pass
        with self._lock:
            news, self._news = self._news, set()
        return news

    def view(self, job: str) -> View:
        """Return what is known of a Job, by its name."""
        with self._lock:
            return self._view(job)

    def jobs(self) -> set[str]:
        """List the Jobs that exist, or that pods exist of."""
        with self._lock:
            return set().union(*(cache.names() for cache in self._caches.values()))

    def add_job(self, job: Object) -> None:
        """Add a Job that was just created or found.

        If it is deleted before the watch sees it, its absence from the next list is noticed.
        """
        with self._lock:
            changed = self._caches["Job"].learn(job)
            self._news |= changed
        if changed:
            self._pod_events.seen(changed)
            self.wake()

    def ask(self, job: str, *, pods: bool = False) -> View:
        """List the Events of a Job's pods now (and before that the pods); return the new view."""
        # Without an answer, the caller has to decide with what is known already.
        if pods:
            with contextlib.suppress(InfrastructureError):
                self._search()
        for pod in self.view(job).pods:
            self._pod_events.ask(job, str(pod["metadata"]["uid"]))
        return self.view(job)

    def forget(self, job: str) -> None:
        """Forget a Job, by its name."""
        with self._lock:
            for cache in self._caches.values():
                cache.forget(job)
            self._news.discard(job)
        self._pod_events.forget(job)

    def unsettled(self) -> set[str]:
        """Return the Jobs that do not run as they should; their diagnosis changes with time."""
        return self._pod_events.unsettled()

    def now(self) -> float:
        """Seconds since the epoch, by the cluster's clock."""
        with self._lock:
            return self._time.now()

    def trouble(self) -> str | None:
        """Return the error that has kept lists or watches from working for a while."""
        with self._lock:
            now = self._clock.now()
            lasting = [message for at, message in self._troubles.values() if now - at >= _LASTING]
        return lasting[0] if lasting else None

    def follow(self, kind: str) -> None:
        """Keep the objects of one kind up to date until :meth:`stop`."""
        backoff = Backoff(self._clock)
        cache = self._caches[kind]
        since = ""
        relist_at = 0.0
        may_watch = True
        while backoff.wait():
            try:
                if not since or self._clock.now() >= relist_at or not may_watch:
                    listed = self._read_client.list(kind, selector=self._selector)
                    with self._lock:
                        changed = cache.replace(listed)
                    since = cache.version
                    relist_at = self._clock.now() + RELIST
                    self._listed[kind].set()
                    self._worked(kind, changed)
                    backoff.worked()
                if may_watch:
                    may_watch = self._watch(kind, since, backoff, relist_at)
                    since = cache.version
                if not may_watch and self._clock.wait(POLL):
                    return
            except VersionExpired:
                since = ""
            except TruncatedLine:
                # Continue from the last complete line; the server sends the cut one again.
                since = cache.version
            except InfrastructureError as error:
                # 410 means that the server no longer has the version to continue from.
                since = "" if status_of(error) == 410 else cache.version
                self._failed(kind, error, backoff)
            except Exception as error:
                # If this thread died, the run would wait forever.
                since = ""
                self._failed(kind, error, backoff)

    def _watch(self, kind: str, since: str, backoff: Backoff, relist_at: float) -> bool:
        """Process a watch until it ends; return whether watching is allowed."""
        try:
            lines = self._read_client.list_watch(
                kind, selector=self._selector, since=since, timeout=WATCH
            )
            for line in lines:
                with self._lock:
                    changed, item = self._caches[kind].take(line)
                    if item is not None:
                        self._time.observe(item)
                self._worked(kind, changed)
                backoff.worked()
                # A watch that always has news must not put off the next complete list.
                if self._clock.stopped or self._clock.now() >= relist_at:
                    close = getattr(lines, "close", None)
                    if close is not None:
                        close()
                    break
        except InfrastructureError as error:
            # Without the right to watch, lists at intervals have to do.
            if status_of(error) in (403, 405):
                return False
            raise
        return True

    def _worked(self, kind: str, changed: set[str]) -> None:
        with self._lock:
            self._troubles.pop(kind, None)
            self._news |= changed
        if changed:
            self._pod_events.seen(changed)
            self.wake()

    def _failed(self, kind: str, error: BaseException, backoff: Backoff) -> None:
        retry_after = getattr(error, "retry_after", None)
        backoff.failed(retry_after if isinstance(retry_after, (int, float)) else None)
        with self._lock:
            # The time of the first failure stays, because only errors that last are reported.
            since, _ = self._troubles.get(kind, (self._clock.now(), ""))
            self._troubles[kind] = since, f"{error}" or type(error).__name__

    def _note_events(self, jobs: set[str]) -> None:
        """Note that there are new Events of Jobs or their pods."""
        with self._lock:
            self._news |= jobs
        self.wake()

    def _search(self) -> None:
        """List the pods, in case the watch hangs on a half-open socket."""
        listed = self._read_client.list("Pod", selector=self._selector)
        with self._lock:
            cache = self._caches["Pod"]
            # Objects are only added: deletions are reported by the watch, which has its own
            # version.
            changed = set().union(*(cache.learn(item) for item in listed.get("items") or ()))
            self._news |= changed
        if changed:
            self._pod_events.seen(changed)
            self.wake()

    def _view(self, job: str) -> View:
        jobs, pods = (self._caches[kind].of(job) for kind in KINDS)
        gone = frozenset(str(o["metadata"]["uid"]) for o, is_gone in [*jobs, *pods] if is_gone)
        # A Job that exists counts before a deleted one of the same name.
        live = [o for o, is_gone in jobs if not is_gone]
        known: list[Object | None] = [*([o for o, _ in jobs]), *live]
        newest = known[-1] if known else None
        ordered = sorted((o for o, _ in pods), key=_age)
        uids = {str(o["metadata"]["uid"]) for o in [*(o for o, _ in jobs), *ordered]}
        return View(newest, tuple(ordered), self._pod_events.about(uids), gone)

    def wake(self) -> None:
        """Make :attr:`wakeup` readable."""
        # the socket is full, so it is readable already, or closed
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")


def _age(pod: Object) -> str:
    return str((pod.get("metadata") or {}).get("creationTimestamp") or "")
