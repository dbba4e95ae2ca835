"""What only the run can see of values, case by case."""

from __future__ import annotations

from kfnb.engine.core.commands import Stop
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


def test_a_reader_that_had_begun_fails_the_run() -> None:
    run = hidden_change()
    run.succeed("clean", ["c", "d"], unexpected={"d": "changed in place"})
    assert run.statuses()["plot"] == "failed"
    assert run.stops == [Stop("plot", "", 1, "superseded")]
    run.obey()
    assert run.status == "failed"
    error = run.data("RunFinished")[0]["error"]
    assert error["code"] == "KFNB-E601"
    assert error["steps"] == ["clean", "plot"]
    assert '"clean"' in error["summary"]
    assert '"plot"' in error["summary"]
    assert 'step "clean" with changes:d' in error["remedy"]


def test_a_reader_that_is_done_fails_the_run_with_all_that_used_its_result() -> None:
    run = Driver(
        pipeline(
            step("load", "", "d"),
            step("clean", "d", "c"),
            step("fit", "d", "m"),
            step("score", "m", "s"),
            step("report", "s"),
        ),
        parallel=2,
    )
    run.turn()
    for name in ("load", "fit", "score"):
        run.succeed(name)
    run.succeed("clean", ["c", "d"], unexpected={"d": "changed in place"})
    run.obey()
    assert [run.statuses()[n] for n in ("fit", "score", "report")] == ["failed"] * 3
    assert run.status == "failed"

    run.resume()
    assert list(run.running) == ["fit"]
    assert run.prepared[-1].inputs == sources({"d": "clean"})
    assert run.prepared[-1].step == "fit"
    run.succeed("fit")
    assert run.prepared[-1].step == "score"
    run.succeed("score")
    run.succeed("report")
    assert run.status == "succeeded"


def test_what_a_step_that_used_too_old_a_value_publishes_late_does_not_count() -> None:
    run = hidden_change()
    run.succeed("clean", ["c", "d"], unexpected={"d": "changed in place"})
    run.emit("StepSucceeded", "plot", result(), 1)
    run.turn()
    assert run.statuses()["plot"] == "failed"
    run.resume()
    run.emit("StepSucceeded", "plot", result(), 1)
    assert run.statuses()["plot"] == "running"


def test_a_run_can_be_set_to_continue_with_a_warning() -> None:
    run = hidden_change(on_mutation="warn")
    run.succeed("clean", ["c", "d"], unexpected={"d": "changed in place"})
    run.succeed("plot")
    assert run.status == "succeeded"
    assert [d["code"] for d in run.data("Warning")] == ["KFNB-W601"]


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


def test_an_alias_is_detected_too_late() -> None:
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
        assert run.status == "failed"
        error = run.data("RunFinished")[0]["error"]
        assert error["code"] == "KFNB-E603"
        assert error["steps"] == ["make", "grow"]
        assert 'step "grow" with changes:b' in error["remedy"]

        run.resume()
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
    assert run.engine.decide(run.now) == expected[1:]


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
