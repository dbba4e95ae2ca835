"""Steps that share a kernel: known before the run, or because a value could not be saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kfnb.engine.consistency.groups import MOST_GROUP_ROUNDS
from kfnb.engine.core.commands import EndKernel, Start
from kfnb.engine.core.state import DONE
from kfnb.pipeline import Options, Pipeline
from tests.engine.pretend_driver import Driver, pipeline, step

CONNECTION = [
    step("connect", "", "con"),
    step("fill", "con", "rows"),
    step("other", "", "x"),
    step("read", "con", "found"),
]


def in_kernel(*names: str, **more: Any) -> dict[str, Any]:
    """What a step publishes that could not save these names, and keeps its kernel."""
    outputs = {name: {"in_kernel": True, "type": "sqlite3.Connection"} for name in names}
    return {"manifest": "m", "outputs": outputs, "duration": 1.0, "kernel_lives": True, **more}


def publish(driver: Driver, name: str, data: Mapping[str, Any]) -> None:
    driver.emit("StepSucceeded", name, data, driver.running.pop(name))
    driver.turn()


def started(driver: Driver) -> list[tuple[str, str | None]]:
    """Each start, with the step whose kernel it used."""
    return [
        (e.step or "", e.data.kernel[0] if e.data.kernel else None)  # type: ignore[attr-defined]
        for e in driver.events
        if e.type == "AttemptStarted"
    ]


def drive(planned: Pipeline, **options: Any) -> Driver:
    driver = Driver(planned, **{"parallel": 4, **options})
    driver.turn()
    return driver


def known(planned: Pipeline, *members: str, **options: Any) -> Driver:
    """A driver of a run whose group was known when the notebook was read."""
    driver = Driver(planned, **{"parallel": 4, **options})
    driver.emit("GroupFormed", data={"id": members[0], "members": [[m, ""] for m in members]})
    driver.turn()
    return driver


def test_readers_of_a_value_that_cannot_be_saved_use_the_kernel_in_the_notebook_s_order() -> None:
    driver = drive(pipeline(*CONNECTION))
    assert {*driver.running} == {"connect", "other"}
    publish(driver, "connect", in_kernel("con"))
    (group,) = driver.data("GroupFormed")
    assert group["members"] == [["connect", ""], ["fill", ""], ["read", ""]]
    assert group["why"] == 'con (sqlite3.Connection) of step "connect" cannot be saved'
    assert {*driver.running} == {"other", "fill"}, "one after another, the others beside them"
    driver.succeed("fill", kernel_lives=True)
    assert "read" in driver.running
    driver.succeed("read")
    driver.succeed("other")
    assert driver.status == "succeeded"
    assert started(driver) == [
        ("connect", None),
        ("other", None),
        ("fill", "connect"),
        ("read", "connect"),
    ]
    assert driver.replayed().state == driver.engine.state
    assert not driver.engine.state.kernels


def test_steps_between_members_are_members_and_others_are_not() -> None:
    driver = drive(
        pipeline(
            step("a", "", "con n"),
            step("between", "n", "m"),
            step("beside", "n", "k"),
            step("z", "con m", "r"),
        )
    )
    publish(
        driver,
        "a",
        in_kernel(
            "con",
            outputs={
                "con": {"in_kernel": True, "type": "C"},
                "n": {"bundle": "b", "hash": "h"},
            },
        ),
    )
    (group,) = driver.data("GroupFormed")
    assert [name for name, _ in group["members"]] == ["a", "between", "z"]
    assert {*driver.running} == {"between", "beside"}


def test_groups_that_share_a_step_are_one_and_begin_anew_in_one_kernel() -> None:
    driver = drive(pipeline(step("a", "", "x"), step("b", "", "y"), step("c", "x y", "z")))
    publish(driver, "a", in_kernel("x"))
    publish(driver, "b", in_kernel("y"))
    assert [len(g["members"]) for g in driver.data("GroupFormed")] == [2, 3]
    assert driver.engine.state.groups == {"a": (("a", ""), ("b", ""), ("c", ""))}
    # Their values are in two kernels, so the group begins anew when one of them is needed.
    (invalidated,) = driver.data("StepInvalidated")
    assert {name for name, *_ in invalidated["voids"]} == {"a", "b", "c"}
    for name in ("a", "b"):
        publish(driver, name, in_kernel({"a": "x", "b": "y"}[name]))
    driver.succeed("c")
    assert driver.status == "succeeded"
    assert started(driver)[-3:] == [("a", None), ("b", "a"), ("c", "a")]


def test_a_lost_kernel_has_every_member_executed_again() -> None:
    driver = known(pipeline(*CONNECTION), "connect", "fill", "read")
    publish(driver, "connect", in_kernel("con"))
    publish(driver, "fill", in_kernel("rows"))
    driver.fail("read", "infrastructure")
    driver.wait()
    assert driver.data("StepInvalidated")[0]["group"] == "connect"
    assert "connect" in driver.running
    rounds = {s.name: s.round for s in driver.engine.state.steps.values()}
    assert rounds == {"connect": 1, "fill": 1, "read": 1, "other": 0}
    publish(driver, "connect", in_kernel("con"))
    publish(driver, "fill", in_kernel("rows"))
    driver.succeed("read")
    driver.succeed("other")
    assert driver.status == "succeeded"


def test_a_kernel_that_ends_again_and_again_fails_the_group() -> None:
    driver = known(pipeline(*CONNECTION), "connect", "fill", "read")
    driver.succeed("other")
    for _ in range(MOST_GROUP_ROUNDS + 1):
        assert driver.status == "running"
        publish(driver, "connect", in_kernel("con", kernel_lives=False))
    assert driver.status == "failed"
    (failed,) = driver.data("StepFailed")
    assert f"has ended {MOST_GROUP_ROUNDS} times" in failed["remedy"]


def test_retries_of_a_member_are_retries_of_its_group() -> None:
    planned = pipeline(*CONNECTION)
    driver = known(planned, "connect", "fill", "read", retries=1)
    for _ in range(2):
        publish(driver, "connect", in_kernel("con"))
        driver.fail("fill")
        if driver.wake is not None and driver.status == "running" and not driver.data("StepFailed"):
            driver.wait()
    driver.succeed("other")
    assert driver.status == "failed"
    assert [name for name, _ in started(driver)].count("connect") == 2
    assert driver.statuses()["read"] == "skipped"
    assert driver.statuses()["connect"] == "succeeded"


def test_a_driver_that_finds_the_kernel_gone_begins_the_group_anew() -> None:
    driver = known(pipeline(*CONNECTION), "connect", "fill", "read")
    publish(driver, "connect", in_kernel("con"))
    driver.fail("fill", "infrastructure")
    driver.engine = driver.replayed()
    driver.emit("DriverStarted", data={"pid": 2})
    driver.wait()
    assert [e.step for e in driver.events if e.type == "AttemptStarted"][-1] == "connect"


def test_a_kernel_that_ended_while_it_waited_begins_the_group_anew() -> None:
    driver = known(
        pipeline(step("a", "", "c"), step("slow", "", "s"), step("b", "c s", "r")), "a", "b"
    )
    publish(driver, "a", in_kernel("c"))
    driver.emit("KernelEnded", "a", {"reason": "it was killed"}, 1)
    driver.succeed("slow")
    assert driver.running == {"a": 2}
    publish(driver, "a", in_kernel("c"))
    driver.succeed("b")
    assert (driver.status, started(driver)[-1]) == ("succeeded", ("b", "a"))


def test_all_members_are_taken_from_the_cache_or_none() -> None:
    hit = {"manifest": "m", "outputs": in_kernel("con")["outputs"], "from": "earlier"}
    planned = pipeline(step("connect", "", "con"), step("read", "con", "found"))
    driver = Driver(planned, parallel=4)
    driver.cached = {"connect": hit, "read": {"manifest": "m", "outputs": {}, "from": "earlier"}}
    driver.turn()
    assert driver.statuses() == {"connect": "cached", "read": "cached"}
    driver = Driver(planned, parallel=4)
    driver.cached = {"connect": hit}
    driver.turn()
    assert driver.running == {"connect": 1}, "although it had been in the cache"
    publish(driver, "connect", in_kernel("con"))
    driver.succeed("read")
    assert driver.status == "succeeded"
    assert not any(p.cache for p in driver.prepared[-2:])


def test_a_group_with_a_step_that_must_not_execute_twice_fails_instead() -> None:
    planned = pipeline(
        step("mail", "", "con", options=Options(once=True)), step("read", "con", "found")
    )
    driver = known(planned, "mail", "read", retries=3)
    publish(driver, "mail", in_kernel("con"))
    driver.fail("read")
    driver.wait()
    assert driver.status == "failed"
    (failed,) = driver.data("StepFailed")
    assert 'execute step "mail" a second time' in failed["remedy"]


def test_a_kernel_that_no_step_needs_is_ended() -> None:
    driver = known(pipeline(*CONNECTION), "connect", "fill", "read")
    publish(driver, "connect", in_kernel("con"))
    driver.emit("StopRequested", data={"by": "a person"})
    driver.obey()
    assert not driver.engine.state.kernels
    assert driver.status in ("running", "cancelled")


def test_a_member_that_used_something_old_begins_anew_with_its_group() -> None:
    planned = pipeline(
        step("a", "", "x"),
        step("change", "x", ""),
        step("connect", "", "con"),
        step("read", "con x", "r"),
    )
    driver = known(planned, "connect", "read")
    driver.succeed("a", ["x"])
    publish(driver, "connect", in_kernel("con"))
    # "read" executes with the old x, which "change" then turns out to have changed.
    assert {*driver.running} == {"change", "read"}
    driver.succeed("change", ["x"], unexpected={"x": "changed in place"})
    driver.obey()
    voids = {name for d in driver.data("StepInvalidated") for name, *_ in d["voids"]}
    assert voids == {"connect", "read"}
    publish(driver, "connect", in_kernel("con"))
    driver.succeed("read")
    assert driver.status == "succeeded"


def test_an_unforeseen_change_that_cannot_be_saved_reaches_readers_in_the_kernel() -> None:
    planned = pipeline(step("a", "", "x"), step("change", "x", ""), step("read", "x", "r"))
    driver = drive(planned, parallel=1)
    driver.succeed("a", ["x"])
    publish(driver, "change", in_kernel("x", unexpected={"x": "changed in place"}))
    driver.succeed("read")
    assert driver.status == "succeeded"
    assert started(driver) == [("a", None), ("change", None), ("read", "change")]


@st.composite
def notebooks(draw: st.DrawFn) -> tuple[Pipeline, dict[str, set[str]]]:
    """Steps that read earlier names, and the names that cannot be saved."""
    steps, unsaveable = [], {}
    for n in range(draw(st.integers(2, 6))):
        reads = draw(st.lists(st.sampled_from(range(n)), max_size=2, unique=True)) if n else []
        steps.append(step(f"s{n}", " ".join(f"v{r}" for r in reads), f"v{n}"))
        unsaveable[f"s{n}"] = {f"v{n}"} if draw(st.booleans()) else set()
    return pipeline(*steps), unsaveable


@settings(max_examples=60, deadline=None)
@given(made=notebooks(), data=st.data(), parallel=st.integers(1, 3))
def test_a_run_with_groups_ends_and_each_value_is_in_the_kernel_that_reads_it(
    made: tuple[Pipeline, dict[str, set[str]]], data: st.DataObject, parallel: int
) -> None:
    planned, unsaveable = made
    driver = Driver(planned, parallel=parallel, infrastructure_retries=3)
    homes: dict[str, tuple[str, int, int]] = {}
    lost = 0
    driver.turn()
    for _ in range(200):
        driver.obey()
        if driver.engine.state.ended:
            break
        state = driver.engine.state
        # The driver and the kernels may die at any event.
        what = data.draw(st.sampled_from(["finish", "finish", "finish", "kill", "replay"]))
        if what == "replay" or not driver.running:
            fresh = driver.replayed()
            assert fresh.state == driver.engine.state
            assert fresh.decide(driver.now) == driver.engine.decide(driver.now)
            driver.engine = fresh
            if driver.wake is not None and not driver.running:
                driver.wait()
            continue
        name = data.draw(st.sampled_from(sorted(driver.running)))
        kernel = state.steps[name, ""].kernel
        assert kernel is not None
        if what == "kill" and lost < 3:
            lost += 1
            driver.fail(name, "infrastructure")
            continue
        for read, source in planned.steps[name].inputs.items():
            if source and read in unsaveable[source]:
                assert homes[source] == kernel, "the value is where it is read"
        homes[name] = kernel
        outputs: dict[str, Any] = {n: {"in_kernel": True, "type": "T"} for n in unsaveable[name]}
        saved = {*planned.steps[name].outputs} - unsaveable[name]
        outputs |= {n: {"bundle": "b", "hash": "h"} for n in saved}
        lives = bool(unsaveable[name]) or driver.engine.continues(name)
        publish(driver, name, {"manifest": "m", "outputs": outputs, "kernel_lives": lives})
    assert driver.status == "succeeded"
    assert all(s.status in DONE for s in driver.engine.state.steps.values())
    assert not driver.engine.state.kernels, "no kernel is left"
    asked = [c for c in driver.engine.decide(driver.now) if isinstance(c, (Start, EndKernel))]
    assert not asked
