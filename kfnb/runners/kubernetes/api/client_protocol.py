"""Protocols of what watching and following logs need: a client that reads, and a clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol


class ReadClient(Protocol):
    """The reading half of a cluster's client.

    Each call raises :class:`~kfnb.errors.InfrastructureError` where the server refuses or
    cannot be reached; the error may carry ``status`` (of HTTP) and ``retry_after`` (seconds).
    """

    def list(self, kind: str, *, selector: str = "", fields: str = "") -> Mapping[str, Any]:
        """Return a list object: ``metadata.resourceVersion`` and ``items``."""

    def list_watch(
        self, kind: str, *, selector: str, since: str, timeout: float
    ) -> Iterator[bytes]:
        """Yield the lines of a watch with bookmarks, as they come.

        It ends when the server closes. ``timeout`` is sent as ``timeoutSeconds``; the socket may
        be silent a little longer than that.
        """

    def pod_log(
        self, name: str, *, container: str, since_time: str | None, follow: bool
    ) -> Iterator[bytes]:
        """Yield a container's log with ``timestamps=true`` in pieces, as they come.

        ``since_time`` is a time in RFC 3339 with whole seconds. A socket that is silent for long
        raises, because a dead connection looks like a step that prints nothing.
        """


class Clock(Protocol):
    """A clock whose waits can be ended."""

    def now(self) -> float:
        """Return the seconds of a monotonic clock."""

    def wait(self, seconds: float) -> bool:
        """Wait; return True if the clock was stopped meanwhile."""

    @property
    def stopped(self) -> bool:
        """Whether the clock was stopped."""


class RealClock:
    """The clock of this machine."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def now(self) -> float:
        """Return the seconds of a monotonic clock."""
        return time.monotonic()

    def wait(self, seconds: float) -> bool:
        """Wait; return True if :meth:`stop` was called meanwhile."""
        return self._stop.wait(seconds)

    def stop(self) -> None:
        """End every wait, now and later."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether the clock was stopped."""
        return self._stop.is_set()


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status of an error, if it has one."""
    status = getattr(error, "status", None)
    return status if isinstance(status, int) else None
