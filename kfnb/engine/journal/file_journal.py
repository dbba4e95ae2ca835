"""The journal of a run as a file of JSON lines: one writer, any number of readers.

A line is one event and ends with a newline; what stands after the last newline
is a write that never completed. Readers leave it for later, the writer (who
holds the lock) cuts it off. ``seq`` counts from 1 without a gap, so a lost line
is seen.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from kfnb.engine.core.event_types import Body
from kfnb.engine.core.events import Event
from kfnb.engine.run_clock import run_clock
from kfnb.errors import InfrastructureError, KfnbError
from kfnb.store import disk
from kfnb.store.locks import FileLock

LOCK_NAME = "driver.lock"
# fdatasync() leaves out times that nobody needs; macOS lacks it.
_sync_data = getattr(os, "fdatasync", os.fsync)


class JournalBusy(KfnbError):  # noqa: N818 (a state, not a fault)
    """Another driver writes this journal; ``pid`` is its process where that is known."""

    exit_code = 4

    def __init__(self, path: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"the run {path.parent.name} is already being executed by {who}. Follow it with kfnb "
            "status or kfnb logs -f, or end it with kfnb stop."
        )
        self.pid = pid


class JournalCorrupt(InfrastructureError):  # noqa: N818 (as above)
    """A line that was once whole cannot be read; ``line`` counts from 1."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(
            f"the journal {path} cannot be read at line {line}: {why}. The lines before it are "
            "intact: restore the file, or start a new run (finished steps come from the cache)."
        )
        self.line = line


class JournalReader:
    """Reads a journal from where the last call stopped, also while it is being written.

    Parameters
    ----------
    path
        The journal; it need not be there yet.

    Attributes
    ----------
    offset
        Bytes read so far: always the beginning of a line.
    seq
        Number of the last event read, 0 before the first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.seq = 0

    def read(self) -> Iterator[Event]:
        """Give the events that were appended since the last call.

        An incomplete last line is left for the next call.

        Raises
        ------
        JournalCorrupt
            If a line is no event although lines stand after it, or an event is missing.
        InfrastructureError
            If the file cannot be read.
        """
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        except OSError as error:
            raise _sentence(self.path, "read", error) from error
        with file:
            file.seek(self.offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                try:
                    event = Event.from_line(line)
                except ValueError as error:
                    if not file.peek(1):
                        # A power cut can keep the end of a write and lose its beginning: a
                        # torn line too, and the writer cuts it off.
                        return
                    raise JournalCorrupt(self.path, self.seq + 1, str(error)) from error
                if event.seq != self.seq + 1:
                    why = f"it has event {event.seq} where event {self.seq + 1} should be"
                    raise JournalCorrupt(self.path, self.seq + 1, why)
                self.offset += len(line)
                self.seq = event.seq
                yield event


def read_journal(path: Path) -> list[Event]:
    """Read the whole journal as it stands now; raises as :meth:`JournalReader.read`."""
    return list(JournalReader(path).read())


class Journal:
    """The one writer of a run's journal.

    Opening takes the lock, cuts off a torn last line and gives the events so far
    as ``events``; closing (or the end of the process, however it comes) gives the
    lock back.

    Parameters
    ----------
    path
        ``journal.jsonl`` in the run's folder; made if it is not there.
    run
        The run's id, written into every event.
    now
        The clock, seconds since the epoch; by default one that does not jump.

    Raises
    ------
    JournalBusy
        If another process holds the lock.
    JournalCorrupt
        If a line other than the last is damaged.
    InfrastructureError
        If the folder cannot be written.
    """

    def __init__(self, path: Path, run: str, *, now: Callable[[], float] | None = None) -> None:
        self.path = path
        self.run = run
        self._fd = -1
        self._lock = FileLock(path.with_name(LOCK_NAME))
        try:
            # The lock comes first: without it, cutting off a torn line could cut off a live
            # driver's write.
            if not self._lock.acquire():
                raise JournalBusy(path, self._lock.holder())
            self._prepare()
            reader = JournalReader(path)
            new = not path.exists()
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            self.events = tuple(reader.read())
            self.seq = reader.seq
            last = self.events[-1].time if self.events else 0.0
            self.now = now or run_clock(not_before=last)
            self._size = reader.offset
            if os.fstat(self._fd).st_size > self._size:
                os.ftruncate(self._fd, self._size)
            # What an earlier writer wrote without syncing is acted upon from here on.
            _sync_data(self._fd)
            # A new file survives a power cut only when the folder's entry for it is on the disk as
            # well.
            if new:
                disk.sync_folder(path.parent)
        except OSError as error:
            self.close()
            raise _sentence(path, "open", error) from error
        except BaseException:
            self.close()
            raise

    def append(
        self,
        data: Body,
        step: str | None = None,
        *,
        index: str = "",
        round: int = 0,  # noqa: A002 (the event's own word)
        attempt: int | None = None,
        durable: bool = True,
    ) -> Event:
        """Write one event and give it back with its number and time.

        Parameters
        ----------
        data
            What the event holds; it gives the event's type.
        durable
            Return only when the event, and all before it, survive a power cut. Needed for
            what records a command or a result; progress can go without and is made durable
            by the next event that asks for it.

        Raises
        ------
        InfrastructureError
            If the disk is full or broken, or the run's folder was deleted. Nothing of the
            event is then in the journal, and the next append may succeed.
        ValueError
            If ``data`` cannot be written as JSON, or could not be read again.
        """
        event, line = self._event(data, step, index=index, round=round, attempt=attempt)
        self._append(line, durable=durable)
        return event

    def sync(self) -> None:
        """Make everything that was appended durable; raises InfrastructureError."""
        try:
            _sync_data(self._fd)
        except OSError as error:
            raise _sentence(self.path, "write", error) from error

    def confirm(self) -> None:
        """Make sure that this is still the run's one writer: its lock says so."""

    def close(self) -> None:
        """Give the lock back. Closing twice does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._lock.release()

    def __enter__(self) -> Journal:  # noqa: PYI034 (Self needs Python 3.11)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _prepare(self) -> None:
        """Do what is to be done with the lock, before the file is opened."""

    def _event(
        self,
        data: Body,
        step: str | None,
        *,
        index: str,
        round: int,  # noqa: A002 (as above)
        attempt: int | None,
    ) -> tuple[Event, bytes]:
        """Return the next event as readers will see it, and its line."""
        event = Event(self.seq + 1, self.now(), self.run, data, step, index, round, attempt)
        line = event.to_line()
        # Reading back what is written keeps this driver's state equal to the one that a replay
        # gives.
        return Event.from_line(line), line + b"\n"

    def _append(self, line: bytes, *, durable: bool) -> None:
        """Write an event's line and count it."""
        try:
            self._write(line)
            if durable:
                _sync_data(self._fd)
        except OSError as error:
            # Whatever part of the line was written must go, or the next event would stand behind
            # it.
            self._cut()
            raise _sentence(self.path, "write", error) from error
        self.seq += 1
        self._size += len(line)

    def _write(self, line: bytes) -> None:
        if os.fstat(self._fd).st_nlink == 0:
            # Writing to a deleted file succeeds, and nobody would ever read it.
            raise FileNotFoundError(errno.ENOENT, "the run's folder was deleted")
        write_at(self._fd, self._size, line)

    def _cut(self) -> None:
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            # Readers skip an unfinished line, and the next writer cuts it off: but this
            # one must not write behind it.
            self.close()


def write_at(fd: int, offset: int, data: bytes) -> None:
    """Write all of ``data`` at an offset of a file."""
    rest = memoryview(data)
    while rest:
        # One call may write less than asked, for example when the disk is nearly full.
        written = os.pwrite(fd, rest, offset)
        rest, offset = rest[written:], offset + written


def _sentence(path: Path, act: str, error: OSError) -> InfrastructureError:
    return InfrastructureError(disk.sentence(error, f"the journal {path}", action=act))
