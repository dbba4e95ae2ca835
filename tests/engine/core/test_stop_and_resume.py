from __future__ import annotations

from kfnb.engine.core.commands import Stop
from kfnb.engine.core.event_types import AttemptFailed
from kfnb.pipeline import Pipeline
from tests.engine.pretend_driver import Driver, chain, pipeline, result, sources, step


def with_exit() -> Pipeline:
    return pipeline(
        step("clean up", "v0 v1"), step("s0", "", "v0"), step("s1", "v0", "v1"), on_exit="clean up"
    )


def test_stop_cancels_what_runs_and_what_waits() -> None:
    run = Driver(chain(3))
    run.turn()
    run.succeed("s0")
    run.emit("StopRequested")
    run.turn()
    assert run.stops == [Stop("s1", "", 1, "cancel")]
    run.obey()
    assert run.statuses() == {"s0": "succeeded", "s1": "cancelled", "s2": "cancelled"}
    assert run.status == "cancelled"
    assert run.types()[-1] == "RunCancelled"


def test_a_step_that_finishes_while_it_is_being_stopped_is_done() -> None:
    run = Driver(chain(2))
    run.turn()
    run.emit("StopRequested")
    run.turn()
    run.succeed("s0")
    assert run.statuses() == {"s0": "succeeded", "s1": "cancelled"}
    assert run.status == "cancelled"


def test_a_stop_that_comes_when_all_is_done_changes_nothing() -> None:
    run = Driver(chain(1))
    run.turn()
    attempt = run.running.pop("s0")
    run.emit("StepSucceeded", "s0", result(["v0"]), attempt)
    run.emit("StopRequested")
    run.turn()
    assert run.status == "succeeded"


def test_no_retry_after_a_stop() -> None:
    run = Driver(chain(1), retries=3)
    run.turn()
    run.fail("s0")
    run.emit("StopRequested")
    run.turn()
    assert run.statuses() == {"s0": "cancelled"}
    assert run.engine.state.steps["s0", ""].error == AttemptFailed(kind="user")


def test_the_exit_step_executes_when_everything_else_has_ended() -> None:
    run = Driver(with_exit(), parallel=4)
    run.turn()
    run.succeed("s0")
    assert list(run.running) == ["s1"]
    run.succeed("s1")
    assert list(run.running) == ["clean up"]
    assert run.prepared[-1].inputs == sources({"v0": "s0", "v1": "s1"})
    run.succeed("clean up")
    assert run.status == "succeeded"


def test_the_exit_step_executes_after_a_failure_without_what_is_missing() -> None:
    run = Driver(with_exit())
    run.turn()
    run.succeed("s0")
    run.fail("s1")
    assert run.prepared[-1].inputs == sources({"v0": "s0", "v1": None})
    run.succeed("clean up")
    assert run.status == "failed"


def test_the_exit_step_executes_after_a_stop_and_the_run_is_cancelled() -> None:
    run = Driver(with_exit())
    run.turn()
    run.emit("StopRequested")
    run.obey()
    assert list(run.running) == ["clean up"]
    run.succeed("clean up")
    assert run.status == "cancelled"


def test_an_exit_step_that_fails_makes_the_run_failed() -> None:
    for stop in (False, True):
        run = Driver(with_exit())
        run.turn()
        if stop:
            run.emit("StopRequested")
            run.obey()
        else:
            run.succeed("s0")
            run.succeed("s1")
        run.fail("clean up")
        assert run.status == "failed"


def test_the_exit_step_is_retried_like_any_other() -> None:
    run = Driver(with_exit(), retries=1)
    run.turn()
    run.succeed("s0")
    run.succeed("s1")
    run.fail("clean up")
    assert run.wake == run.now + 1
    run.wait()
    assert run.running == {"clean up": 2}


def test_a_stop_ends_an_exit_step_that_executes() -> None:
    run = Driver(with_exit())
    run.turn()
    run.succeed("s0")
    run.succeed("s1")
    run.emit("StopRequested")
    run.obey()
    assert run.statuses()["clean up"] == "cancelled"
    assert run.status == "cancelled"


def test_a_second_stop_leaves_out_the_exit_step() -> None:
    run = Driver(with_exit())
    run.turn()
    run.emit("StopRequested")
    run.emit("StopRequested")
    run.obey()
    assert set(run.statuses().values()) == {"cancelled"}


def test_the_exit_step_does_not_come_from_the_cache() -> None:
    run = Driver(with_exit())
    run.cached = {name: result([]) for name in ("s0", "s1", "clean up")}
    run.turn()
    assert list(run.running) == ["clean up"]


def test_what_reads_from_the_exit_step_goes_without() -> None:
    run = Driver(pipeline(step("end", "", "v"), step("a", "v"), on_exit="end"))
    run.turn()
    assert list(run.running) == ["a"]
    assert run.prepared[0].inputs == sources({"v": None})


def test_resume_repeats_what_failed_and_keeps_what_is_done() -> None:
    run = Driver(chain(3), retries=1)
    run.turn()
    run.succeed("s0")
    run.fail("s1")
    run.wait()
    run.fail("s1")
    assert run.status == "failed"
    run.resume()
    assert run.status == "running"
    assert run.running == {"s1": 3}, "attempts are counted on"
    run.fail("s1")
    run.wait()
    assert run.running == {"s1": 4}, "retries are fresh"
    run.succeed("s1")
    run.succeed("s2")
    assert run.status == "succeeded"
    assert run.types("s0").count("AttemptStarted") == 1


def test_resuming_a_stopped_run_continues_it() -> None:
    run = Driver(chain(2))
    run.turn()
    run.emit("StopRequested")
    run.obey()
    run.resume()
    run.succeed("s0")
    run.succeed("s1")
    assert run.status == "succeeded"


def test_resume_of_a_succeeded_run_executes_nothing() -> None:
    run = Driver(with_exit())
    run.turn()
    for name in ("s0", "s1", "clean up"):
        run.succeed(name)
    run.resume()
    assert run.status == "succeeded"
    assert not run.running


def test_resume_may_change_settings() -> None:
    run = Driver(pipeline(step("a"), step("b")), parallel=1)
    run.turn()
    run.emit("RunResumed", data={"settings": {"parallel": 2}})
    run.turn()
    assert list(run.running) == ["a", "b"]


def test_after_a_resume_the_exit_step_executes_for_the_new_end() -> None:
    run = Driver(with_exit())
    run.turn()
    run.fail("s0")
    run.succeed("clean up")
    run.resume()
    assert list(run.running) == ["s0"]
    run.succeed("s0")
    run.succeed("s1")
    assert run.running == {"clean up": 2}
    assert run.prepared[-1].step == "clean up"
    assert run.prepared[-1].inputs == sources({"v0": "s0", "v1": "s1"})
    run.succeed("clean up")
    assert run.status == "succeeded"


def test_an_exit_step_that_a_resume_overtakes_executes_again_whatever_becomes_of_it() -> None:
    for ending in ("succeed", "fail"):
        run = Driver(with_exit(), parallel=2)
        run.turn()
        run.fail("s0")
        run.resume()
        assert set(run.running) == {"clean up", "s0"}
        getattr(run, ending)("clean up")
        assert run.statuses()["clean up"] == "pending"
        run.succeed("s0")
        run.succeed("s1")
        assert run.running == {"clean up": 2}
        run.succeed("clean up")
        assert run.status == "succeeded"


def test_a_new_driver_knows_which_attempts_have_not_ended() -> None:
    run = Driver(chain(2))
    run.turn()
    run.engine = run.replayed()
    assert run.engine.active() == [("s0", "", 1)]
    run.emit("DriverStarted", data={"pid": 2})
    run.fail("s0", "infrastructure", summary="driver lost")
    assert run.engine.active() == []
    run.wait()
    assert run.running == {"s0": 2}


def test_a_new_driver_continues_to_stop() -> None:
    run = Driver(chain(2))
    run.turn()
    run.emit("StopRequested")
    run.engine = run.replayed()
    run.obey()
    assert run.status == "cancelled"
