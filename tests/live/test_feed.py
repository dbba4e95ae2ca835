"""A feed returns what changed in a journal since the last poll."""

from __future__ import annotations

from typing import Any

import pytest

from kfnb.home import RunFolder
from kfnb.live import protocol
from kfnb.live.feed import Feed
from tests.cli.scripted import (
    FAILED,
    LOADED,
    TRAINING,
    made_run,
    write,
)
from tests.live.typed_dicts import fits

Events = list[tuple[Any, ...]]
SEEN = (
    "EdgeAdded",
    "report",
    {"source": "load", "target": "report", "names": ["rows"], "files": [], "why": "shares memory"},
)
WARNED = ("Warning", "train", {"code": "KFNB-W301", "message": "rows changed", "remedy": "copy"})


def feed(*events: tuple[Any, ...]) -> tuple[RunFolder, Feed]:
    run = made_run()
    write(run, *events)
    made = Feed(run)
    made.poll(0.0)
    return run, made


def test_a_poll_returns_only_what_changed() -> None:
    run, made = feed(*LOADED)
    write(run, *TRAINING)
    changes = made.poll(1.0)
    assert changes is not None
    assert changes.state is not None
    assert fits(changes.state, protocol.StateMessage)
    assert {id_: step["status"] for id_, step in changes.state["steps"].items()} == {
        "train": "running"
    }
    assert "dot" not in changes.state
    assert not changes.graph
    assert made.poll(1.1) is None


def test_a_quiet_journal_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    _, made = feed(*LOADED)

    def read() -> None:
        raise AssertionError("nothing changed")

    monkeypatch.setattr(made.view, "look", read)
    assert made.poll(0.5) is None


def test_changes_between_two_polls_are_combined() -> None:
    run, made = feed()
    write(run, *FAILED)
    changes = made.poll(1.0)
    assert changes is not None
    assert changes.state is not None
    assert [step["status"] for step in changes.state["steps"].values()] == [
        "succeeded",
        "failed",
        "skipped",
    ]
    assert changes.state["status"] == "failed"
    assert changes.state["driver"] == "ended"
    assert made.ended
    assert [series["points"][0][2] for series in changes.points] == [0.5]


def test_an_added_dependency_changes_the_graph() -> None:
    run, made = feed(*LOADED)
    write(run, SEEN)
    changes = made.poll(1.0)
    assert changes is not None
    assert changes.graph
    assert changes.state is not None
    assert [edge["found"] for edge in changes.state["edges"]] == [True]
    assert "id=e2" in changes.state["dot"]


def test_a_warning_is_returned_once() -> None:
    run, made = feed(*LOADED)
    write(run, WARNED)
    changes = made.poll(1.0)
    assert changes is not None
    assert changes.state is not None
    (warning,) = changes.state["warnings"]
    assert warning["message"] == "rows changed"
    assert made.poll(1.1) is None


def test_a_repeated_attempt_resets_the_points() -> None:
    def point(value: float, attempt: int) -> tuple[Any, ...]:
        return ("MetricLogged", "train", {"name": "loss", "value": value, "step": 0}, attempt)

    run, made = feed(*LOADED, *TRAINING, point(0.5, 1))
    write(run, point(0.4, 1))
    changes = made.poll(1.0)
    assert changes is not None
    assert (changes.reset, [p[2] for s in changes.points for p in s["points"]]) == (False, [0.4])
    failure = {"class": "user", "summary": "no"}
    write(run, ("AttemptFailed", "train", failure, 1), ("AttemptStarted", "train", {}, 2))
    write(run, point(0.3, 2))
    changes = made.poll(2.0)
    assert changes is not None
    assert (changes.reset, [p[2] for s in changes.points for p in s["points"]]) == (True, [0.3])


def test_changes_that_were_not_sent_are_merged() -> None:
    run, made = feed()
    write(run, *LOADED)
    first = made.poll(1.0)
    write(run, *TRAINING, ("MetricLogged", "train", {"name": "loss", "value": 1, "step": 0}, 1))
    second = made.poll(2.0)
    assert first is not None
    assert second is not None
    joined = first.merged_with(second)
    assert joined.state is not None
    assert set(joined.state["steps"]) == {"load", "train"}
    assert joined.state["steps"]["train"]["status"] == "running"
    assert len(joined.points) == 1


def test_a_lost_driver_is_reported_and_so_is_its_return() -> None:
    run, made = feed(*LOADED)
    assert made.driver.startswith("lost since")
    assert not made.ended
    write(run, ("RunResumed", None, {}))
    changes = made.poll(10.0)
    assert changes is not None
    assert changes.state is not None
    assert changes.state["driver"] == "alive"
    changes = made.poll(20.0)
    assert changes is not None
    assert changes.state is not None
    assert changes.state["driver"].startswith("lost since")
    assert changes.state["steps"] == {}


def test_a_deleted_folder_is_reported_in_a_sentence() -> None:
    import shutil

    run, made = feed(*LOADED)
    shutil.rmtree(run.path)
    changes = made.poll(10.0)
    assert changes is not None
    assert changes.state is not None
    assert "was deleted" in str(changes.state["error"])
    assert made.ended
    assert made.poll(20.0) is None


def test_a_state_message_has_every_step() -> None:
    _, made = feed(*LOADED, SEEN)
    message = made.state_message(5.0)
    assert fits(message, protocol.StateMessage)
    assert list(message["steps"]) == ["load", "train", "report"]
    assert [edge["id"] for edge in message["edges"]] == ['["load", "report"]']
