"""kill -9 of the supervisor, alone and with others; and processes that a step leaves running."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.crash.test_kill import (
    CELLS,
    WAIT,
    check_finished,
    executions,
    let_go,
    processes,
    resume_and_finish,
    wait_for_middle_steps,
)
from tests.desk import Desk
from tests.waiting import PATIENCE, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the supervisor needs Linux"),
]

ESCAPES = (
    "import subprocess\n"
    "subprocess.Popen(['sleep', '{seconds}'])\n"
    "subprocess.Popen(['sh', '-c', 'sleep {seconds}; true'])\n"
    "subprocess.Popen(['setsid', 'sh', '-c', 'sleep {seconds} & sleep {seconds}'])\n"
)
WORKERS = (
    "import multiprocessing, time\n"
    "from multiprocessing import spawn\n"
    "worker = multiprocessing.get_context('spawn').Process(target=time.sleep, args=(600,))\n"
    "worker.start()\n"
    # Without this, multiprocessing itself would wait for the worker when the kernel exits.
    "multiprocessing.process._children.clear()\n"
    "from joblib.externals.loky import get_reusable_executor\n"
    "from joblib.externals.loky.process_executor import _global_shutdown_lock\n"
    "get_reusable_executor(2, timeout=600).submit(int, 1).result()\n"
)


@pytest.fixture(autouse=True)
def switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFNB_TEMPLATES", "on")


def supervisor(desk: Desk) -> psutil.Process:
    """Return the supervisor of the desk's home."""

    def is_it(process: psutil.Process) -> bool:
        try:
            line = process.cmdline()
        except psutil.Error:
            return False
        return str(desk.home) in line and any("step/supervisor" in word for word in line)

    return wait_until(lambda: [p for p in psutil.process_iter() if is_it(p)], "it runs")[0]


def sleeping(seconds: str) -> list[int]:
    """Return the processes that sleep for this unusual time."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(seconds in word for word in process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return [pid for pid in found if pid != os.getpid()]


def seconds_of(desk: Desk) -> str:
    """Make a time to sleep by which a test knows its own processes."""
    return f"6{abs(hash(str(desk.home))) % 10**8:08}"


def left_running(desk: Desk) -> list[str]:
    return [
        e["data"]["message"]
        for e in desk.events()
        if e["type"] == "Warning" and e["data"]["code"] == "KFNB-W617"
    ]


def test_the_supervisor_is_killed(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        everyone = wait_for_middle_steps(desk)
        supervisor(desk).kill()
        _, alive = psutil.wait_procs([*everyone["step"], *everyone["kernel"]], timeout=PATIENCE)
        assert not alive, "steps and kernels end with it"
        let_go(desk)
        printed, _ = follower.communicate(timeout=PATIENCE)
    assert follower.returncode == 0, f"an infrastructure failure is tried again: {printed}"
    check_finished(desk)
    failed = [e["data"]["class"] for e in desk.events() if e["type"] == "AttemptFailed"]
    assert failed == ["infrastructure"] * 2


@pytest.mark.parametrize("command", ["resume", "run", "clean"])
def test_supervisor_and_driver_are_killed_and_the_next_command_ends_what_escaped(
    desk: Desk, command: str
) -> None:
    seconds = seconds_of(desk)
    cells = [*CELLS[:1], ("step:second", ESCAPES.format(seconds=seconds) + CELLS[1][1]), *CELLS[2:]]
    with desk.start("run", desk.notebook(*cells)) as follower:
        everyone = wait_for_middle_steps(desk)
        wait_until(lambda: len(sleeping(seconds)) >= 6, "everything sleeps")
        everyone["driver"][0].kill()
        supervisor(desk).kill()
        follower.communicate(timeout=PATIENCE)
        psutil.wait_procs([*everyone["step"], *everyone["kernel"]], timeout=PATIENCE)
    if command == "clean":
        desk.kfnb("clean")
        wait_until(lambda: not sleeping(seconds), "what escaped ends")
        return
    if command == "run":
        desk.kfnb("run", desk.notebook(("step:other", "x = 1"), name="other.ipynb"))
        wait_until(lambda: not sleeping(seconds), "what escaped ends")
        return
    resume_and_finish(desk)
    wait_until(lambda: not sleeping(seconds), "what escaped ends")


def test_everybody_is_killed_at_once(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        everyone = wait_for_middle_steps(desk)
        above = supervisor(desk)
        os.killpg(follower.pid, signal.SIGKILL)
        for process in [*everyone["driver"], above, *everyone["step"], *everyone["kernel"]]:
            # What one of them has ended with it is gone by now.
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        follower.communicate(timeout=PATIENCE)
    resume_and_finish(desk)


@pytest.mark.parametrize("moment", ["AttemptStarted", "CellFinished", "StepSucceeded"])
def test_the_supervisor_is_killed_at_a_moment(desk: Desk, moment: str) -> None:
    let_go(desk)
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        desk.wait_for(moment)
        supervisor(desk).kill()
        printed, _ = follower.communicate(timeout=PATIENCE)
    assert follower.returncode == 0, printed
    check_finished(desk)


# Python executes this module when it starts. It has the step "second" kill its supervisor, once, when
# publish() has checked that the supervisor lives and is about to create the manifest.
INJECTED = """
import ctypes, os, sys, time
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder

def parent(pid):
    return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])

class Finder(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "kfnb.step.execution.publishing":
            return None
        spec = PathFinder.find_spec(name, path)
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            made = module.Manifest
            def manifest(**fields):
                if fields["step"] == "second" and not os.path.exists(MARK):
                    open(MARK, "w").close()
                    supervisor = parent(os.getppid())
                    if SURVIVES:
                        ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
                    os.kill(supervisor, 9)
                    while not SURVIVES or os.path.exists(f"/proc/{supervisor}/exe"):
                        time.sleep(0.01)
                return made(**fields)
            module.Manifest = manifest
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("survives", [True, False], ids=["commits", "dies"])
def test_the_supervisor_is_killed_between_its_check_and_the_commit(
    desk: Desk, tmp_path: Path, survives: bool
) -> None:
    folder, mark = tmp_path / "injected", tmp_path / "mark"
    folder.mkdir()
    values = f"MARK, SURVIVES = {str(mark)!r}, {survives}\n"
    (folder / "sitecustomize.py").write_text(values + INJECTED)
    let_go(desk)
    done = desk.kfnb("run", desk.notebook(*CELLS), PYTHONPATH=str(folder))
    assert done.returncode == 0, done.stdout
    assert mark.exists()
    check_finished(desk)
    lost = [e["step"] for e in desk.events() if e["type"] == "AttemptFailed"]
    assert ("second" in lost) == (not survives)


def test_the_driver_is_killed_and_the_next_one_adopts_what_the_supervisor_executes(
    desk: Desk,
) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        wait_for_middle_steps(desk)["driver"][0].kill()
        follower.communicate(timeout=PATIENCE)
    before = supervisor(desk).pid
    resume_and_finish(desk)
    attempts = [e["attempt"] for e in desk.events() if e["type"] == "AttemptStarted"]
    assert attempts == [1, 1, 1, 1]
    assert supervisor(desk).pid == before


def test_an_attempt_below_another_supervisor_is_adopted_and_can_be_stopped(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        everyone = wait_for_middle_steps(desk)
        everyone["driver"][0].kill()
        follower.communicate(timeout=PATIENCE)
    # A terminal with other limits has a supervisor of its own.
    stopped = desk.kfnb("stop", "latest", LC_TIME="C")
    assert stopped.returncode == 0, stopped.stderr
    desk.wait_for("RunCancelled")
    _, alive = psutil.wait_procs([*everyone["step"], *everyone["kernel"]], timeout=PATIENCE)
    assert not alive


@pytest.mark.parametrize("victim", ["nobody", "step", "kernel"])
def test_what_a_step_leaves_running_is_ended_and_named(desk: Desk, victim: str) -> None:
    seconds = seconds_of(desk)
    source = ESCAPES.format(seconds=seconds) + WAIT
    with desk.start("run", desk.notebook(("step:second", source))) as follower:
        desk.wait_for("CellStarted", "second")
        wait_until(lambda: len(sleeping(seconds)) >= 6, "everything sleeps")
        if victim == "nobody":
            let_go(desk)
        else:
            wait_until(lambda: processes(desk)[victim])[0].kill()
            desk.wait_for("AttemptFailed")
            let_go(desk)
        follower.communicate(timeout=PATIENCE)
    assert follower.returncode == (1 if victim == "kernel" else 0)
    wait_until(lambda: not sleeping(seconds), "they end")
    named = left_running(desk)
    assert named, "a warning names what was left running"
    assert all(f"sleep {seconds}" in message for message in named)
    assert executions(desk)["second"] == (0 if victim == "kernel" else 1)


def test_a_step_that_is_killed_leaves_no_sockets(desk: Desk) -> None:
    with desk.start("run", desk.notebook(*CELLS)) as follower:
        everyone = wait_for_middle_steps(desk)
        sockets = {folder for k in everyone["kernel"] for folder in socket_folders(k)}
        assert len(sockets) == 2
        for step in everyone["step"]:
            step.kill()
        wait_until(lambda: not any(folder.exists() for folder in sockets), "they are removed")
        let_go(desk)
        follower.communicate(timeout=PATIENCE)
    check_finished(desk)


def socket_folders(kernel: psutil.Process) -> set[Path]:
    """Return the folders of the sockets on which a kernel listens."""
    names = [c.laddr for c in kernel.net_connections("unix") if isinstance(c.laddr, str)]
    return {Path(name).parent for name in names if name.startswith("/") and "/kfnb-" in name}


def test_workers_of_multiprocessing_are_ended_and_named(desk: Desk) -> None:
    pytest.importorskip("joblib")
    path: Path = desk.notebook(("step:work", WORKERS))
    done = desk.kfnb("run", path)
    assert done.returncode == 0, done.stdout
    below = supervisor(desk).children(recursive=True)
    wait_until(lambda: not [p for p in below if p.is_running()], "the workers end")
    assert any("multiprocessing" in message for message in left_running(desk))
