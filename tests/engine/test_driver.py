"""The driver carries out what the engine decides, and survives."""

from __future__ import annotations

from pathlib import Path

import pytest

from kfnb.engine.core.event_decoding import convert_body
from kfnb.engine.core.event_types import RunResumed
from kfnb.engine.journal.file_journal import Journal
from kfnb.pipeline import Options
from kfnb.store import manifest_key, open_store
from kfnb.store.cache import CacheIndex
from tests.runners.bench import (
    Make,
    drive,
    events,
    go,
    make_pipeline,
    quick,
    status,
    statuses,
    value,
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("KFNB_HOME", str(folder))
    return folder


DIAMOND = {
    "a": Make("mark\nvalue x 1", outputs=["x"]),
    "b": Make("mark\nvalue y b{x}", inputs={"x": "a"}, outputs=["y"]),
    "c": Make("mark\nvalue z c{x}", inputs={"x": "a"}, outputs=["z"]),
    "d": Make("mark\nvalue w {y}{z}", inputs={"y": "b", "z": "c"}, outputs=["w"]),
}


def test_values_flow_from_step_to_step(tmp_path: Path) -> None:
    run = go(make_pipeline(tmp_path, DIAMOND))
    assert status(run) == "succeeded"
    assert value(run, "d", "w") == "b1c1"


def test_what_attempts_report_becomes_events_of_the_run(tmp_path: Path) -> None:
    run = go(make_pipeline(tmp_path, {"a": Make("metric loss 0.5\nsay careful")}))
    assert [e.data.cell for e in events(run, "CellStarted")] == [1]
    assert [(e.data.name, e.data.value) for e in events(run, "MetricLogged")] == [("loss", 0.5)]
    assert [e.data.message for e in events(run, "Warning")] == ["careful"]


def test_a_step_that_fails_is_tried_again_as_often_as_it_says(tmp_path: Path) -> None:
    steps = {"a": Make("fail 2\nvalue x ok", outputs=["x"], options=Options(retries=2))}
    run = go(make_pipeline(tmp_path, steps))
    assert status(run) == "succeeded"
    assert [e.attempt for e in events(run, "AttemptFailed")] == [1, 2]


def test_a_failure_skips_what_depends_on_it_and_nothing_else(tmp_path: Path) -> None:
    steps = {
        "a": Make("fail", outputs=["x"]),
        "b": Make("", inputs={"x": "a"}),
        "c": Make("value y 1", outputs=["y"]),
    }
    run = go(make_pipeline(tmp_path, steps))
    assert statuses(run) == {"a": "failed", "b": "skipped", "c": "succeeded"}
    assert events(run, "StepFailed")[0].data.summary == "it failed as told"


def test_a_process_that_is_killed_is_an_infrastructure_failure_and_runs_again(
    tmp_path: Path,
) -> None:
    run = go(make_pipeline(tmp_path, {"a": Make("die 2\nvalue x 1", outputs=["x"])}))
    assert status(run) == "succeeded"
    failed = events(run, "AttemptFailed")
    assert [e.data.kind for e in failed] == ["infrastructure"] * 2
    assert "SIGKILL" in failed[0].data.summary


def test_a_timeout_ends_a_step_that_does_not_end_itself(tmp_path: Path) -> None:
    steps = {"a": Make("sleep 60", options=Options(timeout=0.2))}
    run = go(make_pipeline(tmp_path, steps), settings=quick(timeout_grace=0.1))
    assert status(run) == "failed"
    assert events(run, "StepFailed")[0].data.kind == "timeout"


def test_the_exit_step_runs_whatever_happened(tmp_path: Path) -> None:
    steps = {
        "a": Make("fail", outputs=["x"]),
        "bye": Make("value said {x}", inputs={"x": "a"}, outputs=["said"]),
    }
    run = go(make_pipeline(tmp_path, steps, on_exit="bye"))
    assert status(run) == "failed"
    assert value(run, "bye", "said") == "absent"


def test_options_that_need_a_cluster_are_reported_once(tmp_path: Path) -> None:
    gpu = Options(gpu="1", image="python:3.12")
    steps = {"a": Make("", options=gpu), "b": Make("", options=gpu)}
    run = go(make_pipeline(tmp_path, steps))
    assert status(run) == "succeeded"
    (warning,) = events(run, "Warning")
    assert 'gpu ("a", "b")' in warning.data.message


def test_a_step_runs_in_the_notebooks_folder_with_a_fixed_hash_seed(tmp_path: Path) -> None:
    run = go(make_pipeline(tmp_path, {"a": Make("write out.txt hello", writes=["out.txt"])}))
    assert (tmp_path / "out.txt").read_text() == "hello"
    order = run.attempt("a", 1).order.read_text()
    assert '"PYTHONHASHSEED": "0"' in order


def test_a_step_tagged_once_starts_last_and_is_not_repeated_when_its_process_dies(
    tmp_path: Path,
) -> None:
    steps = {
        "slow": Make("sleep 0.3\nmark"),
        "send": Make("mark\ndie 1", options=Options(once=True, retries=3)),
        "other": Make("mark"),
    }
    run = go(make_pipeline(tmp_path, steps))
    assert statuses(run) == {"slow": "succeeded", "send": "failed", "other": "succeeded"}
    assert (tmp_path / "ran.txt").read_text().split().count("send") == 1
    started = [e.step for e in events(run, "AttemptStarted")]
    assert started[-1] == "send"


def test_a_void_result_leaves_the_cache_and_the_step_publishes_under_its_next_round(
    tmp_path: Path, home: Path
) -> None:
    steps = {
        "a": Make("mark\nvalue x 1", outputs=["x"]),
        "b": Make("mark\nvalue y {x}", inputs={"x": "a"}, outputs=["y"]),
    }
    run = go(make_pipeline(tmp_path, steps))
    (key,) = [e.data.key for e in events(run, "StepReady", "b")]
    index = CacheIndex(open_store(home / "store"))
    assert len(index.entries(key)) == 1
    with Journal(run.journal, run.id) as journal:
        data = {"target": ["b", ""], "because": "it read an old file", "voids": [["b", "", 1]]}
        journal.append(convert_body("StepInvalidated", data), "b", round=0)
        journal.append(RunResumed())
    assert drive(run) == "succeeded"
    assert [(e.round, e.attempt) for e in events(run, "StepSucceeded", "b")] == [(0, 1), (1, 2)]
    assert (tmp_path / "ran.txt").read_text().split() == ["a", "b", "b"]
    assert open_store(home / "store").get(manifest_key(run.id, "b", round=1)) is not None
    (entry,) = index.entries(key)
    manifest = index.store.get(entry.manifest_key)
    assert manifest is not None
    assert b'"round":1' in manifest


def test_what_used_a_result_that_is_the_same_after_a_repair_is_not_executed_again(
    tmp_path: Path,
) -> None:
    steps = {
        "a": Make("mark\nvalue x 1", outputs=["x"]),
        "b": Make("mark\nvalue y {x}", inputs={"x": "a"}, outputs=["y"]),
        "c": Make("mark\nvalue z {y}", inputs={"y": "b"}, outputs=["z"]),
    }
    run = go(make_pipeline(tmp_path, steps))
    with Journal(run.journal, run.id) as journal:
        voids = [["b", "", 1], ["c", "", 1]]
        data = {"target": ["b", ""], "because": "it read an old file", "voids": voids}
        journal.append(convert_body("StepInvalidated", data), "b", round=0)
        journal.append(RunResumed())
    assert drive(run) == "succeeded"
    assert (tmp_path / "ran.txt").read_text().split() == ["a", "b", "c", "b"]
    assert statuses(run)["c"] == "cached"
    assert value(run, "c", "z") == "1"
    assert events(run, "StepReady", "b")[-1].data.why == "again, because it read an old file"
