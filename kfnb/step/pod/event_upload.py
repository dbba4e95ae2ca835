"""How a pod reports: numbered batches in the store, and a signal on stdout for each.

A batch has the step's events as they are, and its log in pieces, each with the byte at which it
begins. The store is the only channel; a signal says that a batch can be read there, so that nobody
has to poll. Signals begin with a separator that text does not hold, which distinguishes them from
whatever else a container prints. Batches are read from the step's files, so that a store that does
not answer costs no memory.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from kfnb.errors import InfrastructureError
from kfnb.step.attempt_tail import AttemptTail
from kfnb.store.remote.base import Remote

T = TypeVar("T")
Retrying = Callable[[Callable[[], T]], T]

RECORD = b"\x1e"
"""The separator at the beginning of each signal."""

EVERY = 2.0
"""Seconds between two batches."""

BATCH = 256 << 10
SAVE = 15.0
"""Seconds between two copies of the executed notebook, at least."""

_FIRST_SAVE = 5.0
_SHARE = 20
_LOOK = 0.05
_LONGEST_PAUSE = 30.0


class EventUploader:
    """Follows the files of an attempt, in a thread, until :meth:`finish`.

    The last event, ``Result``, is held back until what it says holds outside of the pod too.

    Parameters
    ----------
    folder
        The attempt's folder, in which the step writes ``events.jsonl`` and ``log.txt``.
    prefix
        Where batches go in the store; ends with a slash.
    pod
        Distinguishes this pod from another one of the same attempt.
    """

    def __init__(self, folder: Path, remote: Remote, *, prefix: str, pod: str) -> None:
        self._remote = remote
        self._prefix = prefix
        self._batches = f"{prefix}events/{pod}/"
        self._tail = AttemptTail(folder)
        self._executed = folder / "executed.ipynb"
        self._batch: bytes | None = None
        self._number = 0
        self._pause = EVERY
        self._saved = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._upload, name="kfnb-reports", daemon=True)

    @property
    def result(self) -> dict[str, Any] | None:
        """The step's last event, once :meth:`finish` has returned."""
        return self._tail.result

    @property
    def next_number(self) -> int:
        """The number that the event after the last one has."""
        return self._tail.last + 1

    def start(self) -> None:
        """Start to follow the files."""
        self._thread.start()

    def finish(self, retries: Retrying[None]) -> None:
        """Store everything that the step has written; it has ended.

        Parameters
        ----------
        retries
            Repeats an action while the store does not answer.

        Raises
        ------
        InfrastructureError
            If the store does not take it.
        """
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        while self._next_batch():
            retries(self._put)

    def send_last(self, line: bytes, retries: Retrying[None]) -> None:
        """Store one more line as the last batch, after :meth:`finish`; raises as that does."""
        self._batch = line + b"\n"
        retries(lambda: self._put(last=True))

    def _signal(self, number: int, *, last: bool) -> None:
        """Print that a batch is stored, unless that could block: the store is what counts."""
        signal: dict[str, Any] = {"batch": number, **({"last": True} if last else {})}
        text = json.dumps(signal, separators=(",", ":")).encode()
        with contextlib.suppress(OSError, ValueError):
            stdout = sys.stdout.fileno()
            if select.select([], [stdout], [], 0)[1]:
                os.write(stdout, RECORD + text + b"\n")

    def _upload(self) -> None:
        batch_at = 0.0
        save_at = time.monotonic() + _FIRST_SAVE
        while not self._stop.wait(_LOOK):
            now = time.monotonic()
            if now >= batch_at and self._next_batch():
                batch_at = self._try_to_put(now)
            if now >= save_at:
                save_at = self._save(now)

    def _next_batch(self) -> bool:
        """Make the next batch if there is anything to report; it is kept until it is stored."""
        # A batch that could not be stored is sent again unchanged, under the same number.
        if self._batch is None and (lines := self._tail.read(BATCH)):
            self._batch = b"\n".join(lines) + b"\n"
        return self._batch is not None

    def _try_to_put(self, now: float) -> float:
        """Store the batch; the time of the next one."""
        full = len(self._batch or b"") >= BATCH
        try:
            self._put()
        except InfrastructureError:
            # A store that does not answer is not helped by more requests.
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            return time.monotonic() + self._pause
        self._pause = EVERY
        # A full batch means that more is waiting.
        return now if full else now + EVERY

    def _put(self, *, last: bool = False) -> None:
        if self._batch is not None:
            self._remote.put(f"{self._batches}{self._number:06}.jsonl", self._batch)
            # Only after the batch is stored, because a driver reads it as soon as it sees the
            # signal.
            self._signal(self._number, last=last)
            self._number += 1
            self._batch = None

    def _save(self, began: float) -> float:
        """Upload the notebook as executed so far, which is all that is left after a kill.

        Returns the time for the next copy: copies take at most a twentieth of the time.
        """
        same = self._executed.with_name("executed.shipping")
        with contextlib.suppress(OSError, InfrastructureError):
            changed = self._executed.stat().st_mtime_ns
            if changed != self._saved:
                same.unlink(missing_ok=True)
                os.link(self._executed, same)  # The step may replace the file during the upload.
                self._remote.upload(f"{self._prefix}executed.ipynb", same)
                self._saved = changed
        now = time.monotonic()
        return now + max(SAVE, _SHARE * (now - began))
