"""One thread for all views: what it tells whom, when, and when it is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfnb.home import RunFolder
from kfnb.live import follower as module
from kfnb.live.feed import Changes
from kfnb.live.follower import Follower
from tests.cli.scripted import FAILED, LOADED, TRAINING, made_run, write
from tests.waiting import PATIENCE, wait_until


class Seen:
    """A view that notes what it hears, and when."""

    def __init__(self, sends: int = 1) -> None:
        self.changes: list[dict[Path, Changes]] = []
        self.times: list[float] = []
        self.threads: set[str] = set()
        self._sends = sends

    def receive(self, changes: dict[Path, Changes], now: float) -> int:
        self.threads.add(threading.current_thread().name)
        self.times.append(now)
        if changes:
            self.changes.append(changes)
        return self._sends if changes else 0

    def statuses(self) -> list[str]:
        return [
            step["status"]
            for message in self.changes
            for one in message.values()
            if one.state
            for step in one.state["steps"].values()
        ]


@pytest.fixture(params=[False, True], ids=["inotify", "polling"])
def follower(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Follower]:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.3)
    made = Follower(poll=request.param)
    yield made
    for subscriber in list(made._subscribers):
        made.remove(subscriber)
    wait_until(lambda: not made.running)


def begun(*events: object) -> RunFolder:
    run = made_run()
    write(run, *LOADED, *events)
    return run


def test_a_change_reaches_the_views_of_its_run(follower: Follower) -> None:
    one, other = begun(), begun()
    views = Seen(), Seen(), Seen()
    follower.follow(views[0], [one])
    follower.follow(views[1], [one])
    follower.follow(views[2], [other])
    write(one, *TRAINING)
    for view in views[:2]:
        wait_until(lambda view=view: view.statuses()[-1:] == ["running"])
    assert views[2].changes == []
    assert views[0].threads == {"kfnb views"}
    assert sum(t.name == "kfnb views" for t in threading.enumerate()) == 1


def test_views_of_one_run_share_its_feed(follower: Follower) -> None:
    run = begun()
    (one,) = follower.follow(Seen(), [run])
    (other,) = follower.follow(Seen(), [run])
    assert one is other


def test_fast_changes_are_sent_together(follower: Follower) -> None:
    run = begun(*TRAINING)
    view = Seen()
    follower.follow(view, [run])
    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        write(run, ("MetricLogged", "train", {"name": "loss", "value": 1, "step": 0}, 1))
        time.sleep(0.002)
    wait_until(lambda: sum(len(s.points) for n in view.changes for s in n.values()))
    took = time.monotonic() - began
    assert len(view.changes) <= 10 * took + 2


def test_a_view_that_gets_many_messages_gets_them_less_often(
    follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(*TRAINING)
    view, other = Seen(sends=5), Seen(sends=0)
    monkeypatch.setattr(module, "SEND_SECONDS", 1000)
    follower.follow(view, [run])
    follower.follow(other, [run])
    for _ in range(5):
        before = len(other.changes)
        write(run, ("MetricLogged", "train", {"name": "loss", "value": 1, "step": 0}, 1))
        follower.call(lambda: None)  # wakes the thread, which rests because of the other view
        wait_until(lambda before=before: len(other.changes) > before)
    assert len(view.changes) == 1


def test_an_ended_run_is_not_watched_and_the_thread_ends(follower: Follower) -> None:
    run = begun()
    view = Seen()
    (feed,) = follower.follow(view, [run])
    assert follower.running
    write(run, *FAILED[len(LOADED) :])
    wait_until(lambda: feed.ended)
    assert view.statuses()[-2:] == ["failed", "skipped"]
    wait_until(lambda: not follower.running)


def test_the_thread_ends_soon_for_a_run_that_had_ended(follower: Follower) -> None:
    run = made_run()
    write(run, *FAILED)
    follower.follow(Seen(), [run])
    wait_until(lambda: not follower.running)


def test_the_thread_starts_again_for_a_request(follower: Follower) -> None:
    run = made_run()
    write(run, *FAILED)
    view = Seen()
    follower.follow(view, [run])
    wait_until(lambda: not follower.running)
    done = threading.Event()
    follower.call(done.set)
    assert done.wait(PATIENCE)


def test_a_request_is_answered_while_nothing_changes(
    follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DRIVER_CHECK_SECONDS", 1000)
    run = begun()
    follower.follow(Seen(), [run])
    time.sleep(0.2)
    done = threading.Event()
    follower.call(done.set)
    assert done.wait(PATIENCE)


def test_a_closed_view_gets_nothing(follower: Follower) -> None:
    run = begun()
    closed, open_ = Seen(), Seen()
    follower.follow(closed, [run])
    follower.follow(open_, [run])
    follower.remove(closed)
    write(run, *TRAINING)
    wait_until(lambda: open_.changes)
    assert closed.changes == []


def test_a_view_that_fails_does_not_silence_the_others(
    follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Seen):
        def receive(self, changes: dict[Path, Changes], now: float) -> int:
            raise RuntimeError("no comm")

    run = begun()
    good = Seen()
    follower.follow(Broken(), [run])
    follower.follow(good, [run])
    write(run, *TRAINING)
    wait_until(lambda: good.changes)
    write(run, ("CellFinished", "train", {"cell": 2, "duration": 0.1, "ok": True}, 1))
    wait_until(lambda: len(good.changes) > 1)
    assert len([r for r in caplog.records if "could not be updated" in r.message]) == 1


def test_a_task_that_fails_does_not_end_the_thread(
    follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("no")

    done = threading.Event()
    follower.call(fail)
    follower.call(done.set)
    assert done.wait(PATIENCE)
    assert "could not be answered" in caplog.text


def test_a_change_before_watching_begins_is_not_missed(follower: Follower) -> None:
    for _ in range(5):
        run = begun()
        view = Seen()
        writer = threading.Thread(target=write, args=(run, *TRAINING))
        writer.start()
        (feed,) = follower.follow(view, [run])
        writer.join()
        wait_until(lambda feed=feed: feed.view.state.steps["train", ""].status == "running")


def test_a_quiet_run_is_not_read(follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begun()
    (feed,) = follower.follow(Seen(), [run])
    wait_until(lambda: follower.running)
    looks = []
    real = feed.view.look
    monkeypatch.setattr(feed.view, "look", lambda: looks.append(1) or real())
    time.sleep(1.2)
    assert len(looks) <= 1
