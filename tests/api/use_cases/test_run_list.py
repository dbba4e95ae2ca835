"""What tells the runs of a list apart, and their order."""

from __future__ import annotations

import pytest

from kfnb.api.use_cases.run_list import (
    ListedRun,
    differing_parameters,
    main_metrics,
    ordered,
)
from kfnb.errors import UsageError


def run(id_: str, notebook: str = "/a.ipynb", **more: object) -> ListedRun:
    values: dict[str, object] = {
        "title": "",
        "name": "a",
        "status": "succeeded",
        "driver": "ended",
        "created": 0.0,
        "duration": 1.0,
    }
    return ListedRun(id=id_, notebook=notebook, **{**values, **more})  # type: ignore[arg-type]


def test_only_parameters_that_differ_within_a_notebook_are_listed() -> None:
    runs = [
        run("r1", parameters={"rate": 0.1, "seed": 3}),
        run("r2", parameters={"rate": 0.5, "seed": 3}),
        run("r3", notebook="/b.ipynb", parameters={"seed": 4, "depth": 2}),
    ]
    assert differing_parameters(runs) == ["rate"]


def test_the_main_metrics_are_those_that_most_runs_have() -> None:
    runs = [run("r1", metrics={"rare": 1.0, "loss": 1.0}), run("r2", metrics={"loss": 2.0})]
    assert main_metrics(runs) == ["loss", "rare"]


def test_runs_are_sorted_by_a_metric_and_those_without_it_come_last() -> None:
    runs = [
        run("r1", metrics={"loss": 2.0}),
        run("r2"),
        run("r3", metrics={"loss": float("nan")}),
        run("r4", metrics={"loss": 1.0}),
    ]
    assert [one.id for one in ordered(runs, "loss")] == ["r4", "r1", "r3", "r2"]


def test_runs_are_sorted_by_start_duration_and_status() -> None:
    runs = [
        run("r1", created=1.0, duration=9.0),
        run("r2", created=2.0, duration=None, status="failed"),
    ]
    assert [one.id for one in ordered(runs, "started")] == ["r2", "r1"]
    assert [one.id for one in ordered(runs, "took")] == ["r1", "r2"]
    assert [one.id for one in ordered(runs, "status")] == ["r2", "r1"]


def test_a_key_that_no_run_has_is_an_error_that_lists_the_keys() -> None:
    with pytest.raises(UsageError, match="started, took, status, loss, rate"):
        ordered([run("r1", metrics={"loss": 1.0}, parameters={"rate": 1})], "lost")
