"""What watching and following logs ask of the API server, and of time."""

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

        It ends when the server closes; ``timeout`` is the ``timeoutSeconds`` that the server is
        asked for, and what the socket may be silent for is a little more.
        """

    def pod_log(
        self, name: str, *, container: str, since_time: str | None, follow: bool
    ) -> Iterator[bytes]:
        """Yield a container's log with ``timestamps=true`` in pieces, as they come.

        ``since_time`` is a time in RFC 3339 with whole seconds. A socket that is silent for
        long raises: a step that prints nothing looks the same as a connection that is dead.
        """


class Clock(Protocol):
    """Time, and the end of waiting for it."""

    def now(self) -> float:
        """Seconds on a clock that only goes forward."""

    def wait(self, seconds: float) -> bool:
        """Wait, at most until somebody stops it; True if it is stopped."""

    @property
    def stopped(self) -> bool:
        """Whether it is over."""


class RealClock:
    """The clock of this machine."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def now(self) -> float:
        """Seconds on a clock that only goes forward."""
        return time.monotonic()

    def wait(self, seconds: float) -> bool:
        """Wait, at most until :meth:`stop`; True if it is stopped."""
        return self._stop.wait(seconds)

    def stop(self) -> None:
        """End every wait, now and later."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether it is over."""
        return self._stop.is_set()


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that a refusal carries."""
    status = getattr(error, "status", None)
    return status if isinstance(status, int) else None
