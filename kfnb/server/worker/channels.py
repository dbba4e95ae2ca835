"""The channels of pages, in the process that follows runs: each shows a run, or the list of runs.

A message of a page names its channel as ``ch``; an answer has the ``re`` of its request.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec

from kfnb.api.run_handle import Run
from kfnb.api.run_lookup import facts, refresh, run_folders, runs_of
from kfnb.api.use_cases.run_list import listed
from kfnb.errors import KfnbError
from kfnb.home import RunFolder, run_folder
from kfnb.live import page_requests
from kfnb.live.follower import FOLLOWER
from kfnb.live.view_session import ViewSession
from kfnb.server.limits import Limits
from kfnb.server.paths import file_of, path_of
from kfnb.server.problems import ProblemError

Write = Callable[[Mapping[str, Any], bytes], None]

LIST_SECONDS = 1.0
"""How often the list of runs is compared with the one that was sent."""
_RUN = "run:"
_log = logging.getLogger(__name__)


class Channel(Protocol):
    """One channel of a page."""

    def take(self, message: dict[str, Any]) -> None:
        """Take a message of the page. Must not wait."""

    def close(self) -> None:
        """Send nothing more."""


class Sockets:
    """The channels of all pages."""

    def __init__(self, write: Write, limits: Limits, root: str | None) -> None:
        self._write = write
        self._limits = limits
        self._root = root
        self._channels: dict[tuple[int, str], Channel] = {}

    def take(self, header: Mapping[str, Any], body: bytes) -> None:
        """Take a frame of a socket: a message of its page, or that the page is gone."""
        socket = int(header["socket"])
        if header.get("closed"):
            for key in [key for key in self._channels if key[0] == socket]:
                self._channels.pop(key).close()
            return
        message = json.loads(body)
        name = str(message.get("ch"))
        send = partial(self._send, socket, name)
        kind = message.get("kind")
        if kind in ("open-run", "watch-runs"):
            old = self._channels.pop((socket, name), None)
            if old is not None:
                old.close()
            made: Channel = (
                RunChannel(name.removeprefix(_RUN), send, self._root)
                if kind == "open-run"
                else ListChannel(message, send, self._root)
            )
            self._channels[socket, name] = made
        channel = self._channels.get((socket, name))
        if channel is None:
            send(_notice("This channel is not open."), message.get("re"))
        elif kind == "close":
            self._channels.pop((socket, name)).close()
        else:
            channel.take(message)

    def _send(self, socket: int, channel: str, message: Mapping[str, Any], re: Any = None) -> None:
        envelope = {"ch": channel, **({"re": re} if re is not None else {}), **message}
        self._write({"socket": socket}, msgspec.json.encode(envelope))


class RunChannel:
    """Shows one run: the messages are those of a view in a notebook."""

    def __init__(self, run: str, send: Callable[..., None], root: str | None) -> None:
        self._run = run
        self._send = send
        self._root = root
        self._session: ViewSession | None = None
        self._closed = False

    def take(self, message: dict[str, Any]) -> None:
        """Take a message of the page."""
        if message.get("kind") == "open-run":
            # Reading a long journal takes time, and bringing a run here from a cluster even more.
            threading.Thread(target=self._open, args=(message,), daemon=True).start()
        elif self._session is not None:
            self._session.handle_message(message)
        else:
            self._send(_notice("The run is not open yet."), message.get("re"))

    def _open(self, message: Mapping[str, Any]) -> None:
        try:
            folder = run_folder(self._run)
            if os.sep in self._run or not facts(folder):
                raise ProblemError(404, f"There is no run {self._run[:100]!r}.")
            session = ViewSession(FOLLOWER, None, [refresh(folder)], link=self._link)
        except (KfnbError, ProblemError) as error:
            self._send(_notice(str(error)), message.get("re"))
            return
        session.page = SessionPage(session, self._send)
        self._session = session
        if self._closed:
            session.close()
            return
        self._send({"kind": "snapshot", **session.traits()}, message.get("re"))
        session.handle_message({"kind": "hello", "have": True})

    def _link(self, path: Path) -> str | None:
        return path_of(path, self._root)

    def close(self) -> None:
        """Stop following the run, which itself goes on."""
        self._closed = True
        if self._session is not None:
            self._session.close()


class SessionPage:
    """A page as :class:`kfnb.live.view_session.ViewSession` sees it."""

    def __init__(self, session: ViewSession, send: Callable[..., None]) -> None:
        self._session = session
        self._send = send

    def send(self, content: Any, buffers: Any = None) -> None:
        """Send a message; the engine's script, which has a buffer, is not for this page."""
        if not buffers:
            plain = dict(content)
            self._send(plain, plain.pop("re", None))

    def send_state(self, key: Any = None) -> None:
        """Send the parts of the snapshot that changed as a whole."""
        traits = self._session.traits()
        names = [key] if isinstance(key, str) else key or list(traits)
        self._send({"kind": "snapshot", **{name: traits[name] for name in names}})


class ListChannel:
    """Shows the newest runs, and sends them again when one changed."""

    def __init__(
        self, message: Mapping[str, Any], send: Callable[..., None], root: str | None
    ) -> None:
        self._send = send
        self._root = root
        self._ended = threading.Event()
        thread = threading.Thread(target=self._watch, args=(dict(message),), daemon=True)
        thread.start()

    def take(self, message: dict[str, Any]) -> None:
        """Ignore further messages: the list is all that this channel has."""

    def close(self) -> None:
        """Stop watching."""
        self._ended.set()

    def _watch(self, message: Mapping[str, Any]) -> None:
        path, re = message.get("notebook"), message.get("re")
        try:
            notebook = None if path is None else str(file_of(str(path), self._root))
        except ProblemError as error:
            self._send(_notice(error.detail), re)
            return
        before: object = None
        while not self._ended.is_set():
            try:
                stamp, folders = _stamp(notebook)
                if stamp != before:
                    before = stamp
                    self._send(self._runs(folders), re)
                    re = None
            except KfnbError as error:
                self._send(_notice(str(error)), re)
            self._ended.wait(LIST_SECONDS)

    def _runs(self, folders: list[RunFolder]) -> dict[str, Any]:
        most = page_requests.MAX_RUNS
        runs = [listed(Run(folder)) for folder in folders[:most]]
        return {
            "kind": "runs",
            "runs": [
                {**page_requests.listed_run(run), "notebook": path_of(run.notebook, self._root)}
                for run in runs
            ],
            "more": max(0, len(folders) - most),
        }


def _stamp(notebook: str | None) -> tuple[object, list[RunFolder]]:
    """Return a value that differs when a run of the list has changed, and all runs."""
    folders = run_folders() if notebook is None else list(runs_of(notebook))
    sizes = []
    for folder in folders[: page_requests.MAX_RUNS]:
        try:
            sizes.append((folder.journal.stat().st_size, folder.run.stat().st_mtime_ns))
        except OSError:  # being deleted
            sizes.append((-1, time.monotonic_ns()))
    return (len(folders), [folder.id for folder in folders[:1]], sizes), folders


def _notice(text: str) -> dict[str, Any]:
    return {"kind": "notice", "text": text, "level": "error"}
