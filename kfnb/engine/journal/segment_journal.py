"""The journal of a run whose truth is in a remote store, and the fence between its drivers.

What an append makes durable is one numbered object there, ``runs/<id>/journal/<first
seq>.jsonl``, created only if it is absent: of two drivers that both believe that they are the
only one, one creates the next object, and the other finds out before it acts. Each object
begins with a line that names its writer, so that a writer whose reply was lost knows its own.

The local file has only what is in the store, so followers never see an event that is
taken back.
"""

from __future__ import annotations

import json
import os
import time as clock
from bisect import bisect_right
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import NoReturn

from kfnb.engine.core.events import Event
from kfnb.engine.journal.file_journal import (
    LOCK_NAME,
    Journal,
    JournalBusy,
    JournalReader,
    write_at,
)
from kfnb.errors import InfrastructureError
from kfnb.store import disk
from kfnb.store.locks import FileLock
from kfnb.store.remote.base import Refused, Remote

CONFIRM_INTERVAL = 2.0
"""Seconds for which a driver that was alone believes that it still is."""


class JournalLost(JournalBusy):
    """Another driver has taken this run over: leave, and do nothing more."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, None)


class SegmentJournal(Journal):
    """A journal that is in a remote store, with a copy here.

    Parameters
    ----------
    path, run, now
        As for :class:`~kfnb.engine.journal.file_journal.Journal`. The file here may be behind the
        store, torn, or ahead of it: it is made as the store says. Where the store has nothing yet,
        the file's events are the run's first ones.
    remote
        Where the run is.
    writer
        Names this writer and no other, ever; by default made at random.

    Raises
    ------
    JournalBusy
        If another process of this machine, or meanwhile another driver, writes this journal.
    InfrastructureError
        If the store does not answer, or an object of the journal is missing or damaged.
    """

    def __init__(
        self,
        path: Path,
        run: str,
        *,
        remote: Remote,
        writer: str | None = None,
        now: Callable[[], float] | None = None,
    ) -> None:
        self._remote = remote
        # Random beside the pid, because drivers on two machines may have the same pid.
        self._writer = writer or f"{os.getpid()}-{os.urandom(12).hex()}"
        self._waiting: list[bytes] = []
        self._stored = 0
        self._sure = 0.0
        self._broken: Exception | None = None
        super().__init__(path, run, now=now)

    @property
    def waiting(self) -> bool:
        """Whether events were appended that are not durable yet."""
        return bool(self._waiting)

    def _append(self, line: bytes, *, durable: bool) -> None:
        """Write an event's line; other processes see it when it is durable.

        Raises
        ------
        JournalLost
            If another driver has written. The event is in no journal.
        InfrastructureError
            If the store or the disk fails. Whether the event is in the journal is unknown,
            and this writer appends nothing more.
        """
        self._check()
        self._waiting.append(line)
        self.seq += 1
        if durable:
            self.sync()

    def sync(self) -> None:
        """Make everything that was appended durable; raises the errors of :meth:`append`."""
        self._check()
        if not self._waiting:
            return
        lines = b"".join(self._waiting)
        try:
            # The store first: it may have another driver's event instead, and the local file must
            # not show one that is taken back.
            self._create(self._stored + 1, lines)
            self._write(lines)
        except OSError as error:
            self._cut()
            self._broken = disk_error = InfrastructureError(disk.sentence(error, self.path))
            raise disk_error from error
        except Exception as error:
            # Whether the object was created is unknown, so a second attempt could write the events
            # twice.
            self._broken = error
            raise
        self._size += len(lines)
        self._waiting.clear()
        self._stored = self.seq
        self._sure = self._clock()

    def confirm(self) -> None:
        """Make sure that no other driver has taken over, if that was not seen just now.

        What waits to be durable is then.

        Raises
        ------
        JournalLost
            If one has. A process that was stopped for an hour finds out here.
        """
        self._check()
        # Both ways of the clock count: a set clock must not make an old certainty young.
        if abs(self._clock() - self._sure) < CONFIRM_INTERVAL:
            return
        if self._waiting:
            self.sync()
        elif self._remote.size(_key(self.run, self._stored + 1)) is not None:
            self._lose()
        self._sure = self._clock()

    def _prepare(self) -> None:
        """Make the file here as the store says, before it is opened."""
        lines = b"".join(segments(self._remote, self.run, after=0))
        if not lines:
            # A run that was just made here, or none at all.
            self._stored = 0
            mine = JournalReader(self.path)
            lines = b"".join(e.to_line() + b"\n" for e in mine.read())
            if lines:
                self._create(1, lines)
        self._stored = lines.count(b"\n")
        if not _is(self.path, lines):
            with disk.writing(self.path):
                disk.replace(self.path, lines)
        self._sure = self._clock()

    def _create(self, first: int, lines: bytes) -> None:
        header = json.dumps({"writer": self._writer, "first": first}).encode()
        data = header + b"\n" + lines
        key = _key(self.run, first)
        # The object may exist because our own request succeeded and only its reply was lost.
        if self._remote.create(key, data) or self._remote.get(key) == data:
            return
        self._lose()

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _lose(self) -> NoReturn:
        self._broken = JournalLost(self.path)
        raise self._broken

    def _clock(self) -> float:
        # Not the monotonic one, which stands still while some machines sleep.
        return clock.time()


def segments(remote: Remote, run: str, *, after: int) -> Iterator[bytes]:
    """Give the lines of a run's events after an event, segment by segment, in order.

    Raises
    ------
    InfrastructureError
        If a segment is missing or damaged.
    """
    seq = after
    stems = {key: Path(key).stem for key in remote.list(f"runs/{run}/journal/")}
    begins = [(int(stem), key) for key, stem in stems.items() if stem.isdecimal()]
    # The segment with the last known event is read again: a full disk may have cut off its copy.
    at = bisect_right(begins, after + 1, key=itemgetter(0)) - 1
    for first, key in begins[max(at, 0) :]:
        data = remote.get(key)
        if data is None or first > seq + 1:
            raise _damaged(remote, run, seq + 1, "it is missing")
        head, _, lines = data.partition(b"\n")
        if not head.startswith(b'{"writer"') or not lines.endswith(b"\n"):
            raise _damaged(remote, run, first, "it is not a segment of a journal")
        new = []
        for number, line in enumerate(lines.splitlines(keepends=True), first):
            try:
                written = Event.from_line(line).seq
            except ValueError as error:
                raise _damaged(remote, run, number, str(error)) from error
            if written != number:
                raise _damaged(remote, run, number, "it is missing")
            if number > seq:
                new.append(line)
        seq += len(new)
        yield b"".join(new)


def follow_segments(remote: Remote, run: str, path: Path) -> bool:
    """Bring a copy of a run's journal up to date; True if something was added.

    Any number of processes may do this at once, also while a driver of this machine begins: what
    stands at each offset of the file is settled by the store, so all of them write the same bytes.
    """
    if FileLock(path.with_name(LOCK_NAME)).held():
        return False  # a driver of this machine writes the file
    # Only whole lines count; a torn end, left by a process that was killed, is written again.
    reader = JournalReader(path)
    for _ in reader.read():
        pass
    added = b"".join(segments(remote, run, after=reader.seq))
    if added:
        with disk.writing(path):
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                write_at(fd, reader.offset, added)
            finally:
                os.close(fd)
    return bool(added)


def _key(run: str, first: int) -> str:
    return f"runs/{run}/journal/{first:010d}.jsonl"


def _is(path: Path, lines: bytes) -> bool:
    try:
        return path.read_bytes() == lines
    except FileNotFoundError:
        return False


def _damaged(remote: Remote, run: str, seq: int, why: str) -> InfrastructureError:
    return Refused(
        f"the journal of {run} in the store {remote.address} cannot be read at event {seq}: {why}. "
        "Start a new run (finished steps come from the cache)."
    )
