"""When a step has settled, and what a step tagged ``once`` makes of it."""

from __future__ import annotations

from kfnb.engine.core.identity import Source
from kfnb.pipeline import Options, Pipeline
from tests.engine.pretend_driver import Driver, chain, pipeline, result, sources, step

ONCE = Options(once=True, retries=3)


def sends() -> Pipeline:
    return pipeline(step("slow"), step("quick"), step("send", options=ONCE), step("other"))


def settled(run: Driver) -> list[bool]:
    return [run.engine.settled(n) for n in range(len(run.plan.keys))]


def void(run: Driver, *names: str, number: int = 1) -> None:
    voids = [[name, "", number] for name in names]
    data = {"target": [names[0], ""], "because": "it read an older value", "voids": voids}
    run.emit("StepInvalidated", names[0], data)


def test_a_step_is_settled_when_all_before_it_are_done_in_any_order() -> None:
    run = Driver(sends(), parallel=4)
    run.turn()
    assert settled(run) == [True, False, False, False]
    run.succeed("quick")
    assert settled(run) == [True, False, False, False]
    run.succeed("slow")
    assert settled(run) == [True, True, True, False]


def test_a_step_that_is_begun_anew_unsettles_those_after_it() -> None:
    run = Driver(chain(3))
    run.turn()
    run.succeed("s0")
    run.succeed("s1")
    assert settled(run) == [True, True, True]
    void(run, "s1", "s2")
    assert settled(run) == [True, True, False]
    run.obey()
    run.succeed("s1")
    assert settled(run) == [True, True, True]
    assert run.replayed().settled(2)


def test_an_old_attempt_that_is_alive_keeps_later_steps_from_settling() -> None:
    run = Driver(pipeline(step("a"), step("b")), parallel=2)
    run.turn()
    run.emit("AttemptFailed", "a", {"class": "infrastructure"}, run.running.pop("a"))
    run.turn()
    run.wait()
    run.emit("StepSucceeded", "a", result(), 1)  # the attempt that was believed to be lost
    assert run.engine.state.steps["a", ""].active == 2
    assert not run.engine.settled(1)
    run.emit("AttemptFailed", "a", {"class": "cancelled"}, 2)
    assert run.engine.settled(1)


def test_a_step_that_must_not_happen_twice_starts_when_it_is_settled() -> None:
    run = Driver(sends(), parallel=4)
    run.turn()
    assert set(run.running) == {"slow", "quick", "other"}
    run.succeed("quick")
    assert "send" not in run.running
    run.succeed("slow")
    assert "send" in run.running
    run.succeed("send")
    run.succeed("other")
    assert run.status == "succeeded"


def test_it_is_not_tried_again_after_its_first_cell_began_whatever_the_failure() -> None:
    for kind in ("user", "infrastructure", "timeout", "cancelled"):
        run = Driver(pipeline(step("send", options=ONCE)))
        run.turn()
        run.emit("CellStarted", "send", {"cell": 0, "position": 0, "total": 1}, 1)
        run.fail("send", kind)
        assert run.statuses() == {"send": "failed"}, kind


def test_it_is_tried_again_where_no_cell_can_have_begun() -> None:
    run = Driver(pipeline(step("send", options=ONCE)))
    run.turn()
    run.fail("send", "infrastructure")
    run.wait()
    assert run.running == {"send": 2}
    run.fail("send", "infrastructure", began=True)  # its runner does not know better
    assert run.statuses() == {"send": "failed"}


def test_behind_a_step_that_failed_it_is_skipped_and_says_why() -> None:
    run = Driver(sends(), parallel=4)
    run.turn()
    run.fail("slow")
    run.succeed("quick")
    run.succeed("other")
    assert run.statuses()["send"] == "skipped"
    assert "starts only after all earlier steps have" in str(run.data("StepSkipped")[0]["reason"])
    assert run.status == "failed"


def test_an_invalidated_step_executes_again_and_takes_back_what_it_added() -> None:
    run = Driver(chain(2), parallel=2)
    run.turn()
    run.emit("MetricLogged", "s0", {"name": "loss", "value": 1}, 1)
    run.succeed("s0")
    void(run, "s0", "s1")
    mine = run.engine.state.steps["s0", ""]
    assert (mine.status, mine.round, mine.outputs, run.engine.state.metrics) == (
        "pending",
        1,
        {},
        {},
    )
    run.obey()
    assert run.running == {"s0": 2}
    run.succeed("s0")
    given = run.prepared[-1]
    assert (given.step, given.round) == ("s1", 1)
    assert given.inputs == {"v0": Source("s0", "", 1)}
    run.succeed("s1")
    assert run.status == "succeeded"


def test_a_late_commit_of_an_earlier_round_is_ignored() -> None:
    run = Driver(chain(1))
    run.turn()
    void(run, "s0")
    run.emit("StepSucceeded", "s0", result(["v0"]), 1, 0)
    mine = run.engine.state.steps["s0", ""]
    assert (mine.status, mine.active) == ("pending", 0)
    run.turn()
    assert run.running == {"s0": 2}


def test_what_was_skipped_because_of_a_failure_waits_again_when_the_failure_is_void() -> None:
    run = Driver(pipeline(step("a", "", "v"), step("b", "v"), step("c")), parallel=2)
    run.turn()
    run.fail("a")
    assert run.statuses() == {"a": "failed", "b": "skipped", "c": "running"}
    void(run, "a")
    assert run.statuses() == {"a": "pending", "b": "pending", "c": "running"}
    run.turn()
    run.succeed("a")
    run.succeed("b")
    run.succeed("c")
    assert run.status == "succeeded"


def test_older_journals_name_only_the_producing_step() -> None:
    run = Driver(chain(2))
    run.turn()
    run.succeed("s0")
    run.engine = run.replayed()
    run.events.pop()
    run.engine = run.replayed()
    run.emit("StepReady", "s1", {"inputs": {"v0": "s0"}})
    mine = run.engine.state.steps["s1", ""]
    assert (mine.ready, mine.inputs) == (True, sources({"v0": "s0"}))
