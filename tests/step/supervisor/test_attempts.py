"""Limits that the supervisor enforces if the step process does not."""

from __future__ import annotations

import os

import pytest

from kfnb.step.supervisor import attempts
from kfnb.step.supervisor.attempts import MEMORY, TIMEOUT, Limits
from tests.waiting import wait_until


def own_process() -> list[int]:
    return [os.getpid()]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_INTERVAL", 0.01)
    monkeypatch.setattr(attempts, "_GRACE", 0.05)


def test_memory_beyond_the_limit_for_some_time_is_too_much() -> None:
    own = Limits(seconds=None, memory=1)
    assert own.deadline() is not None
    assert own.exceeded(own_process) is None, "the step process has time to end it"
    assert wait_until(lambda: own.exceeded(own_process)) == MEMORY


def test_memory_within_the_limit_and_a_kernel_that_has_ended_are_fine() -> None:
    assert Limits(seconds=None, memory=1 << 50).exceeded(own_process) is None
    gone = Limits(seconds=None, memory=1)
    wait_until(lambda: gone.deadline() is not None)
    assert gone.exceeded(list) is None


def test_time_is_over_after_the_limit_and_the_grace() -> None:
    assert wait_until(lambda: Limits(seconds=-1, memory=None).exceeded(list)) == TIMEOUT
    endless = Limits(seconds=None, memory=None)
    assert endless.deadline() is None
    assert endless.exceeded(own_process) is None
