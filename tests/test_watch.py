"""A watch tells of changes, by the kernel or by looking."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from kfnb.watch import Watch
from tests.waiting import PATIENCE

poll = pytest.mark.parametrize("poll", [True, False])


@poll
def test_nothing_happens(tmp_path: Path, poll: bool) -> None:
    with Watch([tmp_path], poll=poll) as watch:
        assert not watch.wait(0.1)


@poll
@pytest.mark.parametrize("change", ["write", "make", "remove", "replace"])
def test_a_change_is_heard(tmp_path: Path, poll: bool, change: str) -> None:
    file, other = tmp_path / "a", tmp_path.parent / "b"
    file.write_text("a")
    with Watch([tmp_path], poll=poll) as watch:
        if change == "write":
            with file.open("a") as stream:
                stream.write("more")
        elif change == "make":
            (tmp_path / "new").touch()
        elif change == "remove":
            file.unlink()
        else:
            other.write_text("other")
            other.replace(file)
        assert watch.wait(PATIENCE), "a change before the call is not missed"
        assert not watch.wait(0.1), "and told once"


@poll
def test_a_change_wakes_the_one_who_waits(tmp_path: Path, poll: bool) -> None:
    with Watch([tmp_path], poll=poll) as watch:
        timer = threading.Timer(0.1, (tmp_path / "new").touch)
        timer.start()
        assert watch.wait(PATIENCE), "it waits until the change, not until the end"
        timer.join()


@poll
def test_a_folder_that_is_removed(tmp_path: Path, poll: bool) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with Watch([folder], poll=poll) as watch:
        folder.rmdir()
        assert watch.wait(PATIENCE)


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_reading_is_no_change(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    file.write_text("")
    with Watch([tmp_path]) as watch:
        file.read_text()
        assert not watch.wait(0.1), "who looks at a lock must not wake itself"


def test_without_watches_left_folders_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kfnb.watch._Inotify.add", none_left)
    with Watch([tmp_path]) as watch:
        (tmp_path / "new").touch()
        assert watch.wait(PATIENCE)


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    later = tmp_path / "later"
    with Watch([later]) as watch:
        later.mkdir()
        watch.add(later)
        (later / "x").touch()
        assert watch.wait(PATIENCE)


@poll
def test_another_thread_wakes_the_one_who_waits(tmp_path: Path, poll: bool) -> None:
    with Watch([tmp_path], poll=poll) as watch:
        timer = threading.Timer(0.1, watch.wake)
        timer.start()
        assert watch.wait(PATIENCE), "it waits until the change, not until the end"
        timer.join()
        assert not watch.wait(0.1), "and only once"
        watch.wake()
        assert watch.wait(PATIENCE), "a call before the wait is not missed"
    watch.wake()


@poll
def test_who_rests_is_woken_by_threads_only(tmp_path: Path, poll: bool) -> None:
    with Watch([tmp_path], poll=poll) as watch:
        (tmp_path / "new").touch()
        assert not watch.rest(0.1)
        watch.wake()
        assert watch.rest(PATIENCE)
        assert watch.wait(PATIENCE), "what changed meanwhile is not missed"


@poll
def test_a_folder_that_is_watched_no_more(tmp_path: Path, poll: bool) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    with Watch([one, other], poll=poll) as watch:
        watch.remove(one)
        watch.remove(one)
        watch.wait(0.1)  # the system may tell that it watches no more
        (one / "new").touch()
        assert not watch.wait(0.1)
        (other / "new").touch()
        assert watch.wait(PATIENCE)
        watch.add(one)
        (one / "newer").touch()
        assert watch.wait(PATIENCE)


@poll
def test_a_folder_that_was_deleted_is_taken_off(tmp_path: Path, poll: bool) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with Watch([gone], poll=poll) as watch:
        gone.rmdir()
        assert watch.wait(PATIENCE)
        watch.remove(gone)
