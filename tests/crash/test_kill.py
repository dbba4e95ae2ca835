"""kill -9 of any process at any moment: resume continues, and no finished step runs again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tests.desk import Desk
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.slow
WAIT = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.02)\n"
"""The middle steps wait until the test lets them go on, however fast the machine is."""
CELLS = [
    ("step:first", "a = 1"),
    ("step:second", WAIT + "b = a + 1"),
    ("step:beside", WAIT + "c = a + 10"),
    ("step:last", "print(a, b, c)\nd = (a, b, c)"),
]


_ASK = (
    "import json; from kfnb.step.supervisor.client import Supervisor\n"
    "client = Supervisor.connect(start=False, role='visitor')\n"
    "listed = client.processes() if client else None\n"
    "print(json.dumps([listed.attempts, listed.kernels]) if listed else '')"
)


def processes(desk: Desk) -> dict[str, list[psutil.Process]]:
    """Return the living processes of the newest run: its driver, steps and kernels."""
    run = desk.runs()[-1]
    found: dict[str, list[psutil.Process]] = {"driver": [], "step": [], "kernel": []}
    # A forked process has its template's command line, so the supervisor is asked.
    asked = subprocess.run(
        [sys.executable, "-c", _ASK],
        env=desk.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.stdout.strip():
        attempts, kernels = json.loads(asked.stdout)
        for kind, pids in (("step", attempts.values()), ("kernel", map(int, kernels))):
            for pid in filter(None, pids):
                with contextlib.suppress(psutil.Error):
                    found[kind].append(psutil.Process(pid))
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            if "kfnb.runners" in line and str(run) in " ".join(line):
                found["driver"].append(process)
            elif "kfnb.step" in line and str(run) in " ".join(line):
                if process not in found["step"]:
                    found["step"].append(process)
                children = process.children(recursive=True)
                found["kernel"] += [c for c in children if "ipykernel" in " ".join(c.cmdline())]
        except psutil.Error:
            continue
    return found


def wait_for_middle_steps(desk: Desk) -> dict[str, list[psutil.Process]]:
    """Wait until both middle steps are in their cells, and return the processes."""
    desk.wait_for("CellStarted", "second")
    desk.wait_for("CellStarted", "beside")
    return processes(desk)


def executions(desk: Desk) -> Counter[str]:
    return Counter(e["step"] for e in desk.events() if e["type"] == "StepSucceeded")


def let_go(desk: Desk) -> None:
    """Let the middle steps go on."""
    (desk.folder / "go").touch()


def resume_and_finish(desk: Desk) -> None:
    """Resume, let the middle steps go on, and check what must be true after any crash."""
    drivers = [e["type"] for e in desk.events()].count("DriverStarted")
    with desk.start("resume", "latest") as resumed:
        wait_until(
            lambda: [e["type"] for e in desk.events()].count("DriverStarted") > drivers,
            "another driver starts",
            unless=lambda: resumed.poll() is not None,
        )
        let_go(desk)
        printed, _ = resumed.communicate(timeout=PATIENCE)
    assert resumed.returncode == 0, printed
    check_finished(desk)


def check_finished(desk: Desk) -> None:
    """Check what must be true of a finished run."""
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
    wait_until(lambda: not any(processes(desk).values()), "no process is left behind")


def test_the_driver_is_killed_while_steps_run(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        wait_for_middle_steps(desk)["driver"][0].kill()
        printed, _ = follower.communicate(timeout=PATIENCE)
    assert follower.returncode == 4
    assert "kfnb resume" in printed
    resume_and_finish(desk)
    attempts = [e["attempt"] for e in desk.events() if e["type"] == "AttemptStarted"]
    assert attempts == [1, 1, 1, 1], (
        "a step that runs without a driver is adopted, not started again"
    )


def test_the_process_of_a_step_is_killed(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        victim = wait_for_middle_steps(desk)["step"][0]
        kernels = victim.children(recursive=True)
        victim.kill()
        _, alive = psutil.wait_procs(kernels, timeout=PATIENCE)
        assert not alive, "its kernel ends too"
        let_go(desk)
        follower.communicate(timeout=PATIENCE)
    assert follower.returncode == 0, "an infrastructure failure is tried again"
    check_finished(desk)


def test_a_kernel_is_killed(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        wait_for_middle_steps(desk)["kernel"][0].kill()
        desk.wait_for("AttemptFailed")
        let_go(desk)
        printed, _ = follower.communicate(timeout=PATIENCE)
    assert follower.returncode == 1
    assert "kernel" in printed
    resume_and_finish(desk)


def test_everything_is_killed_at_once(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        everyone = wait_for_middle_steps(desk)
        os.killpg(follower.pid, signal.SIGKILL)
        for process in [*everyone["driver"], *everyone["step"], *everyone["kernel"]]:
            # What one of them has ended with it is gone by now.
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        follower.communicate(timeout=PATIENCE)
    status = json.loads(desk.kfnb("status", "latest", "--json").stdout)
    assert status["driver"].startswith("lost since")
    resume_and_finish(desk)


@pytest.mark.parametrize(
    "moment", ["RunCreated", "StepReady", "AttemptStarted", "CellFinished", "StepSucceeded"]
)
def test_the_driver_is_killed_at_a_moment(desk: Desk, moment: str) -> None:
    path: Path = desk.notebook(*CELLS)
    with desk.start("run", path) as follower:
        desk.wait_for(moment)
        # The journal begins before the driver starts.
        for process in wait_until(lambda: processes(desk)["driver"], "the driver starts"):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        follower.communicate(timeout=PATIENCE)
    resume_and_finish(desk)


def test_a_run_continues_when_its_terminal_is_closed(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        desk.wait_for("CellStarted")
        os.killpg(follower.pid, signal.SIGKILL)
    let_go(desk)
    desk.wait_for("RunFinished")
    assert executions(desk)["last"] == 1


def test_resuming_reports_a_driver_that_is_at_work_and_ends(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        wait_for_middle_steps(desk)
        second = desk.kfnb("resume", "latest")
        let_go(desk)
        follower.communicate(timeout=PATIENCE)
    assert "is still executing" in second.stdout + second.stderr
    assert follower.returncode == 0
    check_finished(desk)
