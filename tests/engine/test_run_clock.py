"""A driver's times when the machine's clock is set."""

from __future__ import annotations

from pathlib import Path

import pytest

from kfnb.engine.core.event_types import DriverStarted
from kfnb.engine.journal.file_journal import Journal
from kfnb.engine.run_clock import run_clock


class Machine:
    """The two clocks of a machine."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1000.0, 5.0

    def pass_seconds(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


def test_a_clock_that_is_set_changes_no_time_of_a_run() -> None:
    machine = Machine()
    clock = run_clock(wall=lambda: machine.wall, monotonic=lambda: machine.monotonic)
    assert clock() == 1000.0
    machine.wall += 3600
    assert clock() == 1000.0
    machine.pass_seconds(2)
    machine.wall -= 7200
    assert clock() == 1002.0


def test_the_next_driver_continues_where_the_last_one_was() -> None:
    machine = Machine()
    clock = run_clock(not_before=4600.0, wall=lambda: 1000.0, monotonic=lambda: machine.monotonic)
    assert clock() == 4600.0
    machine.pass_seconds(1)
    assert clock() == 4601.0


def test_times_in_a_journal_never_go_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    monkeypatch.setattr("time.time", lambda: machine.wall)
    monkeypatch.setattr("time.monotonic", lambda: machine.monotonic)
    path = tmp_path / "journal.jsonl"
    times = []
    for jump in (3600.0, -7200.0):
        with Journal(path, "run") as journal:
            times.append(journal.append(DriverStarted(pid=1)).time)
            machine.wall += jump
            machine.monotonic += 1.0
            times.append(journal.append(DriverStarted(pid=1)).time)
            assert journal.now() == times[-1]
    assert times[:2] == [1000.0, 1001.0]
    assert times == sorted(times)
