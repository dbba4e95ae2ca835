"""Pipelines and runs are described as the protocol declares."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kfnb.api.run_lookup import facts
from kfnb.engine.core.state import Metric, StepState
from kfnb.live import protocol, snapshot
from kfnb.pipeline import Diagnostic, Options, Volume
from tests.cli.scripted import (
    FAILED,
    LOADED,
    SUCCEEDED,
    TRAINING,
    done,
    pipeline,
    ready,
)
from tests.live.runs import view_of
from tests.live.typed_dicts import fits

Events = list[tuple[Any, ...]]
SEEN = (
    "EdgeAdded",
    "report",
    {"source": "load", "target": "report", "names": ["rows"], "files": [], "why": "shares memory"},
)
WARNED = ("Warning", "train", {"code": "KFNB-W301", "message": "rows changed", "remedy": "copy"})


@pytest.mark.parametrize("events", [[], LOADED, [*LOADED, *TRAINING], FAILED, SUCCEEDED])
def test_a_snapshot_matches_the_protocol_and_is_json(events: Events) -> None:
    run, view = view_of(*[*events, SEEN, WARNED] if events else events)
    message = snapshot.state(view, driver="alive", at=1.0)
    assert fits(message, protocol.State)
    graph = snapshot.graph(view.pipeline, view.state.edges.values())
    assert fits(graph, protocol.Graph)
    info = snapshot.run_info(view, facts(run))
    assert fits(info, protocol.RunInfo)
    for value in (message, graph, info):
        json.dumps(value, allow_nan=False)


def test_steps_and_edges_are_identified_by_names_and_ordered_as_in_the_dot() -> None:
    _, view = view_of(*LOADED, SEEN)
    graph = snapshot.graph(view.pipeline, view.state.edges.values())
    names = ["load", "train", "report"]
    assert [node["id"] for node in graph["nodes"]] == names
    for edge in graph["edges"]:
        source, target = names.index(edge["source"]), names.index(edge["target"])
        assert f"n{source} -> n{target} [" in graph["dot"]
        assert json.loads(edge["id"]) == [edge["source"], edge["target"]]
    assert graph["edges"][-1] == {
        "id": '["load", "report"]',
        "source": "load",
        "target": "report",
        "names": ["rows"],
        "files": [],
        "explicit": False,
        "found": True,
        "why": "shares memory",
    }
    assert not any(edge["found"] for edge in graph["edges"][:-1])


def test_a_failed_step_has_its_cell_and_error() -> None:
    _, view = view_of(*FAILED)
    train = snapshot.step_state(view, "train")
    assert train["status"] == "failed"
    assert train["attempts"] == 1
    assert train["error"] is not None
    where = train["error"]["location"]
    assert where is not None
    assert (where["cell"], where["line"], where["text"]) == (2, 2, "return 1 / 0")
    assert train["error"]["class"] == "user"
    assert train["error"]["ename"] == "ZeroDivisionError"
    report = snapshot.step_state(view, "report")
    assert (report["status"], report["reason"]) == ("skipped", 'step "train" failed')


def test_a_running_step_has_its_current_cell() -> None:
    _, view = view_of(*[*LOADED, *TRAINING])
    train = snapshot.step_state(view, "train")
    assert (train["status"], train["cells_done"], train["cells_total"]) == ("running", 0, 1)
    assert train["location"] is not None
    assert train["location"]["text"] == view.pipeline.cells[2].source.split("\n")[0]
    assert train["started"]
    assert train["why"] == "first run of this step"


@pytest.mark.parametrize("cell", [None, -1, 99, "2"])
def test_a_cell_that_the_notebook_does_not_have_has_no_location(cell: Any) -> None:
    assert snapshot.location(pipeline(), cell, 1) is None


def test_cells_are_described_by_what_the_notebook_shows() -> None:
    made = pipeline()
    cells = list(made.cells)
    cells[2] = replace(cells[2], source="%%step train\n# Fit\nfit(rows)", execution_count=12)
    finding = Diagnostic("KFNB-E102", "error", "no", "do", step="train", cell=2, line=3)
    graph = snapshot.graph(replace(made, cells=tuple(cells), diagnostics=(finding,)))
    assert fits(graph, protocol.Graph)
    here = {"cell": 2, "id": cells[2].id, "execution_count": 12}
    assert graph["nodes"][1]["cells"] == [{**here, "line": None, "text": "# Fit"}]
    assert graph["diagnostics"][0]["location"] == {**here, "line": 3, "text": "fit(rows)"}


def test_an_instance_and_a_round_are_part_of_the_state() -> None:
    _, view = view_of(*LOADED)
    view.state.steps["train", "3"] = StepState(
        "train", "3", round=1, metrics=[Metric(1.0, "loss", 0.5)]
    )
    steps = snapshot.state(view, driver="alive", at=1.0)["steps"]
    assert [(step["step"], step["index"], step["round"]) for step in steps.values()] == [
        ("load", "", 0),
        ("train", "", 0),
        ("report", "", 0),
        ("train", "3", 1),
    ]
    assert list(steps) == ["load", "train", "report", '["train", "3"]']
    (series,) = snapshot.series(view)
    assert (series["step"], series["index"]) == ("train", "3")


def test_outputs_are_described_without_absent_ones() -> None:
    from tests.cli.scripted import output

    events = [*LOADED[:-1], done("load", rows=output("list", "[1]"), gone={"absent": True})]
    _, view = view_of(*events)
    assert snapshot.step_state(view, "load")["outputs"] == [
        {"name": "rows", "type": "list", "shape": None, "size": 28, "repr": "[1]"}
    ]


def test_a_long_exception_text_is_shortened() -> None:
    long = {"class": "user", "summary": "s" * 50_000, "ename": "E", "evalue": "v" * 50_000}
    events = [*LOADED, *TRAINING, ("AttemptFailed", "train", long, 1)]
    _, view = view_of(*events)
    assert len(json.dumps(snapshot.step_state(view, "train"))) < 10_000


def test_an_executed_notebook_is_linked_if_the_server_shows_it(tmp_path: Path) -> None:
    run, view = view_of(*LOADED)

    def link(path: Path) -> str | None:
        return path.relative_to(tmp_path).as_posix()

    assert snapshot.step_state(view, "load", link=link)["notebook"] is None  # not written
    path = run.attempt(view.pipeline.steps["load"].id, 1).executed
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert snapshot.step_state(view, "load", link=link)["notebook"] == link(path)
    assert snapshot.step_state(view, "load")["notebook"] is None
    assert snapshot.step_state(view, "train", link=link)["notebook"] is None


def test_numbers_without_a_json_form_are_text() -> None:
    events = [
        *LOADED,
        *TRAINING,
        *(
            ("MetricLogged", "train", {"name": "loss", "value": value, "step": n}, 1)
            for n, value in enumerate(["nan", "inf", 0.5, 1])
        ),
    ]
    _, view = view_of(*events)
    (series,) = snapshot.series(view)
    assert [point[2] for point in series["points"]] == ["nan", "inf", 0.5, 1]
    assert (series["step"], series["name"]) == ("train", "loss")


def test_a_pipeline_is_described_without_a_run() -> None:
    graph = snapshot.graph(pipeline())
    assert fits(graph, protocol.Graph)
    assert graph["nodes"][1]["inputs"] == {"rows": "load"}
    assert ready("load")


def test_options_and_volumes_of_the_pipeline_are_described_without_values_of_variables() -> None:
    made = replace(
        pipeline(),
        defaults=Options(image="ada/train:1", env={"TOKEN": "secret"}),
        volumes=(Volume("data", "/data", claim="big"),),
    )
    graph = snapshot.graph(made)
    assert graph["options"] == {"image": "ada/train:1", "env": ["TOKEN"]}
    assert graph["volumes"] == [{"name": "data", "mount": "/data", "claim": "big", "size": None}]
    assert "secret" not in json.dumps(graph)
