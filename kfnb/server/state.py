"""What the handlers of one server share: its processes, its sockets, and recent starts."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from kfnb.server.limits import Limits
from kfnb.server.problems import CONTENT_TYPE, KEY_IS_USED, ProblemError
from kfnb.server.processes import Answer, CheckPool, FollowProcess

MOST_KEYS = 1000
"""Most idempotency keys that are remembered."""

_log = logging.getLogger(__name__)


class ServerState:
    """The processes of one server; they start when they are first needed.

    Parameters
    ----------
    root
        The folder of the contents manager; None if its notebooks are no files.
    """

    def __init__(self, limits: Limits, root: str | None) -> None:
        self.limits = limits
        self.root = root
        self.check = CheckPool(limits, root)
        self.follow = FollowProcess(limits, root, self._take_push)
        self.sockets: dict[int, Any] = {}
        self._starts: OrderedDict[str, tuple[str, asyncio.Future[Answer]]] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def call(self, process: str, name: str, arguments: Mapping[str, Any]) -> Answer:
        """Call a function of a process."""
        body = json.dumps(arguments).encode()
        where = self.check if process == "check" else self.follow
        return await where.call(name, body)

    async def start_run(self, arguments: Mapping[str, Any], key: str | None) -> Answer:
        """Create a run and start its driver; a repeated key gets the first request's answer."""
        if key is None:
            return await self._start_run("create", arguments)
        # With the key, which is stored nowhere, so that no masked parameter can be guessed from it.
        request = json.dumps([key, arguments], sort_keys=True)
        digest = hashlib.sha256(request.encode()).hexdigest()
        known = self._starts.get(key)
        if known is not None:
            if known[0] != digest:
                return Answer(409, CONTENT_TYPE, ProblemError(409, KEY_IS_USED).body())
            # A page that does not wait any longer must not cancel the start for the others.
            return await asyncio.shield(known[1])
        # Other requests with this key wait for this one. The run itself keeps the key as well, so
        # that it is known after this server was restarted.
        named = {**arguments, "key": key, "body": digest}
        task = asyncio.create_task(self._start_run("create", named))
        self._starts[key] = digest, task
        while len(self._starts) > MOST_KEYS:
            self._starts.popitem(last=False)
        answer = await asyncio.shield(task)
        if not answer.ok:
            self._starts.pop(key, None)  # what went wrong may be repaired, so it may be tried again
        return answer

    async def run_again(self, run: str) -> Answer:
        """Start a new run of an earlier one's notebook."""
        return await self._start_run("again", {"run": run})

    async def _start_run(self, call: str, arguments: Mapping[str, Any]) -> Answer:
        # Reading the notebook has limits that a driver must not inherit, so two processes work.
        created = await self.call("check", call, arguments)
        if not created.ok:
            return created
        run = created.plain()
        if run.pop("started", False):
            started = await self.call("follow", "run", {"run": run["run"]})
        else:
            started = await self.call("follow", "start", run)
        return Answer(201, started.content_type, started.body) if started.ok else started

    def _take_push(self, header: Mapping[str, Any], body: bytes) -> None:
        """Take a message of the process that follows runs."""
        if header.get("ended"):
            for socket in list(self.sockets.values()):
                socket.follow_ended()
            return
        socket = self.sockets.get(header.get("socket", 0))
        if socket is not None:
            socket.push(header, body)

    def spawn(self, coroutine: Any) -> None:
        """Run a coroutine beside the request that needs it, and log what goes wrong in it."""
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)

        def done(one: asyncio.Task[Any]) -> None:
            self._tasks.discard(one)
            if not one.cancelled() and one.exception() is not None:
                _log.error("A message of a page failed.", exc_info=one.exception())

        task.add_done_callback(done)

    async def stop(self) -> None:
        """End all processes. Runs go on: their drivers are processes of their own."""
        for task in self._tasks:
            task.cancel()
        await self.check.stop()
        await self.follow.stop()
