"""What an attempt's pods report: followed live, and read from the store where that falls short."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable

from kfnb.errors import InfrastructureError
from kfnb.home import AttemptFolder
from kfnb.runners.kubernetes.api.client_protocol import ReadClient, RealClock
from kfnb.runners.kubernetes.logs.pod_log import RECORD, Gap, PodLog, Raw, Report
from kfnb.runners.kubernetes.logs.report_merge import ReportMerger
from kfnb.store.remote.base import Remote

EVERY = 2.0
"""Seconds between two looks into the store, where something is missing live."""

_KEPT_TEXT = 64 << 10
_REPORTED = RECORD + b"\n"
"""Stands for reports among what containers printed besides: what is said before is over."""


class AttemptReports:
    """Lays down what one attempt reports in its folder, each line once and in order.

    Parameters
    ----------
    read_client
        The cluster; None where nothing is followed live.
    prefix
        Where the attempt's batches are in the store, with a slash at the end.
    wake
        Is called, from other threads, when there is something to take.
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
        self._prefix = prefix
        self._wake = wake
        self._merger = ReportMerger(folder)
        self._clock = RealClock()
        self._pieces: queue.SimpleQueue[tuple[str, Report | Raw | Gap]] = queue.SimpleQueue()
        self._followed: dict[str, threading.Thread] = {}
        self._ended: set[str] = set()
        self._batches: set[str] = set()
        self._raw = b""
        self._look_at = time.monotonic() + EVERY
        self._behind = False
        self._whole: set[str] = set()

    @property
    def said(self) -> str:
        """The end of what the containers printed that is no report: why Python did not start.

        Where reports came a line stands that holds a separator and nothing else.
        """
        return self._raw.decode("utf-8", "replace")

    def follow(self, pod: str, uid: str) -> None:
        """Follow a pod's log from now on; again for the same pod does nothing."""
        if uid in self._followed or self._read_client is None:
            return
        log = PodLog(self._read_client, pod, ended=lambda: uid in self._ended, clock=self._clock)
        thread = threading.Thread(
            target=self._read, args=(uid, log), name=f"kfnb-log-{pod}", daemon=True
        )
        self._followed[uid] = thread
        self._mark()  # what another pod said says nothing of this one
        thread.start()

    def over(self, uid: str) -> None:
        """Note that a pod executes no more."""
        self._ended.add(uid)

    def take(self) -> bool:
        """Lay down what came in; look into the store where something is missing for a while.

        Returns
        -------
        bool
            Whether :attr:`said` is another than it was.

        Raises
        ------
        InfrastructureError
            If the disk refuses.
        """
        before = self._raw
        with contextlib.suppress(queue.Empty):
            while True:
                self._lay(*self._pieces.get_nowait())
        if (self._behind or self._merger.has_gap) and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + EVERY
            with contextlib.suppress(InfrastructureError):  # the next look may succeed
                self.look()
        return self._raw is not before

    def look(self) -> None:
        """Read the batches that are in the store and not yet known.

        Raises
        ------
        InfrastructureError
            If the store does not answer.
        """
        for key in sorted(self._remote.list(self._prefix + "events/")):
            if key not in self._batches and (data := self._remote.get(key)) is not None:
                pod = key.removeprefix(self._prefix).split("/")[1]
                for line in data.split(b"\n"):
                    with contextlib.suppress(ValueError):
                        if line:
                            self._merger.take(pod, json.loads(line))
                self._mark()
                self._batches.add(key)

    def finish(self, patience: float = 5.0) -> None:
        """Take all that there is: the pods have ended. What is missing then is marked.

        Where everything up to a pod's last word came live, the store is not asked.

        Raises
        ------
        InfrastructureError
            If the store does not answer, or the disk refuses.
        """
        self._ended.update(self._followed)
        deadline = time.monotonic() + patience
        for thread in self._followed.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        self.take()
        whole = self._whole and self._followed.keys() <= self._whole
        if self._behind or self._merger.has_gap or not whole:
            self.look()
        self._merger.settle()

    def close(self) -> None:
        """Follow nothing any more."""
        self._clock.stop()

    def _read(self, uid: str, log: PodLog) -> None:
        try:
            for piece in log.follow():
                self._pieces.put((uid, piece))
                self._wake()
        except Exception as error:  # the store has what is not read here
            self._pieces.put((uid, Gap(f"{type(error).__name__}: {error}")))
            self._wake()

    def _lay(self, uid: str, piece: Report | Raw | Gap) -> None:
        if isinstance(piece, Report):
            self._merger.take(uid, piece.line)
            self._mark()
            if piece.line.get("type") == "Result":
                self._whole.add(uid)
        elif isinstance(piece, Raw):
            self._raw = (self._raw + piece.data)[-_KEPT_TEXT:]
        else:
            self._behind = True

    def _mark(self) -> None:
        """Note that what was said until now is not the last that is heard."""
        if self._raw and not self._raw.endswith(_REPORTED):
            line = b"" if self._raw.endswith(b"\n") else b"\n"
            self._raw += line + _REPORTED
