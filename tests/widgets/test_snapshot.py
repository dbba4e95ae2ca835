"""What a view is told, from what the journal says; no widget, no kernel, no thread."""

from __future__ import annotations

import json
import typing
from pathlib import Path
from typing import Any

import pytest

from kfnb.api.run_lookup import facts
from kfnb.api.run_view import RunView
from kfnb.home import RunFolder
from kfnb.live import protocol, snapshot
from kfnb.live.feed import Feed
from tests.cli.scripted import (
    FAILED,
    LOADED,
    SUCCEEDED,
    TRAINING,
    done,
    made_run,
    pipeline,
    ready,
    write,
)

Events = list[tuple[Any, ...]]
SEEN = (
    "EdgeAdded",
    "report",
    {"source": "load", "target": "report", "names": ["rows"], "files": [], "why": "shares memory"},
)
WARNED = ("Warning", "train", {"code": "KFNB-W301", "message": "rows changed", "remedy": "copy"})


def viewed(events: Events) -> tuple[RunFolder, RunView]:
    run = made_run()
    write(run, *events)
    view = RunView(run)
    view.update()
    return run, view


def fits(value: Any, kind: Any) -> bool:
    """Whether a JSON value has exactly the fields of a TypedDict, at every level."""
    if typing.is_typeddict(kind):
        hints = typing.get_type_hints(kind)
        assert isinstance(value, dict)
        assert kind.__required_keys__ <= value.keys() <= hints.keys(), kind
        return all(fits(value[name], hints[name]) for name in value)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if type(None) in args and value is None:
        return True
    if origin is list:
        assert isinstance(value, list)
        return all(fits(one, args[0]) for one in value)
    if origin is dict:
        assert isinstance(value, dict)
        return all(fits(one, args[1]) for one in value.values())
    some = next((arg for arg in args if typing.is_typeddict(arg)), None)
    return fits(value, some) if some is not None else True


@pytest.mark.parametrize("events", [[], LOADED, [*LOADED, *TRAINING], FAILED, SUCCEEDED])
def test_a_snapshot_is_what_the_protocol_says_and_json(events: Events) -> None:
    run, view = viewed([*events, SEEN, WARNED] if events else events)
    told = snapshot.state(view, driver="alive", at=1.0)
    assert fits(told, protocol.State)
    graph = snapshot.graph(view.pipeline, view.state.edges.values())
    assert fits(graph, protocol.Graph)
    info = snapshot.run_info(view, facts(run))
    assert fits(info, protocol.RunInfo)
    for value in (told, graph, info):
        json.dumps(value, allow_nan=False)


def test_steps_and_edges_have_the_ids_of_the_dot() -> None:
    _, view = viewed([*LOADED, SEEN])
    graph = snapshot.graph(view.pipeline, view.state.edges.values())
    assert [(node["id"], node["name"]) for node in graph["nodes"]] == [
        ("n0", "load"),
        ("n1", "train"),
        ("n2", "report"),
    ]
    for edge in graph["edges"]:
        assert f"{edge['source']} -> {edge['target']} [" in graph["dot"]
        assert f"id={edge['id']}]" in graph["dot"]
    assert graph["edges"][-1] == {
        "id": "e2",
        "source": "n0",
        "target": "n2",
        "names": ["rows"],
        "files": [],
        "explicit": False,
        "found": True,
        "why": "shares memory",
    }
    assert not any(edge["found"] for edge in graph["edges"][:-1])


def test_a_failed_step_says_where_and_why() -> None:
    _, view = viewed(FAILED)
    train = snapshot.step_state(view, "train")
    assert train["status"] == "failed"
    assert train["attempts"] == 1
    assert train["error"] is not None
    assert (train["error"]["cell"], train["error"]["line"]) == (2, 2)
    assert train["error"]["class"] == "user"
    assert train["error"]["ename"] == "ZeroDivisionError"
    report = snapshot.step_state(view, "report")
    assert (report["status"], report["reason"]) == ("skipped", 'step "train" failed')


def test_a_step_that_runs_says_which_cell() -> None:
    _, view = viewed([*LOADED, *TRAINING])
    train = snapshot.step_state(view, "train")
    assert (train["status"], train["cell"], train["cells_done"], train["cells_total"]) == (
        "running",
        2,
        0,
        1,
    )
    assert train["started"]
    assert train["why"] == "first run of this step"


def test_outputs_are_described_and_absent_ones_left_out() -> None:
    from tests.cli.scripted import output

    events = [*LOADED[:-1], done("load", rows=output("list", "[1]"), gone={"absent": True})]
    _, view = viewed(events)
    assert snapshot.step_state(view, "load")["outputs"] == [
        {"name": "rows", "type": "list", "shape": None, "size": 28, "repr": "[1]"}
    ]


def test_a_long_text_of_an_exception_is_cut() -> None:
    long = {"class": "user", "summary": "s" * 50_000, "ename": "E", "evalue": "v" * 50_000}
    events = [*LOADED, *TRAINING, ("AttemptFailed", "train", long, 1)]
    _, view = viewed(events)
    assert len(json.dumps(snapshot.step_state(view, "train"))) < 10_000


def test_an_executed_notebook_is_linked_where_the_server_shows_it(tmp_path: Path) -> None:
    run, view = viewed(LOADED)

    def link(path: Path) -> str | None:
        return path.relative_to(tmp_path).as_posix()

    assert snapshot.step_state(view, "load", link=link)["notebook"] is None  # not written
    path = run.attempt(view.pipeline.steps["load"].id, 1).executed
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert snapshot.step_state(view, "load", link=link)["notebook"] == link(path)
    assert snapshot.step_state(view, "load")["notebook"] is None
    assert snapshot.step_state(view, "train", link=link)["notebook"] is None


def test_numbers_that_json_lacks_are_text() -> None:
    events = [
        *LOADED,
        *TRAINING,
        *(
            ("MetricLogged", "train", {"name": "loss", "value": value, "step": n}, 1)
            for n, value in enumerate(["nan", "inf", 0.5, 1])
        ),
    ]
    _, view = viewed(events)
    (series,) = snapshot.series(view)
    assert [point[2] for point in series["points"]] == ["nan", "inf", 0.5, 1]
    assert (series["step"], series["name"]) == ("train", "loss")


# A feed: what changed since the last look


def feed(*events: tuple[Any, ...]) -> tuple[RunFolder, Feed]:
    run = made_run()
    write(run, *events)
    made = Feed(run)
    made.look(0.0)
    return run, made


def test_a_feed_tells_what_changed_only() -> None:
    run, made = feed(*LOADED)
    write(run, *TRAINING)
    news = made.look(1.0)
    assert news is not None
    assert news.state is not None
    assert fits(news.state, protocol.StateMessage)
    assert {id_: step["status"] for id_, step in news.state["steps"].items()} == {"n1": "running"}
    assert "dot" not in news.state
    assert not news.graph
    assert made.look(1.1) is None


def test_a_feed_that_is_quiet_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    _, made = feed(*LOADED)

    def read() -> None:
        raise AssertionError("nothing changed")

    monkeypatch.setattr(made.view, "look", read)
    assert made.look(0.5) is None


def test_changes_between_two_looks_come_as_one() -> None:
    run, made = feed()
    write(run, *FAILED)
    news = made.look(1.0)
    assert news is not None
    assert news.state is not None
    assert [step["status"] for step in news.state["steps"].values()] == [
        "succeeded",
        "failed",
        "skipped",
    ]
    assert news.state["status"] == "failed"
    assert news.state["driver"] == "ended"
    assert made.over
    assert [series["points"][0][2] for series in news.points] == [0.5]


def test_a_dependency_that_the_run_shows_brings_a_new_graph() -> None:
    run, made = feed(*LOADED)
    write(run, SEEN)
    news = made.look(1.0)
    assert news is not None
    assert news.graph
    assert news.state is not None
    assert [edge["found"] for edge in news.state["edges"]] == [True]
    assert "id=e2" in news.state["dot"]


def test_a_warning_is_told() -> None:
    run, made = feed(*LOADED)
    write(run, WARNED)
    news = made.look(1.0)
    assert news is not None
    assert news.state is not None
    (warning,) = news.state["warnings"]
    assert warning["message"] == "rows changed"
    assert made.look(1.1) is None


def test_points_of_a_repeated_attempt_are_taken_back() -> None:
    def point(value: float, attempt: int) -> tuple[Any, ...]:
        return ("MetricLogged", "train", {"name": "loss", "value": value, "step": 0}, attempt)

    run, made = feed(*LOADED, *TRAINING, point(0.5, 1))
    write(run, point(0.4, 1))
    news = made.look(1.0)
    assert news is not None
    assert (news.reset, [p[2] for s in news.points for p in s["points"]]) == (False, [0.4])
    failure = {"class": "user", "summary": "no"}
    write(run, ("AttemptFailed", "train", failure, 1), ("AttemptStarted", "train", {}, 2))
    write(run, point(0.3, 2))
    news = made.look(2.0)
    assert news is not None
    assert (news.reset, [p[2] for s in news.points for p in s["points"]]) == (True, [0.3])


def test_news_that_were_not_told_yet_are_joined() -> None:
    run, made = feed()
    write(run, *LOADED)
    first = made.look(1.0)
    write(run, *TRAINING, ("MetricLogged", "train", {"name": "loss", "value": 1, "step": 0}, 1))
    second = made.look(2.0)
    assert first is not None
    assert second is not None
    joined = first.joined(second)
    assert joined.state is not None
    assert set(joined.state["steps"]) == {"n0", "n1"}
    assert joined.state["steps"]["n1"]["status"] == "running"
    assert len(joined.points) == 1


def test_a_driver_that_is_gone_is_told_and_so_is_that_it_is_back() -> None:
    run, made = feed(*LOADED)
    assert made.driver.startswith("lost since")
    assert not made.over
    write(run, ("RunResumed", None, {}))
    news = made.look(10.0)
    assert news is not None
    assert news.state is not None
    assert news.state["driver"] == "alive"
    news = made.look(20.0)
    assert news is not None
    assert news.state is not None
    assert news.state["driver"].startswith("lost since")
    assert news.state["steps"] == {}


def test_a_folder_that_was_deleted_is_told_in_a_sentence() -> None:
    import shutil

    run, made = feed(*LOADED)
    shutil.rmtree(run.path)
    news = made.look(10.0)
    assert news is not None
    assert news.state is not None
    assert "was deleted" in str(news.state["error"])
    assert made.over
    assert made.look(20.0) is None


def test_a_whole_state_tells_every_step() -> None:
    _, made = feed(*LOADED, SEEN)
    told = made.whole(5.0)
    assert fits(told, protocol.StateMessage)
    assert list(told["steps"]) == ["n0", "n1", "n2"]
    assert [edge["id"] for edge in told["edges"]] == ["e2"]


def test_a_pipeline_is_told_without_a_run() -> None:
    graph = snapshot.graph(pipeline())
    assert fits(graph, protocol.Graph)
    assert graph["nodes"][1]["inputs"] == {"rows": "load"}
    assert ready("load")
