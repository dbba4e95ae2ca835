"""Samples of memory and CPU time, and the memory limit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil

from kfnb.step.kernels.resource_sampler import Sampler, children_usage, tree_sample, unshared
from tests.waiting import wait_until


def test_the_sampler_sees_descendants_and_reports_excess_once() -> None:
    code = "import subprocess, sys, time\nx = b'x' * (60 << 20)\nsubprocess.run(['sleep', '600'])"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    exceeded: list[int] = []
    sampler = Sampler(process.pid, limit=40 << 20, report=lambda _: None, exceeded=exceeded.append)
    sampler.start()
    try:
        wait_until(lambda: exceeded, "the excess is reported")
        wait_until(lambda: psutil.Process(process.pid).children(), "the child starts")
        sample = tree_sample(process.pid)
        assert sample is not None
        assert sample.memory > 60 << 20
        assert sample.threads >= 2
        assert len(exceeded) == 1
        assert 60 << 20 < unshared(process.pid) <= sample.memory
        assert sampler.peak >= exceeded[0]
        assert sampler.mean > 0
    finally:
        sampler.stop()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert tree_sample(process.pid) is None
    peak, cpu = children_usage()
    assert peak > 0
    assert cpu > 0
