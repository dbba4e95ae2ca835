"""One view: what its page is told, and what its page asks for. The page is played."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kfnb.engine import driver_requests
from kfnb.home import RunFolder
from kfnb.live import log_tail, page_requests, snapshot, view_session
from kfnb.live.follower import Follower
from kfnb.live.view_session import Live
from tests.cli.scripted import FAILED, LOADED, SUCCEEDED, TRAINING, drive, log, made_run, write
from tests.widgets.conftest import ENGINE


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


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def shown(built: object) -> Iterator[Callable[..., tuple[Live, Page]]]:
    """Open a view of some runs; closed at the end."""
    follower = Follower()
    made: list[Live] = []

    def show(*runs: RunFolder, **options: Any) -> tuple[Live, Page]:
        from kfnb.api.run_view import RunView

        pipeline = RunView(runs[0]).pipeline
        one = Live(follower, pipeline, runs, **options)
        page = Page()
        one.page = page
        made.append(one)
        return one, page

    yield show
    for one in made:
        one.close()


def run_of(*events: Any) -> RunFolder:
    run = made_run()
    write(run, *events)
    return run


def point(value: float, attempt: int = 1) -> tuple[Any, ...]:
    return ("MetricLogged", "train", {"name": "loss", "value": value, "step": 1}, attempt)


def test_a_page_that_comes_gets_the_engine_and_all_that_is_known(shown: Any) -> None:
    view, page = shown(run_of(*SUCCEEDED))
    view.asked({"kind": "hello", "have": False})
    until(lambda: page.of("metrics"))
    assert [message["kind"] for message in page.said] == ["engine", "state", "metrics"]
    assert page.buffers[0] == [ENGINE]
    assert list(page.said[1]["steps"]) == ["n0", "n1", "n2"]
    assert page.said[2]["reset"]
    assert [p[2] for p in page.said[2]["points"][0]["points"]] == [0.5, 0.25]


def test_a_page_that_has_the_engine_is_not_sent_it(shown: Any) -> None:
    view, page = shown(run_of(*SUCCEEDED))
    view.asked({"kind": "hello", "have": True})
    until(lambda: page.of("metrics"))
    assert not page.of("engine")


def test_changes_come_by_themselves(shown: Any) -> None:
    run = run_of(*LOADED)
    _, page = shown(run)
    write(run, *TRAINING, point(0.5))
    until(lambda: page.of("metrics"))
    assert page.of("state")[-1]["steps"]["n1"]["status"] == "running"
    assert page.of("metrics")[0]["points"][0]["points"][0][2] == 0.5
    assert "reset" not in page.of("metrics")[0]


def test_metrics_of_other_runs_stand_beside(shown: Any) -> None:
    one, other = run_of(*LOADED, *TRAINING, point(1)), run_of(*LOADED, *TRAINING, point(2))
    view, page = shown(one, other)
    view.asked({"kind": "metrics"})
    until(lambda: page.of("metrics"))
    assert {s["run"] for s in page.of("metrics")[0]["points"]} == {one.id, other.id}
    write(other, point(3))
    until(lambda: len(page.of("metrics")) > 1)
    (series,) = page.of("metrics")[1]["points"]
    assert (series["run"], series["points"][0][2]) == (other.id, 3)
    assert not page.of("state") or "n1" not in page.of("state")[-1]["steps"]


def test_runs_are_called_what_people_called_them(shown: Any) -> None:
    one, other = run_of(*LOADED, *TRAINING, point(1)), run_of(*LOADED, *TRAINING, point(2))
    about = json.loads(other.run.read_bytes())
    other.run.write_text(json.dumps({**about, "name": "slow"}))
    view, page = shown(other, one)
    view.asked({"kind": "metrics"})
    view.asked({"kind": "compare", "runs": [one.id, other.id]})
    until(lambda: page.of("metrics") and page.of("compare"))
    titles = {one.id: "", other.id: "slow"}
    assert {s["run"]: s["title"] for s in page.of("metrics")[0]["points"]} == titles
    assert {run["id"]: run["title"] for run in page.of("compare")[0]["runs"]} == titles
    assert view.traits()["run"]["title"] == "slow"


def test_a_repeated_attempt_takes_its_points_back(shown: Any) -> None:
    run = run_of(*LOADED, *TRAINING, point(1))
    _, page = shown(run)
    failure = {"class": "user", "summary": "no"}
    write(run, ("AttemptFailed", "train", failure, 1), ("AttemptStarted", "train", {}, 2))
    write(run, point(3, 2))
    until(lambda: page.of("metrics") and page.of("metrics")[-1]["points"])
    known: list[float] = [1]
    for message in page.of("metrics"):
        new = [p[2] for series in message["points"] for p in series["points"]]
        known = new if message.get("reset") else [*known, *new]
    assert known == [3]


def test_the_state_is_synced_at_the_end_and_not_with_each_change(shown: Any) -> None:
    run = run_of(*LOADED)
    ended: list[int] = []
    view, page = shown(run, ended=lambda: ended.append(1))
    write(run, *TRAINING)
    until(lambda: page.of("state"))
    write(run, point(1))
    until(lambda: page.of("metrics"))
    assert page.synced == ["state"]
    write(run, *FAILED[len(LOADED) + len(TRAINING) + 1 :])
    until(lambda: ended)
    assert page.synced == ["state", "state"]
    assert view.over
    assert view.traits()["state"]["status"] == "failed"


def test_traits_are_as_new_as_the_journal_was_read(shown: Any) -> None:
    run = run_of(*LOADED)
    view, page = shown(run)
    before = view.traits()["state"]["seq"]
    seen = {"source": "load", "target": "report", "names": ["rows"], "files": [], "why": "shared"}
    write(run, ("EdgeAdded", "report", seen))
    until(lambda: page.of("state"))
    assert view.traits()["state"]["seq"] > before
    assert view.traits()["graph"]["edges"][-1]["found"]
    until(lambda: "graph" in page.synced)
    assert page.of("state")[0]["edges"][0]["why"] == "shared"


def test_a_log_is_followed_until_nobody_reads(shown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "PIECE", 8)
    run = run_of(*LOADED, *TRAINING)
    log(run, "train", "0123456789" * 3)
    view, page = shown(run)
    view.asked({"kind": "follow-log", "step": "n1", "attempt": None, "from": 0})
    until(lambda: sum(len(m["text"]) for m in page.of("log")) == 30)
    log(run, "train", "0123456789" * 3 + "more")
    output = {"cell": 2, "kind": "stream", "name": "stdout", "offset": 30, "length": 4}
    write(run, ("CellOutput", "train", output, 1))
    until(lambda: page.of("log")[-1]["text"] == "more")
    view.asked({"kind": "unfollow-log", "step": "n1"})
    log(run, "train", "0123456789" * 3 + "more and more")
    write(run, ("CellOutput", "train", {**output, "offset": 34, "length": 9}, 1), point(1))
    until(lambda: page.of("metrics"))
    assert page.of("log")[-1]["text"] == "more"


def test_the_log_of_a_run_that_has_ended_comes_whole(
    shown: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_tail, "PIECE", 1000)
    run = run_of(*FAILED)
    log(run, "train", "x" * 4321)
    view, page = shown(run)
    view.asked({"kind": "follow-log", "step": "n1", "attempt": 1, "from": 0})
    until(lambda: sum(len(m["text"]) for m in page.of("log")) == 4321)


def test_outputs_and_comparisons_are_answered(shown: Any) -> None:
    run = run_of(*FAILED)
    view, page = shown(run)
    view.asked({"kind": "outputs", "step": "n1", "attempt": None})
    view.asked({"kind": "compare", "runs": [run.id, 5]})
    until(lambda: page.of("compare"))
    assert page.of("outputs")[0]["step"] == "n1"
    assert page.of("compare")[0]["runs"][0]["id"] == run.id


def test_what_cannot_be_done_is_said(shown: Any) -> None:
    view, page = shown(run_of(*SUCCEEDED))
    view.asked({"kind": "compare", "runs": ["gone"]})
    view.asked({"kind": "notebook", "step": "n1", "attempt": None})
    view.asked({"kind": "command", "name": "stop"})
    view.asked({"kind": "command", "name": "resume"})
    until(lambda: len(page.of("said")) == 4)
    texts = [(m["level"], m["text"]) for m in page.of("said")]
    assert any(level == "error" and '"gone"' in text for level, text in texts)
    assert any(level == "info" and "ended already" in text for level, text in texts)
    assert any(level == "error" and "no executed notebook" in text for level, text in texts)
    assert any(level == "error" and "has succeeded" in text for level, text in texts)


def test_a_run_is_stopped_by_its_view(shown: Any) -> None:
    run = made_run()
    driver = drive(run, *LOADED, "go")
    view, page = shown(run)
    view.asked({"kind": "command", "name": "stop"})
    until(lambda: page.of("state") and page.of("state")[-1]["status"] == "cancelled")
    assert "being stopped" in page.of("said")[0]["text"]
    driver.wait(20)


def test_a_run_that_is_resumed_is_followed_again(
    shown: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(*FAILED)
    view, page = shown(run)

    def resume(self: Any, settings: Any) -> None:
        driver_requests.send_request(
            run, driver_requests.Request("resume", {})
        )  # as the real one, without a driver

    monkeypatch.setattr(view_session.RunView, "resume", resume)
    view.asked({"kind": "command", "name": "resume"})
    until(lambda: page.of("said"))
    write(run, ("RunResumed", None, {}), ("DriverStarted", None, {"pid": 2}))
    (request,) = driver_requests.pending_requests(run)
    driver_requests.remove_request(request)
    until(lambda: page.of("state") and page.of("state")[-1]["status"] == "running")


def test_a_page_that_comes_learns_that_a_run_was_resumed_elsewhere(shown: Any) -> None:
    run = run_of(*FAILED)
    view, page = shown(run)
    time.sleep(0.2)
    write(run, ("RunResumed", None, {}), ("DriverStarted", None, {"pid": 2}))
    view.asked({"kind": "hello", "have": True})
    until(lambda: page.of("state") and page.of("state")[-1]["status"] == "running")


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
        {"kind": "follow-log", "step": ["n0"], "attempt": "2", "from": -5},
        {"kind": "follow-log", "step": "n0", "attempt": 10**9, "from": 10**12},
        {"kind": "outputs", "step": "../../etc/passwd"},
        {"kind": "outputs", "step": "n0", "attempt": -1},
        {"kind": "compare"},
        {"kind": "compare", "runs": "latest"},
        {"kind": "command", "name": "rm"},
        {"kind": "select", "id": None},
    ],
)
def test_whatever_a_page_sends_the_view_lives_on(
    shown: Any, message: object, caplog: pytest.LogCaptureFixture
) -> None:
    view, page = shown(run_of(*SUCCEEDED))
    view.asked(message)
    view.asked({"kind": "metrics"})
    until(lambda: page.of("metrics"))
    assert not caplog.records


def test_a_view_of_a_pipeline_follows_nothing(built: object) -> None:
    from tests.cli.scripted import pipeline

    follower = Follower()
    view = Live(follower, pipeline(), [])
    view.page = page = Page()
    view.asked({"kind": "hello", "have": False})
    until(lambda: page.of("engine"))
    assert view.traits() == {"graph": snapshot.graph(pipeline()), "run": None, "state": None}
    for kind in ("metrics", "outputs", "follow-log", "compare", "command"):
        view.asked({"kind": kind, "step": "n0", "name": "stop", "runs": []})
    until(lambda: page.of("compare"))
    assert page_requests.compare([]) == {"kind": "compare", "runs": []}
    view.close()


def test_a_closed_view_tells_nothing(shown: Any) -> None:
    run = run_of(*LOADED)
    view, page = shown(run)
    other, heard = shown(run)
    view.close()
    view.asked({"kind": "hello", "have": True})
    write(run, *TRAINING)
    until(lambda: heard.of("state"))
    other.close()
    assert page.said == []
