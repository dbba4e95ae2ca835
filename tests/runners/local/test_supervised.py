"""What a driver does about its supervisor."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from kfnb.engine.runner import Work
from kfnb.home import AttemptFolder
from kfnb.runners.local import supervised
from kfnb.runners.local.supervised import STOPPED, SupervisedAttempts
from tests.step.supervisor.conftest import SupervisorBench, is_running
from tests.step.supervisor.conftest import bench as bench
from tests.waiting import wait_until


def test_a_supervisor_that_is_stopped_is_ended_after_a_while_and_a_warning_says_so(
    bench: SupervisorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "_STOPPED_SECONDS", 0.5)
    monkeypatch.setattr(supervised, "_LOOK_SECONDS", 0.05)
    folder = bench.folder / "attempt"
    folder.mkdir()
    work = Work("s", "s", 1, AttemptFolder(folder))
    attempts = SupervisedAttempts()
    with (folder / "log").open("wb") as log, (folder / "alive").open("wb") as alive:
        assert attempts.start(
            work,
            [sys.executable, "-c", "import time; time.sleep(600)"],
            os.environ,
            descriptors=(log.fileno(), alive.fileno()),
            from_template=False,
        )
    ((_, step),) = wait_until(attempts.started, "it starts")
    above = bench.pid()
    assert attempts.poll_interval() is not None
    os.kill(above, signal.SIGSTOP)

    def given_up() -> bool:
        attempts.poll()
        time.sleep(0.02)
        return not attempts.supervises(work)

    wait_until(given_up, "the driver gives it up")
    wait_until(lambda: not is_running(above) and not is_running(step), "they end")
    (notice,) = attempts.notices()
    assert (notice.work, notice.diagnostic.code) == (work, STOPPED)
    assert str(above) in notice.diagnostic.message
    assert attempts.notices() == []


def test_a_supervisor_that_is_stopped_for_a_moment_goes_on(
    bench: SupervisorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "_LOOK_SECONDS", 0.0)
    folder = bench.folder / "attempt"
    folder.mkdir()
    work = Work("s", "s", 1, AttemptFolder(folder))
    attempts = SupervisedAttempts()
    with (folder / "log").open("wb") as log, (folder / "alive").open("wb") as alive:
        attempts.start(
            work,
            [sys.executable, "-c", "raise SystemExit(3)"],
            os.environ,
            descriptors=(log.fileno(), alive.fileno()),
            from_template=False,
        )
    above = bench.pid()
    os.kill(above, signal.SIGSTOP)
    attempts.poll()
    os.kill(above, signal.SIGCONT)
    ((_, status, notices),) = wait_until(attempts.poll, "it ends")
    assert (status, notices, attempts.notices()) == (3, [], [])
