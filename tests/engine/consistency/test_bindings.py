"""What only the run can see of values, case by case."""

from __future__ import annotations

from kfnb.engine.core.commands import Record, Stop
from kfnb.pipeline import Options
from tests.engine.pretend_driver import Driver, pipeline, result, sources, step


def bundled(*names: str, changed: str = "") -> dict[str, object]:
    """Outputs that were published in one bundle; of these, ``changed`` (words) were changed."""
    given = changed.split()
    return {name: {"bundle": "together", "hash": "h", "changed": name in given} for name in names}


def edges(run: Driver) -> list[tuple[str, str, list[str]]]:
    return [(d["source"], d["target"], d["names"]) for d in run.data("EdgeAdded")]


def hidden_change(**settings: str) -> Driver:
    """`clean` changes d although its source does not show it; `plot` reads d after it."""
    run = Driver(
        pipeline(step("load", "", "d"), step("clean", "d", "c"), step("plot", "d")),
        parallel=2,
        **settings,
    )
    run.turn()
    run.succeed("load")
    return run


def test_a_reader_that_has_not_begun_gets_the_changed_value() -> None:
    run = Driver(
        pipeline(step("load", "", "d"), step("clean", "d", "c"), step("plot", "d")), parallel=1
    )
    run.turn()
    run.succeed("load")
    run.succeed("clean", ["c", "d"], unexpected={"d": "changed in place"})
    assert edges(run) == [("clean", "plot", ["d"])]
    assert run.prepared[-1].inputs == sources({"d": "clean"})
    (warning,) = run.data("Warning")
    assert warning["code"] == "KFNB-W606"
    assert "changes:d" in warning["remedy"]
    run.succeed("plot")
    assert run.status == "succeeded"


def test_a_reader_that_had_begun_begins_anew_with_the_changed_value() -> None:
    run = hidden_change()
    run.succeed("clean", ["c", "d"], unexpected={"d": "changed in place"})
    assert run.statuses()["plot"] == "pending"
    assert run.stops == [Stop("plot", "", 1, "superseded")]
    (event,) = run.data("StepInvalidated")
    assert event["target"] == ["plot", ""]
    assert event["voids"] == [["plot", "", 1]]
    assert '"plot" started before step "clean" had changed "d"' in event["because"]
    assert 'step "clean" with changes:d' in event["remedy"]
    run.obey()
    assert run.prepared[-1].inputs == sources({"d": "clean"})
    assert run.prepared[-1].again == event["because"]
    run.succeed("plot")
    assert run.status == "succeeded"
    assert run.data("StepFailed") == []


def test_all_that_used_the_result_of_a_reader_that_was_done_begin_anew_with_it() -> None:
    run = Driver(
        pipeline(
            step("load", "", "d"),
            step("clean", "d", "c"),
            step("fit", "d", "m"),
            step("score", "m", "s"),
            step("report", "s"),
            step("other", "c"),
        ),
        parallel=2,
    )
    run.turn()
    for name in ("load", "fit", "score"):
        run.succeed(name)
    run.succeed("clean", ["c", "d"], unexpected={"d": "changed in place"})
    run.obey()
    (event,) = run.data("StepInvalidated")
    voids = [["fit", "", 1], ["score", "", 1], ["report", "", 1]]
    assert event["voids"] == voids
    # The step that used nothing of them goes on.
    assert set(run.running) == {"fit", "other"}
    assert run.prepared[-2].inputs == sources({"d": "clean"}) or run.prepared[-1].inputs == sources(
        {"d": "clean"}
    )
    run.succeed("fit")
    assert run.prepared[-1].step == "score"
    assert run.prepared[-1].again == 'step "fit" was executed again'
    run.succeed("score")
    run.succeed("report")
    run.succeed("other")
    assert run.status == "succeeded"


def test_what_an_earlier_round_publishes_late_does_not_count() -> None:
    run = hidden_change()
    run.succeed("clean", ["c", "d"], unexpected={"d": "changed in place"})
    run.emit("StepSucceeded", "plot", result(), 1, round=0)
    run.turn()
    assert run.statuses()["plot"] == "running"
    assert run.engine.state.steps["plot", ""].attempts == 2


def test_a_step_that_was_begun_anew_twice_waits_until_all_before_it_have_ended() -> None:
    run = Driver(
        pipeline(
            step("load", "", "d"),
            *(step(f"change {n}", "d") for n in range(3)),
            step("plot", "d"),
        ),
        parallel=5,
    )
    run.turn()
    run.succeed("load")
    for n in range(2):
        run.succeed(f"change {n}", ["d"], unexpected={"d": "changed in place"})
        run.obey()
    assert run.engine.state.steps["plot", ""].round == 2
    # The changes before were voided by each other; what remains is executed in order.
    while others := sorted(set(run.running) - {"plot"}):
        assert "plot" not in run.running
        run.succeed(others[0], ["d"], unexpected={"d": "changed in place"})
        run.obey()
    assert list(run.running) == ["plot"]
    run.succeed("plot")
    assert run.status == "succeeded"
    assert run.engine.state.steps["plot", ""].attempts == 3


def test_effects_that_must_not_happen_twice_are_not_repeated() -> None:
    run = Driver(
        pipeline(
            step("load", "", "d"),
            step("fit", "d", "m"),
            step("send", "m", options=Options(once=True)),
            step("late", "", "", files_written="a.csv"),
        ),
        parallel=4,
    )
    run.turn()
    run.succeed("load")
    run.succeed("fit")
    run.succeed("send")
    run.emit("Warning", data={"message": "nothing"})
    run.succeed("late")
    assert run.status == "succeeded"


def test_a_name_that_was_published_again_unchanged_causes_no_finding() -> None:
    run = hidden_change()
    run.succeed("clean", ["c", "d="])
    run.succeed("plot")
    assert run.status == "succeeded"
    assert run.data("Warning") == []


def test_a_change_that_could_not_be_saved_fails_whoever_reads_it_later() -> None:
    run = Driver(pipeline(step("load", "", "d"), step("clean", "d"), step("plot", "d")))
    run.turn()
    run.succeed("load")
    run.succeed("clean", [], unexpected={"d": "holds a lock"})
    assert run.statuses()["plot"] == "failed"
    assert run.data("RunFinished")[0]["error"]["code"] == "KFNB-E602"


def test_a_retry_is_rebound_too() -> None:
    run = Driver(
        pipeline(step("load", "", "d"), step("clean", "d", "c"), step("plot", "d")),
        parallel=2,
        retries=1,
    )
    run.turn()
    run.succeed("load")
    run.fail("plot")
    run.succeed("clean", ["c", "d"], unexpected={"d": "changed in place"})
    run.wait()
    assert run.running == {"plot": 2}
    assert run.engine.state.steps["plot", ""].inputs == sources({"d": "clean"})


def test_steps_after_the_next_planned_producer_are_not_concerned() -> None:
    run = Driver(
        pipeline(
            step("load", "", "d"), step("clean", "d"), step("again", "", "d"), step("plot", "d")
        ),
        parallel=4,
    )
    run.turn()
    run.succeed("load")
    run.succeed("again")
    run.succeed("clean", ["d"], unexpected={"d": "changed in place"})
    run.succeed("plot")
    assert run.status == "succeeded"
    assert edges(run) == []


def aliases() -> Driver:
    """`make` gives b, which shares an object with a; `grow` changes a; `show` reads b."""
    return Driver(
        pipeline(
            step("first", "", "a"),
            step("make", "a", "b"),
            step("grow", "a", "a"),
            step("show", "b"),
        ),
        parallel=2,
    )


def test_readers_of_the_other_name_wait_for_steps_that_may_change_it() -> None:
    run = aliases()
    run.emit("RunResumed", data={"settings": {"parallel": 1}})
    run.turn()
    run.succeed("first")
    run.running.pop("make")
    data = {**result(), "outputs": bundled("a", "b", changed="b"), "aliases": [["a", "b"]]}
    run.emit("StepSucceeded", "make", data, 1)
    run.turn()
    assert edges(run) == [("make", "grow", ["a"]), ("grow", "show", ["b"])]
    assert run.running == {"grow": 1}
    assert run.prepared[-1].inputs == sources({"a": "make", "b": "make"}), "b comes along"
    run.running.pop("grow")
    data = {**result(), "outputs": bundled("a", "b", changed="a b"), "aliases": [["a", "b"]]}
    run.emit("StepSucceeded", "grow", data, 1)
    run.turn()
    assert run.prepared[-1].inputs == sources({"b": "grow"})
    run.succeed("show")
    assert run.status == "succeeded"


def test_an_alias_that_is_detected_too_late_is_changed_again() -> None:
    for order in (("make", "grow"), ("grow", "make")):
        run = aliases()
        run.turn()
        run.succeed("first")
        assert set(run.running) == {"make", "grow"}
        for name in order:
            run.running.pop(name)
            shared = name == "make"
            outputs = bundled("a", "b", changed="b") if shared else bundled("a", changed="a")
            data = {**result(), "outputs": outputs, "aliases": [["a", "b"]] if shared else []}
            run.emit("StepSucceeded", name, data, 1)
            run.turn()
        run.obey()
        (event,) = run.data("StepInvalidated")
        assert event["target"] == ["grow", ""]
        assert '"a" and "b" are the same object' in event["because"]
        assert 'step "grow" with changes:b' in event["remedy"]
        assert run.prepared[-1].inputs == sources({"a": "make", "b": "make"})


def test_two_names_that_part_are_two_again() -> None:
    run = Driver(
        pipeline(
            step("make", "", "a b"),
            step("part", "", "a"),
            step("grow", "a", "a"),
            step("show", "b"),
        ),
        parallel=4,
    )
    run.turn()
    run.succeed("make", aliases=[["a", "b"]])
    assert edges(run) == []
    assert "show" in run.running, "nobody it would have to wait for"


def test_a_name_that_no_step_published_is_absent() -> None:
    run = Driver(pipeline(step("a", "", "v"), step("b", "v w"), on_exit="b"))
    run.turn()
    run.fail("a")
    assert run.prepared[-1].inputs == sources({"v": None, "w": None})


def test_an_unbound_name_comes_from_the_step_that_reported_it() -> None:
    run = Driver(pipeline(step("a", "", "v"), step("b", "v")))
    run.turn()
    run.running.pop("a")
    run.emit("StepSucceeded", "a", {**result(), "outputs": {"v": {"absent": True}}}, 1)
    run.turn()
    assert run.prepared[-1].inputs == sources({"v": "a"})


def test_findings_are_not_lost_with_the_driver() -> None:
    run = hidden_change()
    attempt = run.running.pop("clean")
    found = result(["c", "d"], unexpected={"d": "changed in place"})
    run.emit("StepSucceeded", "clean", found, attempt)
    expected = run.engine.decide(run.now)
    run.engine = run.replayed()
    assert run.engine.decide(run.now) == expected
    run.carry_out(expected[0])
    run.engine = run.replayed()
    (invalidated,) = run.engine.decide(run.now)
    assert isinstance(invalidated, Record)
    assert invalidated.type == "StepInvalidated"
    run.carry_out(invalidated)
    assert run.replayed().state == run.engine.state


def test_a_step_prepared_with_overtaken_inputs_is_prepared_again() -> None:
    run = Driver(pipeline(step("load", "", "d"), step("clean", "d", "c"), step("plot", "d")))
    run.turn()
    run.cached = {"clean": result(["c", "d"], unexpected={"d": "x"}), "plot": result()}
    run.succeed("load")
    assert run.prepared[-1].inputs == sources({"d": "clean"})
    assert run.status == "succeeded"

    run.emit("RunResumed")
    run.emit("StepReady", "plot", {"inputs": {"d": "load"}})
    assert run.statuses()["plot"] == "cached"
