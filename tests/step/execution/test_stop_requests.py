"""Requests to stop, from threads and signals."""

from __future__ import annotations

import asyncio
import signal
import threading

import pytest

from kfnb.step.execution.stop_requests import Stopped, StopRequest, cancelled_by_signals
from tests.waiting import PATIENCE


def test_the_first_reason_to_stop_counts() -> None:
    stop = StopRequest()
    stop.check()
    stop.request("memory", "5Gi")
    stop.request("cancelled")
    with pytest.raises(Stopped) as stopped:
        stop.check()
    assert (stopped.value.reason, stopped.value.detail) == ("memory", "5Gi")


def test_a_stop_wakes_the_loop_from_threads_and_signals() -> None:
    stop = StopRequest()

    async def wait() -> None:
        threading.Timer(0.05, stop.request, ["timeout"]).start()
        await asyncio.wait_for(stop.requested(), PATIENCE)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(stop.requested(times=2), PATIENCE)

    with cancelled_by_signals(stop):
        asyncio.run(wait())
    assert stop.reason == "timeout"
