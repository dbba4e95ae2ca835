"""Jobs and pods of one run, kept up to date by lists and watches in threads of their own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Mapping
from typing import Any

from kfnb.errors import InfrastructureError
from kfnb.runners.kubernetes.api.backoff import Pace
from kfnb.runners.kubernetes.api.client_protocol import Clock, Reads, RealClock, status_of
from kfnb.runners.kubernetes.api.cluster_clock import ClusterTime
from kfnb.runners.kubernetes.watch.object_cache import Kept, Stale, Torn
from kfnb.runners.kubernetes.watch.pod_events import Happenings, View

__all__ = ["View", "Watcher"]

Object = Mapping[str, Any]

KINDS = ("Job", "Pod")
RELIST = 300.0
"""Seconds after which everything is listed again, whatever the watch said."""

WATCH = 30.0
"""Seconds that a watch is asked to last: a socket that is silent for longer is dead."""

POLL = 5.0
"""Seconds between lists where watching is not allowed."""

_LASTING = 10.0


class Watcher:
    """Watches the Jobs and pods that a label selector chooses.

    Methods may be called from any thread. :attr:`bell` becomes readable when there is news.

    Parameters
    ----------
    reads
        The cluster's client; its calls are made from this object's threads.
    selector
        The label selector of the run.
    """

    def __init__(
        self,
        reads: Reads,
        selector: str,
        *,
        clock: Clock | None = None,
        time: ClusterTime | None = None,
    ) -> None:
        self._reads = reads
        self._selector = selector
        self._own_clock = RealClock() if clock is None else None
        self._clock: Clock = clock or self._own_clock or RealClock()
        self._lock = threading.Lock()
        self._kept = {kind: Kept() for kind in KINDS}
        self._news: set[str] = set()
        self._listed = {kind: threading.Event() for kind in KINDS}
        self._troubles: dict[str, tuple[float, str]] = {}
        self._time = time or ClusterTime()
        self._happenings = Happenings(reads, self._clock, self.view, self._said, self._search)
        self.bell, self._ringer = socket.socketpair()
        self.bell.setblocking(False)
        self._ringer.setblocking(False)

    def start(self) -> None:
        """Begin to watch, in threads that do not keep the process alive."""
        for kind in KINDS:
            threading.Thread(
                target=self.follow, args=(kind,), name=f"kfnb-watch-{kind}", daemon=True
            ).start()
        threading.Thread(target=self._happenings.follow, name="kfnb-events", daemon=True).start()

    def stop(self) -> None:
        """End watching. A thread that waits for the server ends when that says something."""
        if self._own_clock is not None:
            self._own_clock.stop()
        self._happenings.stop()
        with self._lock:
            self.bell.close()
            self._ringer.close()

    def wait(self, timeout: float) -> bool:
        """Wait until everything was listed once; False if that did not happen in time."""
        return all(listed.wait(timeout) for listed in self._listed.values())

    def take(self) -> set[str]:
        """Return the names of the Jobs that there is news of, each once."""
        with contextlib.suppress(OSError):
            while self.bell.recv(64):
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
            return set().union(*(cache.names() for cache in self._kept.values()))

    def made(self, job: Object) -> None:
        """Take in a Job that was just created or found.

        So that it is known to be gone, should it be deleted before a watch tells of it.
        """
        with self._lock:
            changed = self._kept["Job"].learn(job)
            self._news |= changed
        if changed:
            self._happenings.seen(changed)
            self.ring()

    def ask(self, job: str, *, pods: bool = False) -> View:
        """List the events about a Job's pods now, before that the pods; what is known then."""
        if pods:
            with contextlib.suppress(InfrastructureError):
                self._search()
        for pod in self.view(job).pods:
            self._happenings.ask(job, str(pod["metadata"]["uid"]))
        return self.view(job)

    def forget(self, job: str) -> None:
        """Drop a Job that nobody will ask for again, by its name."""
        with self._lock:
            for cache in self._kept.values():
                cache.forget(job)
            self._news.discard(job)
        self._happenings.forget(job)

    def unsettled(self) -> set[str]:
        """List the Jobs that do not run as they should: look at them again as time passes."""
        return self._happenings.unsettled()

    def now(self) -> float:
        """Seconds since the epoch, by the cluster's clock."""
        with self._lock:
            return self._time.now()

    def trouble(self) -> str | None:
        """Say what keeps this from knowing how things are, if that lasts."""
        with self._lock:
            now = self._clock.now()
            lasting = [message for at, message in self._troubles.values() if now - at >= _LASTING]
        return lasting[0] if lasting else None

    def follow(self, kind: str) -> None:
        """Keep the objects of one kind up to date until it is over."""
        pace = Pace(self._clock)
        cache = self._kept[kind]
        since = ""
        relist_at = 0.0
        may_watch = True
        while pace.wait():
            try:
                if not since or self._clock.now() >= relist_at or not may_watch:
                    listed = self._reads.list(kind, selector=self._selector)
                    with self._lock:
                        changed = cache.replace(listed)
                    since = cache.version
                    relist_at = self._clock.now() + RELIST
                    self._listed[kind].set()
                    self._worked(kind, changed)
                    pace.worked()
                if may_watch:
                    may_watch = self._watch(kind, since, pace, relist_at)
                    since = cache.version
                if not may_watch and self._clock.wait(POLL):
                    return
            except Stale:
                since = ""
            except Torn:
                # The version is that of the last whole line: the torn one comes again.
                since = cache.version
            except InfrastructureError as error:
                since = "" if status_of(error) == 410 else cache.version
                self._failed(kind, error, pace)
            except Exception as error:
                # A thread that dies in silence would leave the run waiting for ever.
                since = ""
                self._failed(kind, error, pace)

    def _watch(self, kind: str, since: str, pace: Pace, relist_at: float) -> bool:
        """Take what a watch says until it ends; False if watching is not allowed."""
        try:
            lines = self._reads.list_watch(
                kind, selector=self._selector, since=since, timeout=WATCH
            )
            for line in lines:
                with self._lock:
                    changed, item = self._kept[kind].take(line)
                    if item is not None:
                        self._time.told(item)
                self._worked(kind, changed)
                pace.worked()
                if self._clock.stopped or self._clock.now() >= relist_at:
                    close = getattr(lines, "close", None)
                    if close is not None:
                        close()
                    break
        except InfrastructureError as error:
            if status_of(error) in (403, 405):
                return False
            raise
        return True

    def _worked(self, kind: str, changed: set[str]) -> None:
        with self._lock:
            self._troubles.pop(kind, None)
            self._news |= changed
        if changed:
            self._happenings.seen(changed)
            self.ring()

    def _failed(self, kind: str, error: BaseException, pace: Pace) -> None:
        retry_after = getattr(error, "retry_after", None)
        pace.failed(retry_after if isinstance(retry_after, (int, float)) else None)
        with self._lock:
            since, _ = self._troubles.get(kind, (self._clock.now(), ""))
            self._troubles[kind] = since, f"{error}" or type(error).__name__

    def _said(self, jobs: set[str]) -> None:
        """Note that there are new events about Jobs or their pods."""
        with self._lock:
            self._news |= jobs
        self.ring()

    def _search(self) -> None:
        """List the pods beside the watch, which may hang on a socket that is half open."""
        listed = self._reads.list("Pod", selector=self._selector)
        with self._lock:
            cache = self._kept["Pod"]
            changed = set().union(*(cache.learn(item) for item in listed.get("items") or ()))
            self._news |= changed
        if changed:
            self._happenings.seen(changed)
            self.ring()

    def _view(self, job: str) -> View:
        jobs, pods = (self._kept[kind].of(job) for kind in KINDS)
        gone = frozenset(str(o["metadata"]["uid"]) for o, is_gone in [*jobs, *pods] if is_gone)
        live = [o for o, is_gone in jobs if not is_gone]
        known: list[Object | None] = [*([o for o, _ in jobs]), *live]
        newest = known[-1] if known else None
        ordered = sorted((o for o, _ in pods), key=_age)
        uids = {str(o["metadata"]["uid"]) for o in [*(o for o, _ in jobs), *ordered]}
        return View(newest, tuple(ordered), self._happenings.about(uids), gone)

    def ring(self) -> None:
        """Make :attr:`bell` readable: somebody else has news for whoever waits on it."""
        # full (one poke more says nothing) or closed
        with contextlib.suppress(OSError):
            self._ringer.send(b"\0")


def _age(pod: Object) -> str:
    return str((pod.get("metadata") or {}).get("creationTimestamp") or "")
