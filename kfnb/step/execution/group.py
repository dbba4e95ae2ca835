"""One process for the steps of a group: after a step, its kernel waits for the order of the next.

Each step is an attempt of its own, with its own notebook, events, log and manifest.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from kfnb.step.execution.stop_requests import StopRequest
from kfnb.step.group_pipe import GroupPipe
from kfnb.step.kernels.group_kernel import GroupKernel
from kfnb.store import locks

LONGEST_WAIT = 600.0
"""Seconds that a kernel waits when the run has no driver."""

_LOOK = 5.0


class Group:
    """The steps that one process executes; nothing but a single step, for most processes.

    Parameters
    ----------
    folder
        That of the first step's attempt.
    driver_lock
        A file that the run's driver holds locked.
    """

    def __init__(self, folder: Path, *, kernel: GroupKernel, driver_lock: Path) -> None:
        self._folder = folder
        self._kernel = kernel
        self._driver_lock = driver_lock
        self._pipe: GroupPipe | None = None

    def open(self) -> None:
        """Be ready for the order of the next step, before a driver can know that there is one."""
        if self._pipe is None:
            self._pipe = GroupPipe(self._folder)

    def execute(
        self, loop: asyncio.AbstractEventLoop, act: Callable[[str], int], stop: StopRequest
    ) -> int:
        """Execute orders as long as the kernel waits; the exit code of the last one."""
        code, executed = 0, set[str]()
        while self._kernel.waiting is not None and code == 0:
            path = loop.run_until_complete(self._next(stop))
            if not path:
                break
            # A driver that died may have sent the same one.
            if path not in executed:
                executed.add(path)
                code = self._locked(path, act)
        return code

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """End the kernel if it still waits."""
        if self._pipe is not None:
            # First, so that a driver that asks now knows that there is no kernel.
            self._pipe.close()
            self._pipe = None
        loop.run_until_complete(self._kernel.close())

    def _locked(self, path: str, act: Callable[[str], int]) -> int:
        lock = locks.acquire(Path(path).with_name("alive"), patience=locks.PATIENCE)
        if lock is None:
            return 0
        try:
            return act(path)
        finally:
            os.close(lock)

    async def _next(self, stop: StopRequest) -> str:
        """Wait for an order; empty if there will be none."""
        pipe, kernel = self._pipe, self._kernel.waiting
        assert pipe is not None
        assert kernel is not None
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(pipe.fileno(), readable.set)
        ends = [asyncio.ensure_future(e) for e in (stop.requested(), kernel.dead.wait())]
        deadline = time.monotonic() + LONGEST_WAIT
        try:
            while not any(end.done() for end in ends) and time.monotonic() < deadline:
                readable.clear()
                path = pipe.next_order()
                if path is not None:
                    return path
                written = asyncio.ensure_future(readable.wait())
                await asyncio.wait(
                    {written, *ends}, timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED
                )
                written.cancel()
                if locks.is_locked(self._driver_lock):
                    deadline = time.monotonic() + LONGEST_WAIT
            return ""
        finally:
            loop.remove_reader(pipe.fileno())
            for end in ends:
                end.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await end
