"""The one thread of a process that follows runs, for all views that are open.

It sleeps until the file system reports a change in a run's folder or a page asks for something, and
checks every two seconds that the drivers of running runs still live. Runs that have ended and views
that are closed cost nothing. Everything that pages receive is sent from this thread, one message
after the other. That works while the kernel executes a cell, because ipykernel publishes from
another thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from kfnb.home import RunFolder
from kfnb.live.feed import DRIVER_CHECK_SECONDS, Changes, Feed
from kfnb.live.snapshot import Link, no_link
from kfnb.watch import Watch

READ_SECONDS = 0.05
"""Pause between two reads of running runs, so that events that come together are read together."""
SEND_SECONDS = 0.1
"""Pause for each message that a view was sent, before it is sent the next."""
IDLE_SECONDS = 5.0
"""How long the thread waits for more work before it ends."""

_log = logging.getLogger(__name__)


class Subscriber(Protocol):
    """A view, as the follower sees it. Its methods are called in the follower's thread."""

    def receive(self, changes: Mapping[Path, Changes], now: float) -> int:
        """Send what changed in the runs that the view shows; return the number of messages sent.

        Called for every change, and again as long as it returns more than 0.
        """


class Follower:
    """Keeps a feed for each run that is shown, and its subscribers up to date."""

    def __init__(self, *, poll: bool = False) -> None:
        # Guards the fields below, for moments only: nothing is read from disk while it is held.
        self._lock = threading.RLock()
        self._poll = poll
        self._feeds: dict[Path, Feed] = {}
        self._subscribers: dict[Subscriber, tuple[Path, ...]] = {}
        self._tasks: deque[Callable[[], object]] = deque()
        self._thread: threading.Thread | None = None
        self._watch: Watch | None = None
        self._due: dict[Subscriber, float] = {}
        self._pending: dict[Subscriber, dict[Path, Changes]] = {}

    def follow(
        self, subscriber: Subscriber, folders: Iterable[RunFolder], *, link: Link = no_link
    ) -> list[Feed]:
        """Subscribe a view to some runs, instead of those it was subscribed to before.

        Returns
        -------
        list of Feed
            One for each run, read up to now.

        Raises
        ------
        InfrastructureError
            If a run cannot be read.
        """
        opened = [self._open(folder, link) for folder in folders]
        with self._lock:
            feeds = [self._shared(feed) for feed in opened]
            self._subscribers[subscriber] = tuple(feed.view.folder.path for feed in feeds)
            self._drop_unwatched()
        self._wake()
        return feeds

    def _open(self, folder: RunFolder, link: Link) -> Feed:
        with self._lock:
            known = self._feeds.get(folder.path)
        if known is not None and known.read_error is None:
            return known
        feed = Feed(folder, link=link)
        # Outside of the lock, because reading a long journal takes time.
        feed.poll(time.time())
        return feed

    def _shared(self, feed: Feed) -> Feed:
        path = feed.view.folder.path
        known = self._feeds.get(path)
        # A run that could not be read may be readable again, so it gets a new feed.
        if known is None or known.read_error is not None:
            self._feeds[path] = feed
        return self._feeds[path]

    def remove(self, subscriber: Subscriber) -> None:
        """Send a view nothing more."""
        with self._lock:
            self._subscribers.pop(subscriber, None)
            self._due.pop(subscriber, None)
            self._pending.pop(subscriber, None)
            self._drop_unwatched()
        self._wake()

    def schedule(self, subscriber: Subscriber) -> None:
        """Call a view's ``receive`` soon, although nothing changed."""
        with self._lock:
            if subscriber in self._subscribers:
                self._pending.setdefault(subscriber, {})

    def call(self, task: Callable[[], object]) -> None:
        """Run a task soon, in the follower's thread."""
        self._tasks.append(task)
        self._wake()

    def refresh(self, feeds: Iterable[Feed], *, timeout: float) -> None:
        """Poll some feeds now, and wait until that is done."""
        done = threading.Event()

        def task() -> None:
            try:
                self._poll_feeds(feed.view.folder.path for feed in feeds)
            finally:
                done.set()

        self.call(task)
        done.wait(timeout)

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def _drop_unwatched(self) -> None:
        wanted = {path for paths in self._subscribers.values() for path in paths}
        for path in self._feeds.keys() - wanted:
            del self._feeds[path]

    def _wake(self) -> None:
        with self._lock:
            if self._thread is None:
                self._watch = Watch(poll=self._poll)
                self._thread = threading.Thread(
                    target=self._work, args=(self._watch,), name="kfnb views", daemon=True
                )
                self._thread.start()
            elif self._watch is not None:
                self._watch.wake()

    # The rest runs in the follower's thread

    def _work(self, watch: Watch) -> None:
        watched: set[Path] = set()
        idle_since = time.monotonic()
        with watch:
            while True:
                while self._tasks:
                    self._run_task(self._tasks.popleft())
                with self._lock:
                    running = {path for path, feed in self._feeds.items() if not feed.ended}
                for path in watched - running:
                    watch.remove(path)
                for path in running - watched:
                    watch.add(path)
                watched = running
                # Runs that are new here were read before they were watched: there may be more now.
                pause = READ_SECONDS if self._poll_feeds(running) else None
                left = self._deliver(time.monotonic())
                with self._lock:
                    if running or self._tasks or left is not None:
                        idle_since = time.monotonic()
                    elif time.monotonic() - idle_since >= IDLE_SECONDS:
                        # Under the lock, so that a caller of _wake either finds a thread that lives
                        # or starts one.
                        self._thread = self._watch = None
                        return
                pause = max(pause or 0.0, left) if left is not None else pause
                if pause is not None:
                    watch.rest(pause)
                else:
                    watch.wait(DRIVER_CHECK_SECONDS if running else IDLE_SECONDS)

    def _poll_feeds(self, paths: Iterable[Path]) -> bool:
        """Read what is new in some runs; return whether there was anything."""
        now = time.time()
        any_exists = False
        for path in paths:
            with self._lock:
                feed = self._feeds.get(path)
            changes = feed.poll(now) if feed is not None else None
            if changes is None:
                continue
            any_exists = True
            with self._lock:
                for subscriber, its_paths in self._subscribers.items():
                    if path in its_paths:
                        pending = self._pending.setdefault(subscriber, {})
                        before = pending.get(path)
                        pending[path] = changes if before is None else before.merged_with(changes)
        return any_exists

    def _deliver(self, now: float) -> float | None:
        """Call every view that has pending changes and whose pause is over.

        Returns
        -------
        float or None
            Seconds until the next view may be called; None if none has pending changes.
        """
        left = None
        with self._lock:
            waiting = [one for one in self._subscribers if one in self._pending]
        for subscriber in waiting:
            wait = self._due.get(subscriber, now) - now
            if wait <= 0:
                with self._lock:
                    changes = self._pending.pop(subscriber, {})
                sent = self._send_to(subscriber, changes)
                with self._lock:
                    if not sent or subscriber not in self._subscribers:
                        continue
                    # It may have more to send: logs are sent in pieces.
                    self._pending.setdefault(subscriber, {})
                    wait = SEND_SECONDS * sent
                    self._due[subscriber] = now + wait
            left = wait if left is None else min(left, wait)
        return left

    def _send_to(self, subscriber: Subscriber, changes: Mapping[Path, Changes]) -> int:
        try:
            return subscriber.receive(changes, time.time())
        except Exception:  # one view must not silence the others
            _log.exception("A view could not be updated.")
            self.remove(subscriber)
            return 0

    def _run_task(self, task: Callable[[], object]) -> None:
        try:
            task()
        except Exception:
            _log.exception("A page's request could not be answered.")


FOLLOWER = Follower()
"""The process's follower."""
