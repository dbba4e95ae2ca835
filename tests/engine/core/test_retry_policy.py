from __future__ import annotations

import pytest

from kfnb.engine.core.event_types import FailureClass
from kfnb.engine.core.retry_policy import delay, judge
from kfnb.engine.core.settings import Settings
from kfnb.pipeline import Options
from tests.engine.pretend_driver import Driver, chain, pipeline, step


def test_waiting_doubles_up_to_the_cap() -> None:
    settings = Settings(backoff=1, backoff_cap=10)
    assert [delay(n, settings) for n in range(1, 7)] == [1, 2, 4, 8, 10, 10]
    assert delay(100_000, settings) == 10


@pytest.mark.parametrize("kind", ["user", "memory", "disk", "timeout"])
def test_failures_of_the_step_itself_use_its_retries(kind: str) -> None:
    run = Driver(chain(1), retries=2, backoff=4)
    run.turn()
    waits = []
    while run.status == "running":
        run.fail("s0", kind)
        if run.wake is not None:
            waits.append(run.wake - run.now)
            run.wait()
    assert waits == [4, 8]
    assert [(d["class"], d["attempts"]) for d in run.data("StepFailed")] == [(kind, 3)]


def test_a_retry_does_not_come_early() -> None:
    run = Driver(chain(1), retries=1)
    run.turn()
    run.fail("s0")
    run.now += 0.5
    run.turn()
    assert not run.running
    run.now += 0.5
    run.turn()
    assert run.running == {"s0": 2}


def test_a_retry_still_comes_when_the_clock_was_put_back_and_forth() -> None:
    run = Driver(chain(1), retries=1)
    run.turn()
    run.fail("s0")
    due = run.now + 1
    run.engine.decide(due)
    run.now -= 100
    run.turn()
    assert not run.running
    assert run.wake == due
    run.wait()
    assert run.running == {"s0": 2}


def test_a_step_says_its_own_retries() -> None:
    run = Driver(pipeline(step("a", options=Options(retries=0)), step("b")), parallel=2, retries=1)
    run.turn()
    run.fail("a")
    run.fail("b")
    assert run.statuses() == {"a": "failed", "b": "pending"}
    assert run.engine.state.steps["b", ""].retry_at is not None


def test_infrastructure_has_five_separate_retries() -> None:
    run = Driver(chain(1), retries=1)
    run.turn()
    for _ in range(5):
        run.fail("s0", "infrastructure")
        run.wait()
    run.fail("s0", "user")
    run.wait()
    assert run.running == {"s0": 7}
    run.fail("s0", "infrastructure")
    assert run.status == "failed"


def test_other_steps_use_the_place_of_one_that_waits_for_its_retry() -> None:
    run = Driver(pipeline(step("a"), step("b")), retries=1)
    run.turn()
    run.fail("a")
    assert list(run.running) == ["b"]


@pytest.mark.parametrize(
    ("kind", "asked", "overdue", "expected"),
    [
        ("cancelled", True, False, "cancelled"),
        ("cancelled", True, True, "cancelled"),
        ("cancelled", False, True, "own"),
        ("cancelled", False, False, "infrastructure"),
        ("user", True, False, "own"),
        ("configuration", False, False, "permanent"),
    ],
)
def test_each_failure_uses_the_right_retry_budget(
    kind: FailureClass, asked: bool, overdue: bool, expected: str
) -> None:
    assert judge(kind, asked=asked, overdue=overdue) == expected
