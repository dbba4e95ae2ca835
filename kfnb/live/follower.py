"""The one thread of a kernel that follows runs, for all views that are open.

It sleeps until the system tells that a run's folder changed, or somebody asks for something;
every two seconds it makes sure that the drivers of runs that go on still live. Runs that have
ended and views that are closed cost nothing. All that is sent to pages is sent from here, one
message after the other: publishing works while the kernel executes a cell (ipykernel's iopub
has a thread of its own, and takes messages from any).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from kfnb.home import RunFolder
from kfnb.live.feed import ALIVE_FOR, Feed, News
from kfnb.live.snapshot import Link, no_link
from kfnb.watch import Watch

BREATH = 0.05
"""Seconds between two looks at runs that go on: what comes meanwhile is read together."""
PAUSE = 0.1
"""Seconds for each message that a view was sent, before it is sent the next."""
IDLE = 5.0
"""Seconds that the thread waits for more work before it ends."""

_log = logging.getLogger(__name__)


class Watcher(Protocol):
    """A view, as the follower knows it. Its methods are called in the follower's thread."""

    def heard(self, news: dict[Path, News], now: float) -> int:
        """Take what changed in the runs that were asked for; how many messages were sent.

        Called for every change, and again while it returns more than 0.
        """


class Follower:
    """Keeps a feed for each run that somebody watches.

    Attributes
    ----------
    lock
        Whoever reads a feed's state outside of the follower's thread must hold it.
    """

    def __init__(self, *, poll: bool = False) -> None:
        self.lock = threading.RLock()
        self._poll = poll
        self._feeds: dict[Path, Feed] = {}
        self._watchers: dict[Watcher, tuple[Path, ...]] = {}
        self._tasks: deque[Callable[[], object]] = deque()
        self._thread: threading.Thread | None = None
        self._watch: Watch | None = None
        self._due: dict[Watcher, float] = {}
        self._owed: dict[Watcher, dict[Path, News]] = {}

    def follow(
        self, watcher: Watcher, folders: Iterable[RunFolder], *, link: Link = no_link
    ) -> list[Feed]:
        """Tell a view from now on what changes in some runs; again: in other runs.

        Returns
        -------
        list of Feed
            One for each run, read up to now.

        Raises
        ------
        InfrastructureError
            If a run cannot be read.
        """
        with self.lock:
            feeds = [self._feed(folder, link) for folder in folders]
            self._watchers[watcher] = tuple(feed.view.folder.path for feed in feeds)
            self._feeds.update((feed.view.folder.path, feed) for feed in feeds)
            self._tidy()
        self._wake()
        return feeds

    def _feed(self, folder: RunFolder, link: Link) -> Feed:
        known = self._feeds.get(folder.path)
        if known is None or known.trouble is not None:
            known = Feed(folder, link=link)
            known.look(time.time())
        return known

    def remove(self, watcher: Watcher) -> None:
        """Tell a view nothing more."""
        with self.lock:
            self._watchers.pop(watcher, None)
            self._due.pop(watcher, None)
            self._owed.pop(watcher, None)
            self._tidy()
        self._wake()

    def owe(self, watcher: Watcher) -> None:
        """Call a view soon, although nothing changed; from the follower's thread."""
        with self.lock:
            if watcher in self._watchers:
                self._owed.setdefault(watcher, {})

    def call(self, task: Callable[[], object]) -> None:
        """Do something soon, in the follower's thread."""
        self._tasks.append(task)
        self._wake()

    @property
    def working(self) -> bool:
        """Whether the thread is there."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def _tidy(self) -> None:
        """Forget the runs that nobody watches."""
        wanted = {path for paths in self._watchers.values() for path in paths}
        for path in self._feeds.keys() - wanted:
            del self._feeds[path]

    def _wake(self) -> None:
        with self.lock:
            if self._thread is None:
                self._watch = Watch(poll=self._poll)
                self._thread = threading.Thread(
                    target=self._work, args=(self._watch,), name="kfnb views", daemon=True
                )
                self._thread.start()
            elif self._watch is not None:
                self._watch.wake()

    # In the thread

    def _work(self, watch: Watch) -> None:
        watched: set[Path] = set()
        idle_since = time.monotonic()
        with watch:
            while True:
                while self._tasks:
                    self._do(self._tasks.popleft())
                with self.lock:
                    going = {path for path, feed in self._feeds.items() if not feed.over}
                    for path in watched - going:
                        watch.remove(path)
                    for path in going - watched:
                        watch.add(path)
                    watched = going
                    # A run that began to be watched was read before: there may be more by now.
                    pause = BREATH if self._look(going) else None
                    left = self._tell(time.monotonic())
                    if going or self._tasks or left is not None:
                        idle_since = time.monotonic()
                    elif time.monotonic() - idle_since >= IDLE:
                        self._thread = self._watch = None
                        return
                pause = max(pause or 0.0, left) if left is not None else pause
                if pause is not None:
                    watch.rest(pause)
                else:
                    watch.wait(ALIVE_FOR if going else IDLE)

    def _look(self, going: Iterable[Path]) -> bool:
        """Read what is new in the runs; whether there was anything."""
        now = time.time()
        found = False
        for path in going:
            news = self._feeds[path].look(now)
            if news is None:
                continue
            found = True
            for watcher, paths in self._watchers.items():
                if path in paths:
                    owed = self._owed.setdefault(watcher, {})
                    owed[path] = news if path not in owed else owed[path].joined(news)
        return found

    def _tell(self, now: float) -> float | None:
        """Tell every view what it is owed and may have by now; seconds until the next may.

        Returns
        -------
        float or None
            None where nobody is owed anything.
        """
        left = None
        for watcher in list(self._watchers):
            if watcher not in self._owed:
                continue
            wait = self._due.get(watcher, now) - now
            if wait <= 0:
                sent = self._heard(watcher, self._owed.pop(watcher))
                if not sent or watcher not in self._watchers:
                    continue
                # It may have more to send: logs come in pieces.
                self._owed[watcher] = {}
                wait = PAUSE * sent
                self._due[watcher] = now + wait
            left = wait if left is None else min(left, wait)
        return left

    def _heard(self, watcher: Watcher, news: dict[Path, News]) -> int:
        try:
            return watcher.heard(news, time.time())
        except Exception:  # one view must not silence the others
            _log.exception("A view could not be brought up to date.")
            self.remove(watcher)
            return 0

    def _do(self, task: Callable[[], object]) -> None:
        try:
            task()
        except Exception:
            _log.exception("A request of a view could not be answered.")


FOLLOWER = Follower()
"""The kernel's."""
