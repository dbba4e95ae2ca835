"""Send what a step reports out of its pod: at once to stdout, and in batches to the store.

Both get the same lines: the step's events, and its log in pieces, each with the byte at which it
begins. Lines on stdout begin with a separator that text does not contain, so that they differ from
anything else that a container prints. The two ways do not wait for each other: each reads the
step's files by itself, so that no line is held in memory while the store does not answer.
"""

from __future__ import annotations

import contextlib
import os
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
"""The separator at the beginning of each line on stdout."""

EVERY = 2.0
"""Seconds between two batches."""

BATCH = 256 << 10
SAVE = 15.0
"""Seconds between two copies of the executed notebook, at least."""

_FIRST_SAVE = 5.0
_SHARE = 20
_LOOK = 0.05
_READ = 64 << 10
_STDOUT_TIMEOUT = 5.0
_LONGEST_PAUSE = 30.0


class EventUploader:
    """Follows the files of an attempt, in threads, until :meth:`finish`.

    The last event, ``Result``, is held back: it is sent when the outputs are in the store.

    Parameters
    ----------
    folder
        The attempt's folder, in which the step writes ``events.jsonl`` and ``log.txt``.
    prefix
        Prefix of the keys of batches in the store; ends with a slash.
    pod
        Distinguishes this pod from another one of the same attempt.
    """

    def __init__(self, folder: Path, remote: Remote, *, prefix: str, pod: str) -> None:
        self._remote = remote
        self._prefix = prefix
        self._batches = f"{prefix}events/{pod}/"
        self._stdout_tail = AttemptTail(folder)
        self._store_tail = AttemptTail(folder)
        self._executed = folder / "executed.ipynb"
        self._batch: bytes | None = None
        self._number = 0
        self._pause = EVERY
        self._saved = 0
        self._stop = threading.Event()
        self._stdout_is_read = True
        self._threads = [
            threading.Thread(target=work, name=f"kfnb-{name}", daemon=True)
            for name, work in (("stdout", self._write_stdout), ("batches", self._upload_batches))
        ]

    @property
    def result(self) -> dict[str, Any] | None:
        """The step's last event, once :meth:`finish` has returned."""
        return self._store_tail.result

    @property
    def next_number(self) -> int:
        """The number that the event after the last one has."""
        return self._store_tail.last + 1

    def start(self) -> None:
        """Start to follow the files."""
        for thread in self._threads:
            thread.start()

    def finish(self, retries: Retrying[None]) -> None:
        """Send all that the step has written; it has ended.

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
        stdout, batches = self._threads
        batches.join()
        while self._next_batch():
            retries(self._put)
        # Nobody may read stdout any more; the store has everything.
        stdout.join(_STDOUT_TIMEOUT)

    def send(self, line: bytes, retries: Retrying[None]) -> None:
        """Send one more line, after :meth:`finish`; to stdout first, where drivers wait for it."""
        if not self._threads[0].is_alive():
            self._print([line])
        self._batch = line + b"\n"
        retries(self._put)

    def _write_stdout(self) -> None:
        while True:
            over = self._stop.wait(_LOOK)
            while lines := self._stdout_tail.read(_READ):
                self._print(lines)
            if over:
                return

    def _print(self, lines: list[bytes]) -> None:
        if not self._stdout_is_read:
            return
        view = memoryview(b"".join(RECORD + line + b"\n" for line in lines))
        try:
            while view:
                view = view[os.write(sys.stdout.fileno(), view) :]
        except OSError:
            self._stdout_is_read = False  # The reader is gone; the store has everything.

    def _upload_batches(self) -> None:
        batch_at = 0.0
        save_at = time.monotonic() + _FIRST_SAVE
        while not self._stop.wait(_LOOK):
            now = time.monotonic()
            if now >= batch_at and self._next_batch():
                batch_at = self._try_to_put(now)
            if now >= save_at:
                save_at = self._save(now)

    def _next_batch(self) -> bool:
        """Prepare a batch if there is anything new; it is kept until the store has it."""
        if self._batch is None and (lines := self._store_tail.read(BATCH)):
            self._batch = b"\n".join(lines) + b"\n"
        return self._batch is not None

    def _try_to_put(self, now: float) -> float:
        """Store the batch; the time for the next one."""
        full = len(self._batch or b"") >= BATCH
        try:
            self._put()
        except InfrastructureError:
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            return time.monotonic() + self._pause
        self._pause = EVERY
        return now if full else now + EVERY

    def _put(self) -> None:
        if self._batch is not None:
            self._remote.put(f"{self._batches}{self._number:06}.jsonl", self._batch)
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
