"""Look at processes that are not this one: wait for their end, list their descendants."""

from __future__ import annotations

import asyncio
import contextlib
import os


async def readable(fd: int) -> None:
    """Wait until a file descriptor is readable, and close it."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)


def descendants(pid: int) -> list[int]:
    """List the processes below ``pid``, also those that have left its process group."""
    import psutil

    with contextlib.suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return []
