"""One open view: what its page is sent, and how the page's requests are answered.

Unless a method says otherwise, it runs in the follower's thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from kfnb.api.run_lookup import find_run
from kfnb.api.run_view import RunView
from kfnb.api.use_cases.run_again import run_again
from kfnb.errors import KfnbError
from kfnb.home import RunFolder
from kfnb.live import bundle, page_requests, protocol, resources, snapshot
from kfnb.live.envelope import envelope
from kfnb.live.feed import Changes, Feed
from kfnb.live.follower import Follower
from kfnb.live.log_tail import ALL_STEPS, AllLogsTail, LogTail
from kfnb.pipeline import Pipeline
from kfnb.runners import request_stop, start_driver

SYNC_SECONDS = 5.0
"""How often the state is synced for pages that come later; open pages get messages meanwhile."""
_MAX_COMPARED = 50


class Page(Protocol):
    """The connection to the page: a widget, for instance."""

    def send(self, content: Any, buffers: Any = None) -> None:
        """Send a message."""

    def send_state(self, key: Any = None) -> None:
        """Sync traits."""


class ViewSession:
    """Follows the runs of one view.

    Parameters
    ----------
    follower
        The process's follower.
    pipeline
        The pipeline to draw; None for the first run's.
    folders
        The runs. The view shows the first; of the others only metrics, beside the first one's.
    link
        See :data:`kfnb.live.snapshot.Link`.
    on_end
        Called when all runs have ended, and again when they have after one was resumed.
    """

    def __init__(
        self,
        follower: Follower,
        pipeline: Pipeline | None,
        folders: Sequence[RunFolder],
        *,
        link: snapshot.Link = snapshot.no_link,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.page: Page | None = None
        self.feeds: Sequence[Feed] = ()
        self._follower = follower
        self._on_end = on_end
        self._link = link
        self._had_ended = False
        self._synced = 0.0
        self._tails: dict[tuple[str, str], LogTail | AllLogsTail] = {}
        if folders:
            self.feeds = follower.follow(self, folders, link=link)
            self._had_ended = self.ended
            pipeline = pipeline or self.feeds[0].view.pipeline
        assert pipeline is not None, "a view without runs has a pipeline"
        self.pipeline = pipeline

    @property
    def main_feed(self) -> Feed | None:
        """The feed of the run that is shown; None if the view shows only a pipeline."""
        return self.feeds[0] if self.feeds else None

    @property
    def ended(self) -> bool:
        """Whether all runs have ended."""
        return all(feed.ended for feed in self.feeds)

    def traits(self) -> dict[str, Any]:
        """Return ``graph``, ``run`` and ``state`` as of the last poll. Any thread may call this."""
        feed = self.main_feed
        if feed is None:
            return {"graph": snapshot.graph(self.pipeline), "run": None, "state": None}
        return {"graph": feed.graph, "run": feed.info, "state": feed.state(time.time())}

    def handle_message(self, content: object) -> None:
        """Let the follower answer a page's message. Any thread may call this."""
        if isinstance(content, dict):
            self._follower.call(partial(self._answer, content))

    def close(self) -> None:
        """Stop following. Any thread may call this."""
        self._follower.remove(self)
        self.page = None

    def receive(self, changes: Mapping[Path, Changes], now: float) -> int:
        """Send the page what changed; see :class:`kfnb.live.follower.Subscriber`."""
        sent = 0
        feed = self.main_feed
        if feed is None:
            return 0
        changed = changes.get(feed.view.folder.path)
        if changed is not None and changed.state is not None:
            sent += self._send(changed.state)
        sent += self._send_points(changes)
        for tail in list(self._tails.values()):
            chunk = tail.read(feed.view)
            sent += self._send(chunk) if chunk is not None else 0
        if changed is not None and changed.graph:
            self._sync("graph")
        if changed is not None and (
            now - self._synced >= SYNC_SECONDS or self.ended != self._had_ended
        ):
            self._synced = now
            self._sync("state")
        if self.ended != self._had_ended:
            self._had_ended = self.ended
            if self._had_ended:
                self._on_end()
        return sent

    def _send(
        self,
        message: Mapping[str, Any],
        buffers: Sequence[bytes] = (),
        *,
        to: Mapping[str, Any] | None = None,
    ) -> int:
        """Send a message; ``to`` is the request that it answers."""
        page = self.page
        if page is None:
            return 0
        page.send({**envelope(to), **message}, list(buffers) or None)
        return 1

    def _sync(self, traits: str | list[str]) -> None:
        page = self.page
        if page is not None:
            page.send_state(traits)

    def _send_points(self, changes: Mapping[Path, Changes]) -> int:
        # A page cannot tell which of its points are void, so it gets all of them again.
        if any(one.reset for one in changes.values()):
            return self._send_metrics()
        points = [series for one in changes.values() for series in one.points]
        message: protocol.MetricsMessage = {"kind": "metrics", "points": points}
        return self._send(message) if points else 0

    def _send_metrics(self, request: Mapping[str, Any] | None = None) -> int:
        points = [series for feed in self.feeds for series in snapshot.series(feed.view)]
        message: protocol.MetricsMessage = {"kind": "metrics", "points": points, "reset": True}
        return self._send(message, to=request)

    # Requests of the page

    def _answer(self, content: Mapping[str, Any]) -> None:
        handlers: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
            "hello": self._hello,
            "layout-script": self._send_layout_script,
            "follow-log": self._follow_log,
            "unfollow-log": lambda request: self._tails.pop(_named(request), None),
            "outputs": partial(self._answer_for_step, page_requests.outputs),
            "notebook": partial(self._answer_for_step, page_requests.notebook),
            "metrics": self._metrics,
            "compare": self._compare,
            "runs": self._list_runs,
            "resources": self._resources,
            "command": self._command,
        }
        handler = handlers.get(str(content.get("kind")))
        if handler is None or self.page is None:
            return
        try:
            handler(content)
        except KfnbError as error:
            self._notify(str(error), "error", content)

    def _hello(self, request: Mapping[str, Any]) -> None:
        # The engine's script is large, and a page loads it once for all views.
        if not request.get("have"):
            message: protocol.ScriptMessage = {"kind": "engine", "hash": bundle.engine_hash()}
            self._send(message, [bundle.engine()])
        if self.main_feed is not None:
            self._send(self.main_feed.state_message(time.time()), to=request)
            self._send_metrics()
        for feed in self.feeds:
            feed.expect_resume()  # the command line may have resumed it

    def _send_layout_script(self, request: Mapping[str, Any]) -> None:
        hashed = bundle.engine_hash()
        message: protocol.ScriptMessage = {"kind": "layout-script", "hash": hashed}
        self._send(message, [bundle.layout()], to=request)

    def _follow_log(self, request: Mapping[str, Any]) -> None:
        feed = self.main_feed
        key = ALL_STEPS if _named(request) == ALL_STEPS else self._key(request)
        if key is None or feed is None:
            return
        begin = request.get("from")
        tail: LogTail | AllLogsTail = AllLogsTail()
        if key != ALL_STEPS:
            tail = LogTail(
                key[0],
                index=key[1],
                attempt=_attempt(request),
                begin=begin if isinstance(begin, int) and begin > 0 else 0,
            )
        self._tails[key] = tail
        chunk = tail.read(feed.view)
        if chunk is not None:
            self._send(chunk, to=request)
        self._follower.schedule(self)  # for the chunks that follow

    def _answer_for_step(
        self,
        answer: Callable[[RunView, str, str, int | None], Mapping[str, Any]],
        request: Mapping[str, Any],
    ) -> None:
        key, feed = self._key(request), self.main_feed
        if key is not None and feed is not None:
            self._send(answer(feed.view, *key, _attempt(request)), to=request)

    def _key(self, request: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return the name and index of the step that a request is about; None if there is none."""
        key, feed = _named(request), self.main_feed
        return key if feed is not None and key in feed.view.state.steps else None

    def _compare(self, request: Mapping[str, Any]) -> None:
        runs = request.get("runs")
        ids = [one for one in runs if isinstance(one, str)] if isinstance(runs, list) else []
        self._send(page_requests.compare(ids[:_MAX_COMPARED]), to=request)

    def _list_runs(self, request: Mapping[str, Any]) -> None:
        every = bool(request.get("all")) or self.pipeline.path is None
        notebook = None if every else self.pipeline.path
        # Fifty journals are read, and other views must not wait for that.
        self._in_thread(
            request, lambda: partial(self._send, page_requests.runs(notebook), to=request)
        )

    def _resources(self, request: Mapping[str, Any]) -> None:
        key, feed = self._key(request), self.main_feed
        if key is not None and feed is not None:
            view = feed.view
            # The whole journal is read, which takes time in a long run.
            self._in_thread(
                request, lambda: partial(self._send, resources.resources(view, *key), to=request)
            )

    def _metrics(self, request: Mapping[str, Any]) -> None:
        runs, feed = request.get("runs"), self.main_feed
        if not isinstance(runs, list) or feed is None:
            self._send_metrics(request)
            return
        ids = [one for one in runs if isinstance(one, str)][:_MAX_COMPARED]
        main = feed.view.folder
        self._in_thread(request, partial(self._follow_beside, main, ids, request))

    def _follow_beside(
        self, main: RunFolder, ids: Sequence[str], request: Mapping[str, Any]
    ) -> Callable[[], object]:
        """Follow other runs too, whose metrics are drawn beside those of the run that is shown."""
        folders = {folder.id: folder for folder in (main, *map(find_run, ids))}
        feeds = self._follower.follow(self, folders.values(), link=self._link)

        def show() -> None:
            # Another run may be shown by now.
            if self.main_feed is not None and self.main_feed.view.folder.id == main.id:
                self.feeds = feeds
            self._send_metrics(request)

        return show

    def _in_thread(
        self, request: Mapping[str, Any], work: Callable[[], Callable[[], object]]
    ) -> None:
        """Do some work in a new thread, and what it returns in the follower's thread."""

        def run() -> None:
            try:
                then = work()
            except KfnbError as error:
                then = partial(self._notify, str(error), "error", request)
            self._follower.call(then)

        threading.Thread(target=run, daemon=True).start()

    def _command(self, request: Mapping[str, Any]) -> None:
        if self.main_feed is None:
            return
        folder = self.main_feed.view.folder
        if request.get("name") == "stop":
            if self.main_feed.view.state.ended:
                status = self.main_feed.view.state.status
                self._notify(f"The run has already ended: {status}.", "info", request)
                return
            request_stop(folder, by="a view in a notebook")
            self._notify("Stopping the run. Finished steps keep their results.", "info", request)
        elif request.get("name") == "resume":
            # Resuming may have to wait for the last driver to exit; other views must not.
            self._in_thread(request, partial(self._resume, folder, request))
        elif request.get("name") == "run-again":
            self._in_thread(request, partial(self._run_again, folder, request))

    def _resume(self, folder: RunFolder, request: Mapping[str, Any]) -> Callable[[], object]:
        view = RunView(folder)
        view.update()
        view.resume({})
        return partial(self._resumed, request)

    def _run_again(self, folder: RunFolder, request: Mapping[str, Any]) -> Callable[[], object]:
        view = RunView(folder)
        view.update()
        started = run_again(view)
        start_driver(started)
        # Followed here, because reading a run takes time.
        feeds = self._follower.follow(self, [started], link=self._link)
        return partial(self._show, feeds, request)

    def _show(self, feeds: Sequence[Feed], request: Mapping[str, Any]) -> None:
        """Show a new run instead of those that were shown."""
        self.feeds, self._had_ended = feeds, False
        self.pipeline = feeds[0].view.pipeline
        self._tails.clear()
        # Together, so that the page never shows the new run with the states of the old one.
        self._sync(["graph", "run", "state"])
        self._send_metrics()
        self._notify(
            "A new run was started with the saved notebook. Steps that did not change come from "
            "the cache.",
            "info",
            request,
        )

    def _resumed(self, request: Mapping[str, Any]) -> None:
        if self.main_feed is not None:
            self.main_feed.expect_resume()
        self._notify("The run continues. Finished steps are not executed again.", "info", request)

    def _notify(self, text: str, level: str, request: Mapping[str, Any]) -> None:
        self._send({"kind": "notice", "text": text, "level": level}, to=request)


def _named(request: Mapping[str, Any]) -> tuple[str, str]:
    return str(request.get("step")), str(request.get("index") or "")


def _attempt(request: Mapping[str, Any]) -> int | None:
    attempt = request.get("attempt")
    return attempt if isinstance(attempt, int) and not isinstance(attempt, bool) else None
