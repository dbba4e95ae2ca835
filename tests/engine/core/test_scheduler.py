from __future__ import annotations

from kfnb.engine.core.commands import Prepare, Start, Stop
from kfnb.engine.core.settings import Settings
from kfnb.pipeline import Options
from tests.engine.pretend_driver import Driver, chain, pipeline, result, sources, step


def diamond(**options: Options) -> Driver:
    none = Options()
    return Driver(
        pipeline(
            step("load", "", "d", options=options.get("load", none)),
            step("a", "d", "x", options=options.get("a", none)),
            step("b", "d", "y", options=options.get("b", none)),
            step("join", "x y", "z", options=options.get("join", none)),
        ),
        parallel=2,
    )


def test_steps_start_when_what_they_read_is_there() -> None:
    run = diamond()
    run.turn()
    assert list(run.running) == ["load"]
    run.succeed("load")
    assert list(run.running) == ["a", "b"]
    run.succeed("b")
    assert list(run.running) == ["a"]
    run.succeed("a")
    run.succeed("join")
    assert run.status == "succeeded"
    assert run.types()[-1] == "RunFinished"
    assert run.engine.decide(run.now) == []


def test_prepare_names_the_producer_of_each_input() -> None:
    run = diamond()
    run.turn()
    run.succeed("load")
    run.succeed("a")
    run.succeed("b")
    assert run.prepared[-1] == Prepare("join", "", sources({"x": "a", "y": "b"}))


def test_a_pipeline_without_steps_succeeds() -> None:
    run = Driver(pipeline())
    run.turn()
    assert run.status == "succeeded"


def test_no_more_attempts_than_allowed_at_once_and_the_longest_way_first() -> None:
    run = Driver(
        pipeline(step("w0"), step("w1"), step("w2"), step("long", "", "v"), step("end", "v")),
        parallel=2,
    )
    run.turn()
    assert list(run.running) == ["long", "w0"]
    run.succeed("w0")
    assert list(run.running) == ["long", "w1"]


def test_cached_steps_need_no_free_place() -> None:
    run = diamond()
    run.cached = {name: result(["x"]) for name in ("a", "load")}
    run.turn()
    assert run.statuses()["a"] == "cached"
    assert list(run.running) == ["b"]


def test_a_step_found_in_the_cache_is_not_started() -> None:
    run = Driver(chain(2))
    run.cached = {"s0": result(["v0"]), "s1": result(["v1"])}
    asked = run.turn()
    assert run.status == "succeeded"
    assert not any(isinstance(command, Start) for command in asked)


def test_the_cache_is_not_looked_into_where_it_is_off() -> None:
    off = Options(cache=False)
    run = Driver(pipeline(step("a", options=off), step("b"), step("c")), force=("b",))
    run.turn()
    assert {p.step: p.cache for p in run.prepared} == {"a": False, "b": False, "c": True}


def test_no_cache_for_the_whole_run_beats_a_step_that_wants_it() -> None:
    run = Driver(pipeline(step("a", options=Options(cache=True))), cache=False)
    run.turn()
    assert not run.prepared[0].cache


def test_a_user_error_is_final_without_retries() -> None:
    run = Driver(chain(2))
    run.turn()
    run.fail("s0", ename="ValueError", cell=3)
    assert run.statuses() == {"s0": "failed", "s1": "skipped"}
    assert run.data("StepFailed")[0]["ename"] == "ValueError"
    assert run.data("StepSkipped") == [{"reason": 'step "s0" failed', "because": "s0"}]
    assert run.status == "failed"
    assert run.data("RunFinished")[0]["error"]["step"] == "s0"


def test_steps_that_do_not_depend_on_a_failed_step_continue() -> None:
    run = diamond()
    run.turn()
    run.succeed("load")
    run.fail("a")
    assert list(run.running) == ["b"]
    run.succeed("b")
    assert run.statuses() == {
        "load": "succeeded",
        "a": "failed",
        "b": "succeeded",
        "join": "skipped",
    }
    assert run.status == "failed"


def test_the_reason_for_skipping_is_the_first_failure_all_the_way_down() -> None:
    run = Driver(chain(4))
    run.turn()
    run.fail("s0")
    assert {d["reason"] for d in run.data("StepSkipped")} == {'step "s0" failed'}


def test_stop_at_the_first_failure_ends_everything() -> None:
    run = Driver(
        pipeline(step("a"), step("b"), step("c"), step("d")), parallel=2, on_failure="stop"
    )
    run.turn()
    run.fail("a")
    assert run.stops == [Stop("b", "", 1, "cancel")]
    run.obey()
    assert run.statuses() == {"a": "failed", "b": "cancelled", "c": "skipped", "d": "skipped"}
    assert run.status == "failed"


def test_a_configuration_that_cannot_work_is_not_tried_again() -> None:
    run = Driver(chain(1), retries=5)
    run.turn()
    run.fail("s0", "configuration")
    assert run.statuses() == {"s0": "failed"}


def test_a_step_that_cannot_be_prepared_fails() -> None:
    run = Driver(chain(2))
    (prepare,) = run.engine.decide(run.now)
    assert isinstance(prepare, Prepare)
    run.emit("StepFailed", "s0", {"class": "configuration", "summary": "no such file"})
    run.turn()
    assert run.statuses() == {"s0": "failed", "s1": "skipped"}


def test_the_result_of_an_attempt_that_was_thought_lost_counts() -> None:
    run = Driver(chain(2), parallel=4)
    run.turn()
    run.fail("s0", "infrastructure")
    run.wait()
    assert run.running == {"s0": 2}
    run.emit("StepSucceeded", "s0", result(["v0"]), 1)
    run.turn()
    assert run.statuses()["s0"] == "succeeded"
    assert run.stops == [Stop("s0", "", 2, "superseded")]
    run.emit("StepSucceeded", "s0", result(["v0"]), 2)
    run.running.pop("s0")
    run.turn()
    assert run.stops == []
    assert run.engine.state.steps["s0", ""].attempts == 2


def test_a_run_does_not_end_before_its_attempts_have() -> None:
    run = Driver(chain(1))
    run.turn()
    run.fail("s0", "infrastructure")
    run.wait()
    run.emit("StepSucceeded", "s0", result(["v0"]), 1)
    run.turn()
    assert run.status == "running"
    run.obey()
    assert run.status == "succeeded"


def test_late_and_repeated_events_change_nothing() -> None:
    run = Driver(chain(2))
    run.turn()
    run.succeed("s0")
    before = run.engine.state.steps["s0", ""]
    status, attempts = before.status, before.attempts
    for kind, data in [("StepSucceeded", result(["v0"])), ("AttemptFailed", {"class": "user"})]:
        run.emit(kind, "s0", data, 1)
    run.emit("StepReady", "s0", {"inputs": {}})
    run.emit("AttemptStarted", "s0", {}, 1)
    assert (before.status, before.attempts, before.active) == (status, attempts, 0)


def test_an_attempt_that_runs_over_its_time_and_grace_is_stopped() -> None:
    options = Options(timeout=10)
    run = Driver(pipeline(step("a", options=options)), timeout_grace=5, retries=1)
    asked = run.turn()
    assert next(c for c in asked if isinstance(c, Start)).timeout == 10
    assert run.wake == run.now + 15
    run.now += 8
    run.emit("CellStarted", "a", {"cell": 0, "position": 0, "total": 1}, 1)
    run.turn()
    assert run.wake == run.now + 15, "the time counts from the first cell"
    run.wait()
    assert run.stops == [Stop("a", "", 1, "timeout")]
    run.fail("a", "cancelled")
    assert run.engine.state.steps["a", ""].failure.kind == "timeout"
    run.wait()
    assert run.running == {"a": 2}, "a timeout uses the step's retries"


def test_limits_are_the_steps_then_the_runs_then_the_notebooks() -> None:
    plan = pipeline(
        step("own", options=Options(timeout=1)),
        step("none", options=Options(timeout=0)),
        step("other"),
        defaults=Options(timeout=3),
    )
    for settings, expected in [({"timeout": 2}, [1, None, 2]), ({}, [1, None, 3])]:
        run = Driver(plan, parallel=3, **settings)
        starts = [c for c in run.turn() if isinstance(c, Start)]
        assert [s.timeout for s in starts] == expected


def test_settings_survive_the_journal() -> None:
    settings = Settings(parallel=3, force=("a",), on_mutation="warn")
    assert Settings().changed(settings.to_plain()) == settings
    assert Settings().changed({"of a later version": 1}) == Settings()
