"""A request to stop the step, from a signal handler or a thread to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Literal

Reason = Literal["cancelled", "timeout", "memory", "disk"]


class Stopped(Exception):  # noqa: N818 (not an error of the notebook)
    """The notebook was stopped before its end, for ``reason``."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.detail = detail


class StopRequest:
    """A request to stop. The first reason counts; a second request kills the kernel at once."""

    def __init__(self) -> None:
        self.reason: Reason | None = None
        self.detail = ""
        self._requests = 0
        # Reentrant, because a signal handler may interrupt request() in the same thread.
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: asyncio.Event | None = None

    def request(self, reason: Reason, detail: str = "") -> None:
        """Request a stop. May be called from any thread and from a signal handler."""
        with self._lock:
            if self.reason is None:
                self.reason, self.detail = reason, detail
            self._requests += 1
            loop, changed = self._loop, self._changed
        if loop is not None and changed is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just ended
                loop.call_soon_threadsafe(changed.set)

    def check(self) -> None:
        """Raise :class:`Stopped` if a stop was requested."""
        if self.reason is not None:
            raise Stopped(self.reason, self.detail)

    async def requested(self, times: int = 1) -> None:
        """Wait until a stop was requested ``times`` times."""
        changed = asyncio.Event()
        with self._lock:
            self._loop, self._changed = asyncio.get_running_loop(), changed
        while True:
            # Before the check, so that a request that comes in between is not lost.
            changed.clear()
            if self._requests >= times:
                return
            await changed.wait()


@contextlib.contextmanager
def cancelled_by_signals(stop: StopRequest) -> Iterator[None]:
    """Let SIGTERM and SIGINT cancel; in any thread but the main one this does nothing."""

    def cancel(_number: int, _frame: FrameType | None) -> None:
        stop.request("cancelled")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {n: signal.signal(n, cancel) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
