"""What a step reports on its way out of a pod: at once to stdout, and in batches to the store.

Both are told of the same: the step's events as they are, and its log in pieces, each with
the byte that it begins at. Lines on stdout begin with a separator that text does not hold,
so that they are told from whatever else a container prints. The two ways do not wait for
each other, and read the step's files for themselves, so that a store that is away costs
no memory.
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
Patiently = Callable[[Callable[[], T]], T]

RECORD = b"\x1e"
"""What each line on stdout begins with."""

EVERY = 2.0
"""Seconds between two batches."""

BATCH = 256 << 10
SAVE = 15.0
"""Seconds between two copies of the executed notebook, at least."""

_FIRST_SAVE = 5.0
_SHARE = 20
_LOOK = 0.05
_READ = 64 << 10
_PATIENCE = 5.0
_LONGEST_PAUSE = 30.0


class EventUploader:
    """Follows the files of an attempt, in threads, until :meth:`finish`.

    The last event, ``Result``, is kept back: it is told when what it says holds outside too.

    Parameters
    ----------
    folder
        The attempt's folder, in which the step writes ``events.jsonl`` and ``log.txt``.
    prefix
        Where batches go in the store; ends with a slash.
    pod
        Tells this pod from another one of the same attempt.
    """

    def __init__(self, folder: Path, remote: Remote, *, prefix: str, pod: str) -> None:
        self._remote = remote
        self._prefix = prefix
        self._batches = f"{prefix}events/{pod}/"
        self._live = AttemptTail(folder)
        self._kept = AttemptTail(folder)
        self._executed = folder / "executed.ipynb"
        self._batch: bytes | None = None
        self._number = 0
        self._pause = EVERY
        self._saved = 0
        self._stop = threading.Event()
        self._reads_stdout = True
        self._threads = [
            threading.Thread(target=work, name=f"kfnb-{name}", daemon=True)
            for name, work in (("telling", self._tell_live), ("keeping", self._keep))
        ]

    @property
    def result(self) -> dict[str, Any] | None:
        """The step's last event, once :meth:`finish` has returned."""
        return self._kept.result

    @property
    def next_number(self) -> int:
        """The number that the event after the last one has."""
        return self._kept.last + 1

    def start(self) -> None:
        """Begin to follow."""
        for thread in self._threads:
            thread.start()

    def finish(self, patiently: Patiently[None]) -> None:
        """Ship all that the step has written; it writes no more.

        Parameters
        ----------
        patiently
            Tries an action again while the store does not answer.

        Raises
        ------
        InfrastructureError
            If the store does not take it.
        """
        self._stop.set()
        telling, keeping = self._threads
        keeping.join()
        while self._next_batch():
            patiently(self._put)
        # Who reads stdout may have stopped: nothing is lost by that.
        telling.join(_PATIENCE)

    def tell(self, line: bytes, patiently: Patiently[None]) -> None:
        """Ship one more line: after :meth:`finish` only. Live first: drivers wait for it."""
        if not self._threads[0].is_alive():
            self._print([line])
        self._batch = line + b"\n"
        patiently(self._put)

    # -- live -------------------------------------------------------------------------------

    def _tell_live(self) -> None:
        while True:
            over = self._stop.wait(_LOOK)
            while lines := self._live.take(_READ):
                self._print(lines)
            if over:
                return

    def _print(self, lines: list[bytes]) -> None:
        if not self._reads_stdout:
            return
        view = memoryview(b"".join(RECORD + line + b"\n" for line in lines))
        try:
            while view:
                view = view[os.write(sys.stdout.fileno(), view) :]
        except OSError:
            self._reads_stdout = False  # nobody does: the store has it all

    # -- kept -------------------------------------------------------------------------------

    def _keep(self) -> None:
        batch_at = 0.0
        save_at = time.monotonic() + _FIRST_SAVE
        while not self._stop.wait(_LOOK):
            now = time.monotonic()
            if now >= batch_at and self._next_batch():
                batch_at = self._try_to_put(now)
            if now >= save_at:
                save_at = self._save(now)

    def _next_batch(self) -> bool:
        """Have a batch at hand, if there is anything to say; it stays until it is stored."""
        if self._batch is None and (lines := self._kept.take(BATCH)):
            self._batch = b"\n".join(lines) + b"\n"
        return self._batch is not None

    def _try_to_put(self, now: float) -> float:
        """Store the batch; the time of the next one."""
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
        """Keep a copy of the notebook as far as it is executed: all that is left after a kill.

        The time of the next copy: making them takes a twentieth of the time at most.
        """
        same = self._executed.with_name("executed.shipping")
        with contextlib.suppress(OSError, InfrastructureError):
            changed = self._executed.stat().st_mtime_ns
            if changed != self._saved:
                same.unlink(missing_ok=True)
                os.link(self._executed, same)  # it is replaced while it is read
                self._remote.upload(f"{self._prefix}executed.ipynb", same)
                self._saved = changed
        now = time.monotonic()
        return now + max(SAVE, _SHARE * (now - began))
