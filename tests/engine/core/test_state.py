"""What views are told."""

from __future__ import annotations

from kfnb.engine.core.event_types import BODIES
from kfnb.engine.core.reducer import _RUN, _STEP
from tests.engine.pretend_driver import Driver, chain, event_of, pipeline, result, schema, step


def test_progress_by_cell() -> None:
    run = Driver(chain(1))
    run.turn()
    for position, cell in enumerate((3, 5)):
        run.emit("CellStarted", "s0", {"cell": cell, "position": position, "total": 2}, 1)
        mine = run.engine.state.steps["s0", ""]
        assert (mine.cell, mine.cells_done, mine.cells_total) == (cell, position, 2)
        run.emit("CellFinished", "s0", {"cell": cell, "duration": 0.1, "ok": True}, 1)
    assert (mine.cell, mine.cells_done) == (None, 2)


def test_progress_begins_again_with_each_attempt() -> None:
    run = Driver(chain(1), retries=1)
    run.turn()
    run.emit("CellStarted", "s0", {"cell": 0, "position": 0, "total": 1}, 1)
    run.emit("CellFinished", "s0", {"cell": 0, "duration": 0.1, "ok": True}, 1)
    run.fail("s0")
    run.wait()
    run.emit("CellFinished", "s0", {"cell": 0, "duration": 0.1, "ok": True}, 1)
    assert run.engine.state.steps["s0", ""].cells_done == 0


def test_metrics_are_there_as_they_happen_and_once() -> None:
    run = Driver(pipeline(step("a"), step("b")), parallel=2, retries=1)
    run.turn()
    run.emit("MetricLogged", "a", {"name": "loss", "value": 3, "step": 0}, 1)
    run.fail("a")
    run.wait()
    for name, number, attempt in [("a", 2, 2), ("b", 9, 1), ("a", 1, 2)]:
        run.now += 1
        run.emit("MetricLogged", name, {"name": "loss", "value": number, "step": number}, attempt)
    state = run.engine.state
    assert state.metrics == {"loss": 1}
    assert [row[1:] for row in state.metric_history("loss")] == [(2, 2), (9, 9), (1, 1)]


def test_a_cached_step_brings_its_metrics_and_its_duration() -> None:
    run = Driver(chain(1))
    run.cached = {"s0": result(["v0"], metrics=[[5.0, "loss", 0.5, None]], key="k")}
    run.turn()
    mine = run.engine.state.steps["s0", ""]
    assert run.engine.state.metrics == {"loss": 0.5}
    assert (mine.duration, mine.key, mine.why) == (1.0, "k", "first run")


def test_outputs_errors_and_times() -> None:
    run = Driver(chain(2))
    run.turn()
    run.succeed("s0")
    run.now += 5
    run.fail("s1", ename="KeyError")
    state = run.engine.state
    assert set(state.steps["s0", ""].outputs) == {"v0"}
    assert state.steps["s0", ""].error is None
    failure = state.steps["s1", ""].error
    assert failure is not None
    assert failure.ename == "KeyError"
    assert state.steps["s1", ""].duration == 5
    assert (state.started, state.finished) == (1000.0, 1005.0)
    assert state.error is not None


def test_the_time_between_an_end_and_a_resume_is_a_pause() -> None:
    run = Driver(chain(2))
    run.turn()
    run.now += 5
    run.fail("s0")
    run.turn()
    assert run.engine.state.ended
    assert run.engine.state.paused == 0
    run.now += 3600
    run.emit("DriverStarted", data={"pid": 2})
    run.emit("RunResumed")
    assert run.engine.state.paused == 3600
    # A driver that was lost, and the next one.
    run.now += 60
    run.emit("DriverStarted", data={"pid": 3})
    assert run.engine.state.paused == 3660


def test_edges_of_a_pair_are_one() -> None:
    run = Driver(chain(2))
    for names, files in ((["a"], []), (["a", "b"], ["f"])):
        data = {"source": "s0", "target": "s1", "names": names, "files": files, "why": "seen"}
        run.emit("EdgeAdded", "s1", data)
    (edge,) = run.engine.state.edges.values()
    assert (edge.names, edge.files) == (("a", "b"), ("f",))


def test_an_edge_in_the_journal_is_waited_for() -> None:
    run = Driver(pipeline(step("a"), step("b")), parallel=2)
    data = {"source": "a", "target": "b", "names": [], "files": ["f"], "why": "seen"}
    run.emit("EdgeAdded", "b", data)
    run.turn()
    assert list(run.running) == ["a"]
    run.fail("a")
    assert run.statuses()["b"] == "skipped"


def test_an_edge_to_a_step_that_executes_holds_for_its_retry() -> None:
    run = Driver(pipeline(step("a"), step("b")), parallel=2, retries=1)
    run.turn()
    run.fail("a")
    data = {"source": "a", "target": "b", "names": [], "files": ["f"], "why": "seen"}
    run.emit("EdgeAdded", "b", data)
    run.fail("b")
    run.wait()
    assert run.running == {"a": 2}
    run.fail("a")
    assert run.statuses() == {"a": "failed", "b": "skipped"}
    assert run.status == "failed"


def test_unknown_types_and_steps_change_nothing() -> None:
    run = Driver(chain(1))
    before = run.statuses()
    for kind, name in [("FromALaterVersion", "s0"), ("StepSucceeded", "nobody")]:
        run.engine.apply(event_of(kind, {"outputs": {}}, seq=99, step=name, attempt=1))
    assert run.statuses() == before


def test_every_type_has_a_schema_and_a_meaning() -> None:
    document = schema().schema
    assert set(document["properties"]["type"]["enum"]) == set(BODIES)
    assert {c["if"]["properties"]["type"]["const"] for c in document["allOf"]} == set(BODIES)
    shown_only = {BODIES["CellOutput"]}
    assert set(_RUN) | set(_STEP) | shown_only == set(BODIES.values())
