"""One view that lives: what its page is told, and what its page asks for.

Every method but :meth:`Live.asked` runs in the follower's thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from kfnb.api.run_view import RunView
from kfnb.errors import KfnbError
from kfnb.home import RunFolder
from kfnb.live import bundle, page_requests, protocol, snapshot
from kfnb.live.feed import Feed, News
from kfnb.live.follower import Follower
from kfnb.live.log_tail import Tail
from kfnb.pipeline import Pipeline
from kfnb.runners import request_stop

SNAPSHOT = 5.0
"""Seconds between two states that are synced; messages tell what changes meanwhile."""
_MOST_COMPARED = 50


class Page(Protocol):
    """The way to the page: a widget of ipywidgets."""

    def send(self, content: Any, buffers: Any = None) -> None:
        """Send a message."""

    def send_state(self, key: Any = None) -> None:
        """Sync traits."""


class Live:
    """Follows the runs of one view.

    Parameters
    ----------
    follower
        The kernel's.
    pipeline
        What is drawn; None: as the first run has it.
    folders
        The runs; the first one is the view's own, the others' metrics are shown beside its.
    link
        See :data:`kfnb.live.snapshot.Link`.
    ended
        Called once when all runs have ended; again after one was resumed.
    """

    def __init__(
        self,
        follower: Follower,
        pipeline: Pipeline | None,
        folders: Sequence[RunFolder],
        *,
        link: snapshot.Link = snapshot.no_link,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self.page: Page | None = None
        self.feeds: Sequence[Feed] = ()
        self._follower = follower
        self._ended = ended
        self._over = False
        self._synced = 0.0
        self._tails: dict[str, Tail] = {}
        if folders:
            self.feeds = follower.follow(self, folders, link=link)
            self._over = self.over
            pipeline = pipeline or self.feeds[0].view.pipeline
        assert pipeline is not None, "without a run there is a pipeline"
        self.pipeline = pipeline
        self._names = {id_: name for name, id_ in snapshot.ids(pipeline).items()}

    @property
    def own(self) -> Feed | None:
        """The run that is shown."""
        return self.feeds[0] if self.feeds else None

    @property
    def over(self) -> bool:
        """Nothing more will come."""
        return all(feed.over for feed in self.feeds)

    def traits(self) -> dict[str, Any]:
        """Give ``graph``, ``run`` and ``state`` as they are now; from any thread."""
        with self._follower.lock:
            own = self.own
            if own is None:
                return {"graph": snapshot.graph(self.pipeline), "run": None, "state": None}
            return {"graph": own.graph(), "run": own.info, "state": own.state(time.time())}

    def asked(self, content: object) -> None:
        """Take a message of the page: in the kernel's shell, or a subshell."""
        if isinstance(content, dict):
            self._follower.call(partial(self._answer, content))

    def close(self) -> None:
        """Follow no more."""
        self._follower.remove(self)
        self.page = None

    # The follower's thread

    def heard(self, news: dict[Path, News], now: float) -> int:
        """Tell the page what changed; see :class:`kfnb.live.follower.Watcher`."""
        sent = 0
        own = self.own
        if own is None:
            return 0
        changed = news.get(own.view.folder.path)
        if changed is not None and changed.state is not None:
            sent += self._send(changed.state)
        sent += self._send_points(news)
        for tail in list(self._tails.values()):
            piece = tail.read(own.view)
            sent += self._send(piece) if piece is not None else 0
        if changed is not None and changed.graph:
            self._sync("graph")
        if changed is not None and (now - self._synced >= SNAPSHOT or self.over != self._over):
            self._synced = now
            self._sync("state")
        if self.over != self._over:
            self._over = self.over
            if self._over:
                self._ended()
        return sent

    def _send(self, message: object, buffers: Sequence[bytes] = ()) -> int:
        if self.page is None:
            return 0
        self.page.send(message, list(buffers) or None)
        return 1

    def _sync(self, trait: str) -> None:
        if self.page is not None:
            self.page.send_state(trait)

    def _send_points(self, news: Mapping[Path, News]) -> int:
        if any(one.reset for one in news.values()):
            return self._send_metrics()
        points = [series for one in news.values() for series in one.points]
        message: protocol.MetricsMessage = {"kind": "metrics", "points": points}
        return self._send(message) if points else 0

    def _send_metrics(self) -> int:
        points = [series for feed in self.feeds for series in snapshot.series(feed.view)]
        message: protocol.MetricsMessage = {"kind": "metrics", "points": points, "reset": True}
        return self._send(message)

    # Requests

    def _answer(self, content: Mapping[str, Any]) -> None:
        acts: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
            "hello": self._hello,
            "follow-log": self._follow_log,
            "unfollow-log": lambda asked: self._tails.pop(str(asked.get("step")), None),
            "outputs": partial(self._of_step, page_requests.outputs),
            "notebook": partial(self._of_step, page_requests.notebook),
            "metrics": lambda _: self._send_metrics(),
            "compare": self._compare,
            "command": self._command,
        }
        act = acts.get(str(content.get("kind")))
        if act is None or self.page is None:
            return
        try:
            with self._follower.lock:
                act(content)
        except KfnbError as error:
            self._say(str(error), "error")

    def _hello(self, asked: Mapping[str, Any]) -> None:
        if not asked.get("have"):
            message: protocol.EngineMessage = {"kind": "engine", "hash": bundle.engine_hash()}
            self._send(message, [bundle.engine()])
        if self.own is not None:
            self._send(self.own.whole(time.time()))
            self._send_metrics()
        for feed in self.feeds:
            feed.reopen()  # somebody may have resumed it elsewhere

    def _follow_log(self, asked: Mapping[str, Any]) -> None:
        name, own = self._names.get(str(asked.get("step"))), self.own
        if name is None or own is None:
            return
        begin = asked.get("from")
        tail = Tail(
            name,
            attempt=_attempt(asked),
            begin=begin if isinstance(begin, int) and begin > 0 else 0,
        )
        self._tails[str(asked["step"])] = tail
        piece = tail.read(own.view)
        if piece is not None:
            self._send(piece)
        self._follower.owe(self)  # the rest of it, in pieces

    def _of_step(
        self, answer: Callable[[RunView, str, int | None], object], asked: Mapping[str, Any]
    ) -> None:
        name, own = self._names.get(str(asked.get("step"))), self.own
        if name is not None and own is not None:
            self._send(answer(own.view, name, _attempt(asked)))

    def _compare(self, asked: Mapping[str, Any]) -> None:
        runs = asked.get("runs")
        ids = [one for one in runs if isinstance(one, str)] if isinstance(runs, list) else []
        self._send(page_requests.compare(ids[:_MOST_COMPARED]))

    def _command(self, asked: Mapping[str, Any]) -> None:
        if self.own is None:
            return
        folder = self.own.view.folder
        if asked.get("name") == "stop":
            if self.own.view.state.ended:
                self._say(f"The run has ended already: {self.own.view.state.status}.", "info")
                return
            request_stop(folder, by="a view in a notebook")
            self._say("The run is being stopped; what is done stays done.", "info")
        elif asked.get("name") == "resume":
            # It may wait for the last driver to leave; nobody else is to wait for that.
            threading.Thread(target=self._resume, args=(folder,), daemon=True).start()

    def _resume(self, folder: RunFolder) -> None:
        try:
            view = RunView(folder)
            view.update()
            view.resume({})
        except KfnbError as error:
            self._follower.call(partial(self._say, str(error), "error"))
            return
        self._follower.call(self._resumed)

    def _resumed(self) -> None:
        with self._follower.lock:
            if self.own is not None:
                self.own.reopen()
        self._say("The run goes on; what is done stays done.", "info")

    def _say(self, text: str, level: str) -> None:
        self._send({"kind": "said", "text": text, "level": level})


def _attempt(asked: Mapping[str, Any]) -> int | None:
    found = asked.get("attempt")
    return found if isinstance(found, int) and not isinstance(found, bool) else None
