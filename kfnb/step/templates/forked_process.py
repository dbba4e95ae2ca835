"""A forked kernel with the interface of ``subprocess.Popen``, which jupyter_client expects.

The process is a child of its template, not of this one: its exit status comes from the source of
kernels, its end is seen through a descriptor of the process.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time

from kfnb.step.templates.kernel_source import KernelEnd, KernelSource

_REPORT_TIMEOUT = 2.0
"""Seconds within which the status of a process that has ended must be reported."""


class ForkedProcess:
    """A running kernel that ``source`` has forked."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, source: KernelSource) -> None:
        self.pid = pid
        self.end: KernelEnd | None = None
        self._source = source
        self._ended_at: float | None = None
        try:
            self._pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._pidfd = -1

    @property
    def returncode(self) -> int | None:
        """The exit code, a signal as a negative number; None while it runs."""
        return self.end.status if self.end else None

    def poll(self) -> int | None:
        """Return the exit code if the process has ended."""
        if self.end is None:
            self.end = self._source.kernel_ended(self.pid)
        if self.end is None and self._has_ended():
            self._ended_at = self._ended_at or time.monotonic()
            if time.monotonic() > self._ended_at + _REPORT_TIMEOUT:
                # Its template has ended with it.
                self.end = KernelEnd(-int(signal.SIGKILL))
        if self.end is not None and self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} runs")
            time.sleep(0.005)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None and self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _has_ended(self) -> bool:
        if self._pidfd < 0:
            return True
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(0))
