"""Requests to stop, from threads and signals."""

from __future__ import annotations

import asyncio
import signal
import threading

import pytest

from kfnb.step.execution.stop_requests import Stopped, StopRequest, cancelled_by_signals
from tests.waiting import PATIENCE


def test_the_first_reason_to_stop_counts() -> None:
    control = StopRequest()
    control.check()
    control.stop("memory", "5Gi")
    control.stop("cancelled")
    with pytest.raises(Stopped) as stopped:
        control.check()
    assert (stopped.value.reason, stopped.value.detail) == ("memory", "5Gi")


def test_a_stop_wakes_the_loop_from_threads_and_signals() -> None:
    control = StopRequest()

    async def wait() -> None:
        threading.Timer(0.05, control.stop, ["timeout"]).start()
        await asyncio.wait_for(control.asked(), PATIENCE)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(control.asked(times=2), PATIENCE)

    with cancelled_by_signals(control):
        asyncio.run(wait())
    assert control.reason == "timeout"
