"""The log of one pod, followed live over connections that break."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kfnb.errors import InfrastructureError
from kfnb.runners.kubernetes.api.backoff import Backoff
from kfnb.runners.kubernetes.api.client_protocol import Clock, ReadClient, RealClock, status_of
from kfnb.runners.kubernetes.explain.reading import STEP_CONTAINER

RECORD = b"\x1e"
"""What a step's signals begin with; anything else is the container's own text."""

_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ")
_LONGEST_STAMP = 40
# This much of a line, with its time, is enough to recognise it.
_HEAD = 4096
# So many requests may fail after the end of a pod until its log is given up.
_PATIENCE = 5
_PIECE = 64 << 10
# What a kubelet says in place of a log, in the log.
_NO_LOG = (b"unable to retrieve container logs for ", b"failed to try resolving symlinks ")


@dataclass(frozen=True, slots=True)
class Signal:
    """A line by which the step says that its next batch of reports is in the store.

    ``batch`` is the number of the newest one, None if the line does not say; ``last`` that no more
    will come.
    """

    batch: int | None
    last: bool = False


@dataclass(frozen=True, slots=True)
class Raw:
    """What the container printed beside, byte by byte; a newline is part of it."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """Something was printed here, and is lost."""

    reason: str


Piece = Signal | Raw | Gap


class PodLog:
    """Follows what a pod's container prints, each line once and in order.

    Kubernetes numbers no lines, so each comes with its time. After a reconnection the lines
    of the last seconds come again: those that were seen are passed over, and where the last
    one is not among them, Kubernetes has thrown away some.

    Parameters
    ----------
    ended
        Whether the container executes no more, or the pod is gone.
    """

    def __init__(
        self,
        read_client: ReadClient,
        pod: str,
        *,
        ended: Callable[[], bool],
        container: str = STEP_CONTAINER,
        clock: Clock | None = None,
    ) -> None:
        self._read_client = read_client
        self._pod = pod
        self._container = container
        self._ended = ended
        self._clock = clock or RealClock()
        self._seen = _SeenLines()
        self._complete = False

    def follow(self) -> Iterator[Piece]:
        """Yield what the container prints until it has ended, or the clock is stopped.

        A container that has not started is waited for.
        """
        backoff = Backoff(self._clock)
        refused = 0
        while backoff.wait():
            # Asked before reading: what was printed until then is read.
            over = self._ended()
            since = self._seen.since()
            # After a reconnection the server repeats an interrupted line from its beginning.
            lines = _LineSplitter()
            try:
                for piece in self._read_client.pod_log(
                    self._pod, container=self._container, since_time=since, follow=not over
                ):
                    backoff.worked()
                    for line in lines.take(piece):
                        for new in self._new(line):
                            refused = 0
                            yield new
                    if self._clock.stopped:
                        return
            except InfrastructureError as error:
                status = status_of(error)
                # A server that is busy (429) has not refused.
                refused += over and status != 429
                if status in (403, 404) or (over and status == 400) or refused > _PATIENCE:
                    # 400: a container that never started has printed nothing.
                    if not self._complete and status != 400:
                        yield Gap(f"the log of the pod {self._pod} no longer exists: {error}")
                    return
                if status != 400:  # which is how it says that the container has not started yet
                    after = getattr(error, "retry_after", None)
                    backoff.failed(after if isinstance(after, (int, float)) else None)
                continue
            # The connection may also end while the container runs, if the API server restarts.
            if over or (self._complete and self._ended()):
                for line in lines.rest():
                    yield from self._new(line)
                return

    def _new(self, line: _Line) -> Iterator[Piece]:
        if line.first and not line.stamp and line.data.startswith(_NO_LOG):
            yield Gap(line.data.decode("utf-8", "replace").strip())
            return
        data, hole = self._seen.take(line)
        if hole:
            # If a file ended exactly here, nothing is lost, but the log does not show that.
            yield Gap(
                f"the log of the pod {self._pod} was rotated, so some lines may be missing here"
            )
        yield from self._pieces(data)

    def _pieces(self, data: bytes) -> Iterator[Piece]:
        if RECORD not in data:
            if data:
                yield Raw(data)
            return
        text, *records = data.split(RECORD)
        if text:
            yield Raw(text)
        for record in records:
            # A program may print the separator itself; only a signal continues with an object.
            if not record.startswith(b"{"):
                yield Raw(RECORD + record)
                continue
            try:
                signal = _signal(json.loads(record))
            except ValueError:
                yield Gap(f"a line of the log of the pod {self._pod} is incomplete")
                continue
            self._complete = self._complete or signal.last
            yield signal


def _signal(line: Mapping[str, Any]) -> Signal:
    batch = line.get("batch")
    if isinstance(batch, int):
        return Signal(batch, last=line.get("last") is True)
    # Older versions of kfnb print their reports here; the last one is of this type.
    return Signal(None, last=line.get("type") == "Result")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line, or a piece of one that is long: ``first`` is its beginning."""

    stamp: bytes
    data: bytes
    first: bool = True
    offset: int = 0


class _LineSplitter:
    """Cuts what one connection gives into lines and their times."""

    def __init__(self) -> None:
        self._rest = b""
        self._stamp = b""
        self._offset = 0

    def take(self, piece: bytes) -> Iterator[_Line]:
        """Take some bytes; yield the lines that are whole, and long ones in pieces."""
        *whole, self._rest = (self._rest + piece).split(b"\n")
        for line in whole:
            yield self._line(line + b"\n")
            self._offset = 0
        # A very long line is passed on in parts, so that it does not fill the memory.
        if len(self._rest) > _PIECE:
            yield self._part(self._rest)
            self._rest = b""

    def rest(self) -> Iterator[_Line]:
        """Yield the last line, if no newline ends it."""
        if self._rest:
            yield self._line(self._rest)
            self._rest = b""

    def _line(self, data: bytes) -> _Line:
        if self._offset:
            return _Line(self._stamp, data, first=False, offset=self._offset)
        match = _STAMP.match(data, 0, _LONGEST_STAMP)
        if match is None:
            return _Line(b"", data)
        self._stamp = match[0]
        return _Line(match[0], data[match.end() :])

    def _part(self, data: bytes) -> _Line:
        line = self._line(data)
        self._stamp = line.stamp
        self._offset += len(line.data)
        return line


_Key = tuple[bytes, int]


@dataclass(slots=True)
class _SeenLines:
    """Which lines were seen, as far back as they can come again.

    ``lines`` holds the last two seconds of them: older ones are not asked for again.
    ``unfinished`` is a long line that was sent in part when its connection broke.
    """

    lines: dict[bytes, Counter[_Key]] = field(default_factory=dict)
    # The lines that should come again on this connection and have not come yet.
    _again: dict[bytes, Counter[_Key]] = field(default_factory=dict)
    # Whether a known line came again, which proves that nothing is missing in between.
    _joined: bool = True
    _key: _Key = (b"", 0)
    _unfinished: _Key | None = None
    _sent: int = 0
    # The bytes of the current line that were passed on over an earlier connection.
    _skip: float = 0
    _begins: bool = False

    def since(self) -> str | None:
        """Begin a connection; return the time from which lines have to come again."""
        if not self.lines:
            return None
        self._again = {second: Counter(count) for second, count in self.lines.items()}
        self._joined = False
        self._begins = True
        return min(self.lines).decode() + "Z"

    def take(self, line: _Line) -> tuple[bytes, bool]:
        """Take a line; return what is new of it, and whether some were lost before it."""
        hole = line.first and self._first(line)
        data = line.data[int(min(max(0, self._skip - line.offset), len(line.data))) :]
        if data.endswith(b"\n"):
            self._unfinished = None
        elif data:
            self._unfinished, self._sent = self._key, line.offset + len(line.data)
        return data, hole

    def _first(self, line: _Line) -> bool:
        begins, self._begins = self._begins, False
        if begins and not line.stamp:
            # The rest of a long line, whose beginning, and so its time, is before what was
            # asked for: it was seen, or the lines after it would not have been.
            self._skip = float("inf")
            return False
        self._key = key = (line.stamp, hash(line.data[:_HEAD]))
        second = line.stamp[:19] or max(self.lines, default=b"")
        waiting = self._again.get(second)
        if waiting is not None and waiting[key] > 0:
            # Equal lines in the same second cannot be distinguished, only counted.
            waiting[key] -= 1
            self._joined = True
            self._skip = self._sent if key == self._unfinished else float("inf")
            return False
        hole, self._joined = not self._joined, True
        self._skip = 0
        if second:
            self.lines.setdefault(second, Counter())[key] += 1
            self._drop_old()
        return hole

    def _drop_old(self) -> None:
        if len(self.lines) < 3:
            return
        newest = datetime.fromisoformat(max(self.lines).decode())
        oldest = (newest - timedelta(seconds=1)).isoformat().encode()
        for second in [second for second in self.lines if second < oldest]:
            del self.lines[second]
