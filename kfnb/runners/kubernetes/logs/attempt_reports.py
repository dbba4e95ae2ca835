"""Brings what an attempt's pods report from the store into the attempt's folder.

A pod stores its reports in numbered batches, and prints a short line for each that is stored. Its
log is followed for these lines, which say that there is something to read, and for the text of
Python or Kubernetes that explains why a pod stored nothing.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from kfnb.errors import InfrastructureError
from kfnb.home import AttemptFolder
from kfnb.runners.kubernetes.api.client_protocol import ReadClient, RealClock
from kfnb.runners.kubernetes.logs.attempt_files import AttemptFiles
from kfnb.runners.kubernetes.logs.pod_log import RECORD, Gap, PodLog, Raw, Signal
from kfnb.store.remote.base import Remote

EVERY = 2.0
"""Seconds between two lists of a pod's batches, where its log cannot be followed."""

_TEXT_KEPT = 64 << 10
_SIGNALLED = RECORD + b"\n"
"""Stands for signals in the text of containers: the text before it explains nothing any more."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch that was signalled; ``data`` is None if the store did not give it."""

    number: int
    data: bytes | None


class AttemptReports:
    """The reports of one attempt, each written once and in order.

    Parameters
    ----------
    read_client
        The cluster, whose pods' logs are followed; None to read the store only.
    prefix
        Where the attempt's batches are in the store, with a slash at the end.
    wake
        Called from other threads when :meth:`take` has something to do.
    """

    def __init__(
        self,
        folder: AttemptFolder,
        *,
        read_client: ReadClient | None,
        remote: Remote,
        prefix: str,
        wake: Callable[[], None],
    ) -> None:
        self._read_client = read_client
        self._remote = remote
        self._prefix = prefix + "events/"
        self._wake = wake
        self._files = AttemptFiles(folder)
        self._clock = RealClock()
        self._arrived: queue.SimpleQueue[tuple[str, _Batch | Signal | Raw | Gap]]
        self._arrived = queue.SimpleQueue()
        self._followed: dict[str, threading.Thread] = {}
        self._ended: set[str] = set()
        self._next: dict[str, int] = defaultdict(int)
        self._complete: set[str] = set()
        self._text = b""
        self._must_list = False
        self._list_at = time.monotonic() + EVERY

    @property
    def text(self) -> str:
        """The end of what the containers printed besides signals.

        Where signals came there is a line with a separator and nothing else.
        """
        return self._text.decode("utf-8", "replace")

    def follow(self, pod: str, uid: str) -> None:
        """Follow a pod's log from now on; calling again for the same pod does nothing."""
        if uid in self._followed or self._read_client is None:
            return
        log = PodLog(self._read_client, pod, ended=lambda: uid in self._ended, clock=self._clock)
        thread = threading.Thread(
            target=self._read, args=(uid, log), name=f"kfnb-log-{pod}", daemon=True
        )
        self._followed[uid] = thread
        self._mark()  # the text of another pod explains nothing about this one
        thread.start()

    def over(self, uid: str) -> None:
        """Note that a pod has ended."""
        self._ended.add(uid)

    def take(self) -> bool:
        """Write the batches that arrived; return whether :attr:`text` has changed.

        Raises
        ------
        InfrastructureError
            If the disk refuses.
        """
        before = self._text
        with contextlib.suppress(queue.Empty):
            while True:
                self._handle(*self._arrived.get_nowait())
        if self._must_list and time.monotonic() >= self._list_at:
            self._list_at = time.monotonic() + EVERY
            with contextlib.suppress(InfrastructureError):  # the next list may succeed
                self.read_store()
        return self._text is not before

    def read_store(self) -> None:
        """Write the batches that are in the store and not yet here.

        Raises
        ------
        InfrastructureError
            If the store does not answer, or the disk refuses.
        """
        # Numbers have six digits, so the order of the keys is the order of the batches.
        for key in sorted(self._remote.list(self._prefix)):
            uid, _, name = key.removeprefix(self._prefix).partition("/")
            number = name.removesuffix(".jsonl")
            if number.isdecimal() and int(number) >= self._next[uid]:
                data = self._remote.get(key)
                if data is not None:
                    self._add(uid, int(number), data)

    def finish(self, patience: float = 5.0) -> None:
        """Write all that there is: the pods have ended.

        The store is not listed where a pod has signalled its last batch and it was read.

        Raises
        ------
        InfrastructureError
            If the store does not answer, or the disk refuses.
        """
        # This ends the threads that follow logs, once they have read what is there.
        self._ended.update(self._followed)
        deadline = time.monotonic() + patience
        # A thread that hangs on a dead connection is left behind; the store has its reports.
        for thread in self._followed.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        self.take()
        if self._must_list or not self._complete or not self._followed.keys() <= self._complete:
            self.read_store()

    def close(self) -> None:
        """Stop following."""
        self._clock.stop()

    def _read(self, uid: str, log: PodLog) -> None:
        """Follow a log in a separate thread, and fetch the batches that it signals."""
        fetched = 0
        try:
            for piece in log.follow():
                if isinstance(piece, Signal) and piece.batch is not None:
                    # A pod skips a signal that it could print only by waiting, so one may stand for
                    # several.
                    for number in range(fetched, piece.batch + 1):
                        self._arrived.put((uid, _Batch(number, self._fetch(uid, number))))
                    fetched = max(fetched, piece.batch + 1)
                self._arrived.put((uid, piece))
                self._wake()
        except Exception as error:  # whatever it is, the store has the reports
            self._arrived.put((uid, Gap(f"{type(error).__name__}: {error}")))
            self._wake()

    def _fetch(self, uid: str, number: int) -> bytes | None:
        with contextlib.suppress(InfrastructureError):
            return self._remote.get(f"{self._prefix}{uid}/{number:06}.jsonl")
        return None

    def _handle(self, uid: str, piece: _Batch | Signal | Raw | Gap) -> None:
        if isinstance(piece, _Batch):
            # The store did not answer, or a batch before this one has not come.
            if piece.data is None or piece.number > self._next[uid]:
                self._must_list = True
            else:
                self._add(uid, piece.number, piece.data)
        elif isinstance(piece, Signal):
            self._mark()
            if piece.batch is None:
                # An older kfnb in the image prints reports here, and stores them as well.
                self._must_list = True
            elif piece.last and self._next[uid] > piece.batch:
                self._complete.add(uid)
        elif isinstance(piece, Raw):
            self._text = (self._text + piece.data)[-_TEXT_KEPT:]
        else:
            self._must_list = True

    def _add(self, uid: str, number: int, data: bytes) -> None:
        if number < self._next[uid]:
            return
        self._next[uid] = number + 1
        self._files.add(uid, data)

    def _mark(self) -> None:
        """Separate the text until now from what follows."""
        if self._text and not self._text.endswith(_SIGNALLED):
            line = b"" if self._text.endswith(b"\n") else b"\n"
            self._text += line + _SIGNALLED
