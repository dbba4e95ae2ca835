"""kill -9 of anything, at any moment: resume goes on, nothing finished runs again."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tests.desk import Desk

pytestmark = pytest.mark.slow
SLOW = "import time\ntime.sleep({0})\n{1}"
CELLS = [
    ("step:first", "a = 1"),
    ("step:second", SLOW.format(2, "b = a + 1")),
    ("step:beside", SLOW.format(2, "c = a + 10")),
    ("step:last", "print(a, b, c)\nd = (a, b, c)"),
]


def processes(desk: Desk) -> dict[str, list[psutil.Process]]:
    """The processes of the newest run, by what they are."""
    run = desk.runs()[-1]
    found: dict[str, list[psutil.Process]] = {"driver": [], "step": [], "kernel": []}
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            if "kfnb.runners" in line and str(run) in " ".join(line):
                found["driver"].append(process)
            elif "kfnb.step" in line and str(run) in " ".join(line):
                found["step"].append(process)
                children = process.children(recursive=True)
                found["kernel"] += [c for c in children if "ipykernel" in " ".join(c.cmdline())]
        except psutil.Error:
            continue
    return found


def settle(desk: Desk) -> dict[str, list[psutil.Process]]:
    """Wait until both middle steps are in their cells, and return the processes."""
    desk.wait_for("CellStarted", "second")
    desk.wait_for("CellStarted", "beside")
    return processes(desk)


def executions(desk: Desk) -> Counter[str]:
    return Counter(e["step"] for e in desk.events() if e["type"] == "StepSucceeded")


def finish(desk: Desk) -> None:
    """Resume until the run is done, and hold what must hold after any crash."""
    result = desk.kfnb("resume", "latest")
    assert result.returncode == 0, result.stdout + result.stderr
    status = json.loads(desk.kfnb("status", "latest", "--json").stdout)
    assert status["status"] == "succeeded"
    assert executions(desk) == Counter(dict.fromkeys(("first", "second", "beside", "last"), 1))
    started = Counter(
        (e["step"], e["attempt"]) for e in desk.events() if e["type"] == "AttemptStarted"
    )
    assert max(started.values()) == 1, "an attempt is started once"
    assert [e["seq"] for e in desk.events()] == list(range(1, len(desk.events()) + 1))
    for executed in desk.home.glob("runs/*/steps/*/*/executed.ipynb"):
        json.loads(executed.read_text())
    for manifest in desk.home.glob("store/manifests/*/*.json"):
        for bundle in json.loads(manifest.read_text())["bundles"].values():
            for blob in bundle["blobs"]:
                assert list(desk.home.glob(f"store/blobs/*/{blob}")), "nothing is half published"
    everyone = processes(desk)
    deadline = time.monotonic() + 15
    while any(everyone.values()) and time.monotonic() < deadline:
        time.sleep(0.2)
        everyone = processes(desk)
    assert not any(everyone.values()), "no process is left behind"


def test_the_driver_is_killed_while_steps_run(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        settle(desk)["driver"][0].kill()
        said, _ = follower.communicate(timeout=60)
    assert follower.returncode == 4
    assert "kfnb resume" in said
    finish(desk)
    attempts = [e["attempt"] for e in desk.events() if e["type"] == "AttemptStarted"]
    assert attempts == [1, 1, 1, 1], "what went on without a driver is adopted, not started again"


def test_the_process_of_a_step_is_killed(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        victim = settle(desk)["step"][0]
        kernels = victim.children(recursive=True)
        victim.kill()
        _, alive = psutil.wait_procs(kernels, timeout=10)
        assert not alive, "its kernel goes with it"
        follower.communicate(timeout=90)
    assert follower.returncode == 0, "an infrastructure failure is tried again"
    finish(desk)


def test_a_kernel_is_killed(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        settle(desk)["kernel"][0].kill()
        said, _ = follower.communicate(timeout=90)
    assert follower.returncode == 1
    assert "kernel" in said
    finish(desk)


def test_everything_is_killed_at_once(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        everyone = settle(desk)
        os.killpg(follower.pid, signal.SIGKILL)
        for process in [*everyone["driver"], *everyone["step"], *everyone["kernel"]]:
            process.kill()
        follower.communicate(timeout=60)
    status = json.loads(desk.kfnb("status", "latest", "--json").stdout)
    assert status["driver"].startswith("lost since")
    finish(desk)


@pytest.mark.parametrize(
    "moment", ["RunCreated", "StepReady", "AttemptStarted", "CellFinished", "StepSucceeded"]
)
def test_the_driver_is_killed_at_a_moment(desk: Desk, moment: str) -> None:
    path: Path = desk.notebook(*CELLS)
    with desk.start("run", path) as follower:
        desk.wait_for(moment)
        for process in processes(desk)["driver"]:
            process.kill()
        follower.communicate(timeout=60)
    finish(desk)


def test_the_terminal_goes_and_the_run_goes_on(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        desk.wait_for("CellStarted")
        os.killpg(follower.pid, signal.SIGKILL)
    desk.wait_for("RunFinished")
    assert executions(desk)["last"] == 1


def test_a_second_driver_says_so_and_leaves(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        settle(desk)
        second = desk.kfnb("resume", "latest")
        follower.communicate(timeout=60)
    assert "driver" in second.stdout + second.stderr
    assert follower.returncode == 0
    finish(desk)
