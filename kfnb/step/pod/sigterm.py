"""What a pod does when Kubernetes stops it: it has half a minute to save the step's results."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator

from kfnb.step.pod.retry import Retries

GRACE = 25.0
"""Seconds after the signal within which everything must be in the store."""

STEP_GRACE = 14.0
"""Seconds of :data:`GRACE` in which the step must stop its cell and save its notebook."""


class TerminationRequested(BaseException):
    """SIGTERM arrived. Not an ``Exception``, so that no library swallows it."""


class TerminationHandler:
    """Handles SIGTERM and SIGINT within :meth:`handled`.

    The first process of a container ignores these signals unless it handles them. Before the step
    executes, the signal raises an exception; while it executes, the signal is passed on to its
    process, which is killed if it takes too long; afterwards, uploads are completed.
    """

    def __init__(self, retries: Retries) -> None:
        self.requested = False
        self._retries = retries
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
            # With its default handler, SIGALRM would end this process.
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def by_exception(self) -> Iterator[None]:
        """Raise :class:`TerminationRequested` when the signal arrives, or if it has arrived."""
        self._raises = True
        try:
            if self.requested:
                raise TerminationRequested
            yield
        finally:
            self._raises = False

    @contextlib.contextmanager
    def by_stopping(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Stop a process when the signal arrives, or if it has arrived."""
        self._process = process
        if self.requested:
            self._stop(process)
        try:
            yield
        finally:
            self._process = None
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _end(self, _number: int, _frame: object) -> None:
        # A second signal must not extend the time that began with the first.
        if self.requested:
            return
        self.requested = True
        self._retries.end_by(time.monotonic() + GRACE)
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
