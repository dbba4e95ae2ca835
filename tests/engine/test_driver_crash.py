"""A driver may be killed at any moment; nothing is lost, nothing happens twice."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kfnb.engine import driver_requests
from kfnb.engine.core.event_types import AttemptStarted
from kfnb.engine.core.events import Event
from kfnb.engine.driver import Driver
from kfnb.engine.journal.file_journal import Journal
from kfnb.errors import InfrastructureError
from kfnb.home import RunFolder
from kfnb.runners import create_run, driver_state, request_stop
from kfnb.runners.launch import resume
from kfnb.runners.local.processes import LocalRunner
from kfnb.store import failed_key, locks, open_store
from tests.runners.bench import (
    FAKE,
    Make,
    drive,
    driver_process,
    events,
    go,
    make_pipeline,
    quick,
    status,
    statuses,
    value,
    wait_for,
)
from tests.waiting import PATIENCE, wait_until

STEPS = {
    "a": Make("mark\nmetric m 1\nvalue x 1", outputs=["x"]),
    "b": Make("mark\nsleep 0.15\nvalue y b{x}", inputs={"x": "a"}, outputs=["y"]),
    "c": Make("mark\nwrite c.txt c", inputs={"x": "a"}, writes=["c.txt"]),
    "d": Make("mark\nvalue z {y}!", inputs={"y": "b"}, outputs=["z"], after=["c"]),
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("KFNB_HOME", str(folder))
    return folder


def new_run(folder: Path, steps: dict[str, Make] | None = None, **settings: object) -> RunFolder:
    return create_run(make_pipeline(folder, steps or STEPS), settings=quick(**settings))


def test_a_driver_that_is_killed_at_every_event_loses_nothing_and_repeats_nothing(
    tmp_path: Path,
) -> None:
    run = new_run(tmp_path)
    killed = 0
    while events(run)[-1].type != "RunFinished":
        last = events(run)[-1].seq
        process = driver_process(run, last=last + 2)  # DriverStarted, and one more
        output = process.communicate(timeout=PATIENCE)[0].decode()
        assert process.returncode in (-signal.SIGKILL, 0), output
        killed += process.returncode != 0
        assert killed < 80
    assert killed > 10
    assert status(run) == "succeeded"
    assert value(run, "d", "z") == "b1!"
    # An attempt that was recorded but not yet begun is repeated; one that ran never is.
    assert Counter((tmp_path / "ran.txt").read_text().split()) == {"a": 1, "b": 1, "c": 1, "d": 1}
    assert Counter(e.step for e in events(run, "StepSucceeded")) == {"a": 1, "b": 1, "c": 1, "d": 1}
    reported = [(e.step, e.attempt, e.data.n) for e in events(run) if getattr(e.data, "n", None)]
    assert len(reported) == len(set(reported))


@pytest.mark.parametrize("last", [4, 9, 14, 19])
def test_a_driver_that_is_killed_once_is_replaced(tmp_path: Path, last: int) -> None:
    run = new_run(tmp_path)
    driver_process(run, last=last).communicate(timeout=PATIENCE)
    assert drive(run) == "succeeded"
    assert Counter((tmp_path / "ran.txt").read_text().split()) == {"a": 1, "b": 1, "c": 1, "d": 1}


def test_the_next_driver_adopts_what_still_executes(tmp_path: Path) -> None:
    run = new_run(tmp_path, {"a": Make("mark\nawait go\nvalue x 1", outputs=["x"])})
    first = driver_process(run)
    wait_for(run, "CellStarted", "a")
    first.kill()
    first.wait()
    second = driver_process(run)
    wait_for(run, "DriverStarted", count=2)
    (tmp_path / "go").touch()
    second.communicate(timeout=PATIENCE)
    assert status(run) == "succeeded"
    assert [e.attempt for e in events(run, "AttemptStarted")] == [1]
    assert (tmp_path / "ran.txt").read_text() == "a\n"


def test_what_an_adopted_attempt_does_is_heard_at_once(tmp_path: Path) -> None:
    run = new_run(tmp_path, {"a": Make("await speak\nsay hello\nawait end")})
    first = driver_process(run)
    wait_for(run, "CellStarted", "a")
    first.kill()
    first.wait()
    second = driver_process(run)
    wait_for(run, "DriverStarted", count=2)
    (tmp_path / "speak").touch()
    heard = wait_for(run, "Warning", "a")
    assert not events(run, "StepSucceeded")
    (tmp_path / "end").touch()
    second.communicate(timeout=PATIENCE)
    assert heard.data.message == "hello"
    assert status(run) == "succeeded"


def test_an_attempt_that_died_with_its_driver_is_repeated(tmp_path: Path) -> None:
    run = new_run(tmp_path, {"a": Make("await go\nmark\nvalue x 1", outputs=["x"])})
    first = driver_process(run)
    wait_for(run, "CellStarted", "a")
    pid = int(run.attempt("a", 1).process.read_text().split(":")[1].split(",")[0])
    for doomed in (first.pid, pid):
        os.kill(doomed, signal.SIGKILL)
    first.wait()
    (tmp_path / "go").touch()
    assert drive(run) == "succeeded"
    (failed,) = events(run, "AttemptFailed")
    assert failed.data.kind == "infrastructure"


def test_a_result_that_was_published_while_no_driver_lived_counts(tmp_path: Path) -> None:
    run = new_run(tmp_path, {"a": Make("mark\nawait go\nvalue x 1", outputs=["x"])})
    first = driver_process(run)
    wait_for(run, "CellStarted", "a")
    first.kill()
    first.wait()
    (tmp_path / "go").touch()
    wait_until(lambda: not locks.is_locked(run.attempt("a", 1).alive), "the attempt ends")
    assert drive(run) == "succeeded"
    assert (tmp_path / "ran.txt").read_text() == "a\n"


def test_of_two_drivers_one_works_and_the_other_reports_that_and_exits(tmp_path: Path) -> None:
    run = new_run(tmp_path, {"a": Make("await go")})
    first = driver_process(run)
    wait_for(run, "CellStarted", "a")
    second = driver_process(run)
    said = second.communicate(timeout=PATIENCE)[0].decode()
    assert second.returncode != 0
    assert "already being executed by process" in said
    assert driver_state(run) == "alive"
    (tmp_path / "go").touch()
    first.communicate(timeout=PATIENCE)
    assert status(run) == "succeeded"
    assert driver_state(run) == "ended"


def test_a_lost_driver_is_reported_with_the_time_of_its_last_event(tmp_path: Path) -> None:
    run = new_run(tmp_path, {"a": Make("sleep 600")})
    first = driver_process(run)
    wait_for(run, "CellStarted", "a")
    first.kill()
    first.wait()
    assert driver_state(run).startswith("lost since 20")
    second = driver_process(run)
    wait_for(run, "DriverStarted", count=2)
    request_stop(run)
    second.communicate(timeout=PATIENCE)
    assert status(run) == "cancelled"


def test_a_stop_ends_what_executes_and_cancels_the_rest(tmp_path: Path) -> None:
    steps = {"a": Make("sleep 600\nvalue x 1", outputs=["x"]), "b": Make("", inputs={"x": "a"})}
    run = new_run(tmp_path, steps)
    driver = driver_process(run)
    wait_for(run, "CellStarted", "a")
    request_stop(run)
    driver.communicate(timeout=PATIENCE)
    store = open_store(run.path.parent.parent / "store")
    assert store.get(failed_key(run.id, "a", 1)), "the step ended itself and was not killed"
    assert status(run) == "cancelled"
    assert statuses(run) == {"a": "cancelled", "b": "cancelled"}


def test_a_step_that_does_not_obey_is_killed(tmp_path: Path) -> None:
    run = new_run(tmp_path, {"a": Make("deaf\nsay deaf\nsleep 600")})
    driver = driver_process(run)
    wait_for(run, "Warning", "a")
    driver.kill()
    driver.wait()
    driver_requests = run.control / "1.json"
    driver_requests.write_text('{"type": "stop", "data": {}}')
    assert drive(run, grace=0.2) == "cancelled"


def test_a_stopped_run_is_resumed_and_what_is_done_stays_done(tmp_path: Path) -> None:
    steps = {
        "a": Make("mark\nvalue x 1", outputs=["x"]),
        "b": Make("mark\nneed go.txt\nvalue y 2", inputs={"x": "a"}, outputs=["y"]),
    }
    run = go(make_pipeline(tmp_path, steps), settings=quick())
    assert statuses(run) == {"a": "succeeded", "b": "failed"}
    (tmp_path / "go.txt").write_text("")
    driver_requests.send_request(run, driver_requests.Request("resume"))
    assert drive(run) == "succeeded"
    assert (tmp_path / "ran.txt").read_text().split() == ["a", "b", "b"]


def test_a_run_that_succeeded_cannot_be_resumed(tmp_path: Path) -> None:
    run = go(make_pipeline(tmp_path, {"a": Make("")}))
    with pytest.raises(Exception, match="nothing left to do"):
        resume(run)


def test_a_run_folder_that_is_deleted_ends_the_driver_and_its_steps(tmp_path: Path) -> None:
    import shutil

    run = new_run(tmp_path, {"a": Make("sleep 600")})
    driver = driver_process(run)
    wait_for(run, "CellStarted", "a")
    shutil.rmtree(run.path)
    said = driver.communicate(timeout=PATIENCE)[0].decode()
    assert driver.returncode not in (0, -signal.SIGKILL)
    assert "deleted" in said


def test_a_torn_last_line_of_the_journal_is_left_out(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    driver_process(run, last=8).communicate(timeout=PATIENCE)
    with run.journal.open("ab") as journal:
        journal.write(b'{"v":1,"seq":9,"ti')
    assert drive(run) == "succeeded"


class FullJournal(Journal):
    """Refuses everything after ``AttemptStarted``, as a full disk does."""

    refuses = False

    def append(self, *args: Any, **kwargs: Any) -> Event:
        if self.refuses:
            raise InfrastructureError("cannot write the journal: the disk is full.")
        self.refuses = isinstance(args[0], AttemptStarted)
        return super().append(*args, **kwargs)


def test_a_journal_that_cannot_be_written_ends_the_driver_and_its_steps(tmp_path: Path) -> None:
    run = new_run(tmp_path, {"a": Make("sleep 600")})
    with (
        FullJournal(run.journal, run.id) as journal,
        pytest.raises(InfrastructureError, match="the disk is full"),
    ):
        Driver(run, LocalRunner(command=FAKE, grace=1.0), journal).drive()
    assert not locks.is_locked(run.attempt("a", 1).alive)
    assert driver_state(run).startswith("lost since")
    request_stop_and_drive(run)
    assert status(run) == "cancelled"


def request_stop_and_drive(run: RunFolder) -> None:
    driver_requests.send_request(run, driver_requests.Request("stop"))
    drive(run)


def test_the_drivers_folder_for_its_doorbell_is_private_and_goes_with_it(tmp_path: Path) -> None:
    run = new_run(tmp_path, {"a": Make("await go")})
    driver = driver_process(run)
    wait_for(run, "CellStarted", "a")
    folder = Path((run.path / "doorbell").read_text()).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "go").touch()
    driver.communicate(timeout=PATIENCE)
    assert not folder.exists()
