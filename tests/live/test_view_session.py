"""One view: what its page is message, and what its page asks for. The page is played."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kfnb.api.launch import read
from kfnb.engine import driver_requests
from kfnb.home import RunFolder
from kfnb.live import log_tail, page_requests, snapshot, view_session
from kfnb.live.follower import Follower
from kfnb.live.view_session import ViewSession
from kfnb.runners import create_run
from tests.cli.scripted import FAILED, LOADED, SUCCEEDED, TRAINING, drive, log, made_run, write
from tests.live.conftest import ENGINE, LAYOUT
from tests.live.runs import run_of
from tests.waiting import PATIENCE, wait_until


class Page:
    """What a page would hear."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.buffers: list[Any] = []
        self.synced: list[str] = []

    def send(self, content: Any, buffers: Any = None) -> None:
        self.said.append(content)
        self.buffers.append(buffers)

    def send_state(self, key: Any = None) -> None:
        self.synced.append(key)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.said if message["kind"] == kind]


@pytest.fixture
def shown(built: object) -> Iterator[Callable[..., tuple[ViewSession, Page]]]:
    """Open a view of some runs; closed at the end."""
    follower = Follower()
    made: list[ViewSession] = []

    def show(*runs: RunFolder, **options: Any) -> tuple[ViewSession, Page]:
        from kfnb.api.run_view import RunView

        pipeline = RunView(runs[0]).pipeline
        one = ViewSession(follower, pipeline, runs, **options)
        page = Page()
        one.page = page
        made.append(one)
        return one, page

    yield show
    for one in made:
        one.close()


def point(value: float, attempt: int = 1) -> tuple[Any, ...]:
    return ("MetricLogged", "train", {"name": "loss", "value": value, "step": 1}, attempt)


def test_a_page_gets_the_script_that_lays_graphs_out_when_it_asks(shown: Any) -> None:
    view, page = shown(run_of(*SUCCEEDED))
    view.handle_message({"kind": "layout-script"})
    wait_until(lambda: page.of("layout-script"))
    assert [message["kind"] for message in page.said] == ["layout-script"]
    assert page.buffers[0] == [LAYOUT]


def test_a_new_page_gets_the_engine_and_the_whole_state(shown: Any) -> None:
    view, page = shown(run_of(*SUCCEEDED))
    view.handle_message({"kind": "hello", "have": False})
    wait_until(lambda: page.of("metrics"))
    assert [message["kind"] for message in page.said] == ["engine", "state", "metrics"]
    assert page.buffers[0] == [ENGINE]
    assert list(page.said[1]["steps"]) == ["load", "train", "report"]
    assert page.said[2]["reset"]
    assert [p[2] for p in page.said[2]["points"][0]["points"]] == [0.5, 0.25]


def test_a_page_that_has_the_engine_is_not_sent_it(shown: Any) -> None:
    view, page = shown(run_of(*SUCCEEDED))
    view.handle_message({"kind": "hello", "have": True})
    wait_until(lambda: page.of("metrics"))
    assert not page.of("engine")


def test_changes_are_pushed(shown: Any) -> None:
    run = run_of(*LOADED)
    _, page = shown(run)
    write(run, *TRAINING, point(0.5))
    wait_until(lambda: page.of("metrics"))
    assert page.of("state")[-1]["steps"]["train"]["status"] == "running"
    assert page.of("metrics")[0]["points"][0]["points"][0][2] == 0.5
    assert "reset" not in page.of("metrics")[0]


def test_metrics_of_compared_runs_are_sent_too(shown: Any) -> None:
    one, other = run_of(*LOADED, *TRAINING, point(1)), run_of(*LOADED, *TRAINING, point(2))
    view, page = shown(one, other)
    view.handle_message({"kind": "metrics"})
    wait_until(lambda: page.of("metrics"))
    assert {s["run"] for s in page.of("metrics")[0]["points"]} == {one.id, other.id}
    write(other, point(3))
    wait_until(lambda: len(page.of("metrics")) > 1)
    (series,) = page.of("metrics")[1]["points"]
    assert (series["run"], series["points"][0][2]) == (other.id, 3)
    assert not page.of("state") or "train" not in page.of("state")[-1]["steps"]


def test_runs_have_the_names_that_people_gave_them(shown: Any) -> None:
    one, other = run_of(*LOADED, *TRAINING, point(1)), run_of(*LOADED, *TRAINING, point(2))
    about = json.loads(other.run.read_bytes())
    other.run.write_text(json.dumps({**about, "name": "slow"}))
    view, page = shown(other, one)
    view.handle_message({"kind": "metrics"})
    view.handle_message({"kind": "compare", "runs": [one.id, other.id]})
    wait_until(lambda: page.of("metrics") and page.of("compare"))
    titles = {one.id: "", other.id: "slow"}
    assert {s["run"]: s["title"] for s in page.of("metrics")[0]["points"]} == titles
    assert {run["id"]: run["title"] for run in page.of("compare")[0]["runs"]} == titles
    assert view.traits()["run"]["title"] == "slow"


def test_a_repeated_attempt_resets_the_metrics(shown: Any) -> None:
    run = run_of(*LOADED, *TRAINING, point(1))
    _, page = shown(run)
    failure = {"class": "user", "summary": "no"}
    write(run, ("AttemptFailed", "train", failure, 1), ("AttemptStarted", "train", {}, 2))
    write(run, point(3, 2))
    wait_until(lambda: page.of("metrics") and page.of("metrics")[-1]["points"])
    known: list[float] = [1]
    for message in page.of("metrics"):
        new = [p[2] for series in message["points"] for p in series["points"]]
        known = new if message.get("reset") else [*known, *new]
    assert known == [3]


def test_the_state_is_synced_at_the_end_and_not_for_each_change(shown: Any) -> None:
    run = run_of(*LOADED)
    ended: list[int] = []
    view, page = shown(run, on_end=lambda: ended.append(1))
    write(run, *TRAINING)
    wait_until(lambda: page.of("state"))
    write(run, point(1))
    wait_until(lambda: page.of("metrics"))
    assert page.synced == ["state"]
    write(run, *FAILED[len(LOADED) + len(TRAINING) + 1 :])
    wait_until(lambda: ended)
    assert page.synced == ["state", "state"]
    assert view.ended
    assert view.traits()["state"]["status"] == "failed"


def test_traits_are_as_new_as_the_last_poll(shown: Any) -> None:
    run = run_of(*LOADED)
    view, page = shown(run)
    before = view.traits()["state"]["seq"]
    seen = {"source": "load", "target": "report", "names": ["rows"], "files": [], "why": "shared"}
    write(run, ("EdgeAdded", "report", seen))
    wait_until(lambda: page.of("state"))
    assert view.traits()["state"]["seq"] > before
    assert view.traits()["graph"]["edges"][-1]["found"]
    wait_until(lambda: "graph" in page.synced)
    assert page.of("state")[0]["edges"][0]["why"] == "shared"


def test_a_log_is_followed_until_it_is_closed(shown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "CHUNK_BYTES", 8)
    run = run_of(*LOADED, *TRAINING)
    log(run, "train", "0123456789" * 3)
    view, page = shown(run)
    view.handle_message({"kind": "follow-log", "step": "train", "attempt": None, "from": 0})
    wait_until(lambda: sum(len(m["text"]) for m in page.of("log")) == 30)
    log(run, "train", "0123456789" * 3 + "more")
    output = {"cell": 2, "kind": "stream", "name": "stdout", "offset": 30, "length": 4}
    write(run, ("CellOutput", "train", output, 1))
    wait_until(lambda: page.of("log")[-1]["text"] == "more")
    view.handle_message({"kind": "unfollow-log", "step": "train"})
    log(run, "train", "0123456789" * 3 + "more and more")
    write(run, ("CellOutput", "train", {**output, "offset": 34, "length": 9}, 1), point(1))
    wait_until(lambda: page.of("metrics"))
    assert page.of("log")[-1]["text"] == "more"


def test_the_log_of_an_ended_run_is_sent_completely(
    shown: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_tail, "CHUNK_BYTES", 1000)
    run = run_of(*FAILED)
    log(run, "train", "x" * 4321)
    view, page = shown(run)
    view.handle_message({"kind": "follow-log", "step": "train", "attempt": 1, "from": 0})
    wait_until(lambda: sum(len(m["text"]) for m in page.of("log")) == 4321)


def test_outputs_and_comparisons_are_answered(shown: Any) -> None:
    run = run_of(*FAILED)
    view, page = shown(run)
    view.handle_message({"kind": "outputs", "step": "train", "attempt": None})
    view.handle_message({"kind": "compare", "runs": [run.id, 5]})
    wait_until(lambda: page.of("compare"))
    assert page.of("outputs")[0]["step"] == "train"
    assert page.of("compare")[0]["runs"][0]["id"] == run.id


def test_a_failed_request_is_answered_with_a_sentence(shown: Any) -> None:
    view, page = shown(run_of(*SUCCEEDED))
    view.handle_message({"kind": "compare", "runs": ["gone"]})
    view.handle_message({"kind": "notebook", "step": "train", "attempt": None})
    view.handle_message({"kind": "command", "name": "stop"})
    view.handle_message({"kind": "command", "name": "resume"})
    wait_until(lambda: len(page.of("notice")) == 4)
    texts = [(m["level"], m["text"]) for m in page.of("notice")]
    assert any(level == "error" and '"gone"' in text for level, text in texts)
    assert any(level == "info" and "already ended" in text for level, text in texts)
    assert any(level == "error" and "no executed notebook" in text for level, text in texts)
    assert any(level == "error" and "has already succeeded" in text for level, text in texts)


def test_a_view_can_stop_its_run(shown: Any) -> None:
    run = made_run()
    driver = drive(run, *LOADED, "go")
    view, page = shown(run)
    view.handle_message({"kind": "command", "name": "stop"})
    wait_until(lambda: page.of("state") and page.of("state")[-1]["status"] == "cancelled")
    assert "Stopping the run" in page.of("notice")[0]["text"]
    driver.wait(PATIENCE)


def test_a_resumed_run_is_followed_again(shown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(*FAILED)
    view, page = shown(run)

    def resume(self: Any, settings: Any) -> None:
        driver_requests.send_request(
            run, driver_requests.Request("resume", {})
        )  # as the real one, without a driver

    monkeypatch.setattr(view_session.RunView, "resume", resume)
    view.handle_message({"kind": "command", "name": "resume"})
    wait_until(lambda: page.of("notice"))
    write(run, ("RunResumed", None, {}), ("DriverStarted", None, {"pid": 2}))
    (request,) = driver_requests.pending_requests(run)
    driver_requests.remove_request(request)
    wait_until(lambda: page.of("state") and page.of("state")[-1]["status"] == "running")


def test_run_again_starts_a_new_run_with_the_notebook_as_it_is_and_shows_it(
    shown: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = notebook(tmp_path / "book.ipynb", "rate = 0.1", "x = rate")
    old = create_run(read(path), parameters={"rate": 0.5}, name="slow")
    write(old, *FAILED[:1], ("RunFinished", None, {"status": "failed"}))
    view, page = shown(old)
    notebook(path, "rate = 0.1", "x = rate", "y = x")
    started: list[RunFolder] = []
    monkeypatch.setattr(view_session, "start_driver", started.append)
    view.handle_message({"kind": "command", "name": "run-again"})
    wait_until(lambda: page.of("notice"))
    (new,) = started
    assert view.traits()["run"]["id"] == new.id != old.id
    assert view.traits()["run"]["parameters"] == {"rate": 0.5}
    assert view.traits()["run"]["title"] == "slow"
    assert list(view.pipeline.steps) == list(read(path).steps)
    assert len(view.pipeline.cells) == 3
    # Together, so that no page shows the new run with the states of the old one.
    assert ["graph", "run", "state"] in page.synced


def test_run_again_with_errors_in_the_notebook_says_so_and_starts_nothing(
    shown: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = notebook(tmp_path / "book.ipynb", "rate = 0.1", "x = rate")
    old = create_run(read(path))
    view, page = shown(old)
    notebook(path, "rate = 0.1", "x = rates")
    monkeypatch.setattr(view_session, "start_driver", lambda _: pytest.fail("started"))
    view.handle_message({"kind": "command", "name": "run-again"})
    wait_until(lambda: page.of("notice"))
    assert page.of("notice")[0]["level"] == "error"
    assert "KFNB-E102" in page.of("notice")[0]["text"]
    assert view.traits()["run"]["id"] == old.id


def test_the_list_of_runs_is_sent_on_request(shown: Any, tmp_path: Path) -> None:
    run = made_run(tmp_path / "a.ipynb")
    other = made_run(tmp_path / "b.ipynb")
    view, page = shown(run)
    view.handle_message({"kind": "runs", "all": False})
    wait_until(lambda: page.of("runs"))
    view.handle_message({"kind": "runs", "all": True})
    wait_until(lambda: len(page.of("runs")) > 1)
    listed = [[one["id"] for one in message["runs"]] for message in page.of("runs")]
    assert listed == [[run.id], [other.id, run.id]]


def test_the_logs_of_all_steps_are_followed_together(shown: Any) -> None:
    run = run_of(*LOADED, *TRAINING)
    log(run, "load", "3 rows\n")
    view, page = shown(run)
    view.handle_message({"kind": "follow-log", "step": "", "index": "", "attempt": None, "from": 0})
    wait_until(lambda: page.of("log"))
    assert page.of("log")[0]["text"] == "load | 3 rows\n"
    log(run, "train", "epoch 1\n")
    write(run, point(1))
    wait_until(lambda: len(page.of("log")) > 1)
    assert page.of("log")[1]["text"] == "train | epoch 1\n"
    view.handle_message({"kind": "unfollow-log", "step": "", "index": ""})


def test_metrics_of_runs_that_are_chosen_later_are_followed_too(shown: Any) -> None:
    one, other = run_of(*LOADED, *TRAINING, point(1)), run_of(*LOADED, *TRAINING, point(2))
    view, page = shown(one)
    view.handle_message({"kind": "metrics", "runs": [other.id, one.id]})
    wait_until(lambda: page.of("metrics"))
    assert {s["run"] for s in page.of("metrics")[0]["points"]} == {one.id, other.id}
    assert view.traits()["run"]["id"] == one.id
    write(other, point(3))
    wait_until(lambda: len(page.of("metrics")) > 1)
    view.handle_message({"kind": "metrics", "runs": []})
    wait_until(lambda: len(view.feeds) == 1)


def test_what_a_step_used_is_sent_on_request(shown: Any) -> None:
    used = ("ResourceSampled", "train", {"cpu_seconds": 1.0, "memory": 2e8, "threads": 1}, 1)
    view, page = shown(run_of(*LOADED, *TRAINING, used))
    view.handle_message({"kind": "resources", "step": "train", "index": ""})
    wait_until(lambda: page.of("resources"))
    assert [row[1:] for row in page.of("resources")[0]["samples"]] == [[1.0, 2e8]]


def notebook(path: Path, parameters: str, *cells: str) -> Path:
    """Write a notebook of a step for each cell, after a cell of parameters."""
    tags = ["parameters", *(f"step:s{n}" for n in range(len(cells)))]
    written = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "source": source,
            "metadata": {"tags": [tag]},
            "outputs": [],
            "execution_count": None,
        }
        for n, (source, tag) in enumerate(zip([parameters, *cells], tags, strict=True))
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel}
    plain = {"cells": written, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(plain))
    return path


def test_a_new_page_sees_a_run_that_was_resumed_by_the_command_line(shown: Any) -> None:
    run = run_of(*FAILED)
    view, page = shown(run)
    time.sleep(0.2)
    write(run, ("RunResumed", None, {}), ("DriverStarted", None, {"pid": 2}))
    view.handle_message({"kind": "hello", "have": True})
    wait_until(lambda: page.of("state") and page.of("state")[-1]["status"] == "running")


@pytest.mark.parametrize(
    "message",
    [
        None,
        "hello",
        [],
        {},
        {"kind": 5},
        {"kind": "engine"},
        {"kind": "follow-log"},
        {"kind": "follow-log", "step": "n99", "from": "x"},
        {"kind": "follow-log", "step": ["load"], "attempt": "2", "from": -5},
        {"kind": "follow-log", "step": "load", "attempt": 10**9, "from": 10**12},
        {"kind": "outputs", "step": "../../etc/passwd"},
        {"kind": "outputs", "step": "load", "attempt": -1},
        {"kind": "compare"},
        {"kind": "compare", "runs": "latest"},
        {"kind": "command", "name": "rm"},
        {"kind": "select", "id": None},
    ],
)
def test_an_invalid_message_does_not_break_the_view(
    shown: Any, message: object, caplog: pytest.LogCaptureFixture
) -> None:
    view, page = shown(run_of(*SUCCEEDED))
    view.handle_message(message)
    view.handle_message({"kind": "metrics"})
    wait_until(lambda: page.of("metrics"))
    assert not caplog.records


def test_a_view_of_a_pipeline_follows_nothing(built: object) -> None:
    from tests.cli.scripted import pipeline

    follower = Follower()
    view = ViewSession(follower, pipeline(), [])
    view.page = page = Page()
    view.handle_message({"kind": "hello", "have": False})
    wait_until(lambda: page.of("engine"))
    assert view.traits() == {"graph": snapshot.graph(pipeline()), "run": None, "state": None}
    for kind in ("metrics", "outputs", "follow-log", "compare", "command"):
        view.handle_message({"kind": kind, "step": "load", "name": "stop", "runs": []})
    wait_until(lambda: page.of("compare"))
    assert page_requests.compare([]) == {"kind": "compare", "runs": [], "code": []}
    view.close()


def test_a_closed_view_sends_nothing(shown: Any) -> None:
    run = run_of(*LOADED)
    view, page = shown(run)
    other, heard = shown(run)
    view.close()
    view.handle_message({"kind": "hello", "have": True})
    write(run, *TRAINING)
    wait_until(lambda: heard.of("state"))
    other.close()
    assert page.said == []


def test_an_answer_has_the_id_of_its_request(shown: Any) -> None:
    run = run_of(*SUCCEEDED)
    view, page = shown(run)
    requests: list[dict[str, Any]] = [
        {"kind": "outputs", "step": "train", "attempt": None},
        {"kind": "follow-log", "step": "train", "attempt": None, "from": 0},
        {"kind": "metrics"},
        {"kind": "runs", "all": True},
        {"kind": "resources", "step": "train"},
        {"kind": "compare", "runs": [run.id]},
        {"kind": "compare", "runs": ["no such run"]},
        {"kind": "command", "name": "stop"},
        {"kind": "hello", "have": True},
    ]
    for number, request in enumerate(requests):
        view.handle_message({"re": number, **request})
    wait_until(lambda: {m["re"] for m in page.said if "re" in m} == set(range(len(requests))))
    kinds = {m["re"]: m["kind"] for m in page.said if "re" in m}
    assert list(map(kinds.get, range(len(requests)))) == [
        *("outputs", "log", "metrics", "runs", "resources", "compare", "notice", "notice", "state"),
    ]
    # The metrics that follow a greeting answer nothing.
    assert [m for m in page.of("metrics") if "re" not in m]
