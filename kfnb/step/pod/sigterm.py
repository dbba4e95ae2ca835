"""What a pod does when it is asked to end, which it has half a minute for."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator

from kfnb.step.pod.retry import Retries

GRACE = 25.0
"""Seconds in which all has to be in the store."""

STEP_GRACE = 14.0
"""Seconds of it that the step has to stop its cell and to save its notebook."""


class TerminationRequested(BaseException):
    """SIGTERM came; no ``except Exception`` of a library is to swallow it."""


class TerminationHandler:
    """Handles SIGTERM and SIGINT for as long as :meth:`handled` lasts.

    A container's first process ignores them otherwise, until it is killed. While nothing
    executes yet an exception says it; the step's process is told of it, and killed if it
    takes long; what is being taken away by then is taken away.
    """

    def __init__(self, patience: Retries) -> None:
        self.asked = False
        self._patience = patience
        self._raises = False
        self._process: subprocess.Popen[bytes] | None = None

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Handle the signals."""
        handlers = {signal.SIGTERM: self._end, signal.SIGINT: self._end, signal.SIGALRM: self._kill}
        before = {number: signal.signal(number, handle) for number, handle in handlers.items()}
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def by_exception(self) -> Iterator[None]:
        """Raise :class:`TerminationRequested` where the signal comes, or if it has come."""
        self._raises = True
        try:
            if self.asked:
                raise TerminationRequested
            yield
        finally:
            self._raises = False

    @contextlib.contextmanager
    def by_stopping(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """End a process when the signal comes, or if it has come."""
        self._process = process
        if self.asked:
            self._stop(process)
        try:
            yield
        finally:
            self._process = None
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _end(self, _number: int, _frame: object) -> None:
        if self.asked:
            return
        self.asked = True
        self._patience.end_by(time.monotonic() + GRACE)
        if self._process is not None:
            self._stop(self._process)
        elif self._raises:
            raise TerminationRequested

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.terminate()
            signal.setitimer(signal.ITIMER_REAL, STEP_GRACE)

    def _kill(self, _number: int, _frame: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
