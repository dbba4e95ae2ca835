"""The driver with real steps: papermill, kernels, values."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from kfnb.engine.driver import Driver
from kfnb.engine.journal.file_journal import Journal
from kfnb.home import RunFolder
from kfnb.pipeline import Options, Pipeline
from kfnb.runners import create_run, driver_state, request_stop, resume, start_driver
from kfnb.runners.local.processes import LocalRunner
from kfnb.store import open_store
from tests.runners.bench import (
    Make,
    events,
    make_pipeline,
    quick,
    status,
    statuses,
    wait_for,
    why,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("kfnb") / "home"
    monkeypatch.setenv("KFNB_HOME", str(folder))
    return folder


def wait_until_ended(run: RunFolder) -> None:
    wait_until(lambda: driver_state(run) != "alive", "the driver ends")
    assert driver_state(run) == "ended"


def go(pipeline: Pipeline, **settings: object) -> RunFolder:
    run = create_run(pipeline, settings=quick(**settings))
    with Journal(run.journal, run.id) as journal:
        Driver(run, LocalRunner(), journal).drive()
    return run


def test_values_files_and_outputs_flow_and_are_cached(tmp_path: Path) -> None:
    steps = {
        "load": Make("rows = [1, 2]\nprint('loaded')", outputs=["rows"]),
        "save": Make(
            "from pathlib import Path\nPath('out.txt').write_text(str(sum(rows)))",
            inputs={"rows": "load"},
            writes=["out.txt"],
        ),
        "report": Make(
            "from pathlib import Path\ntext = Path('out.txt').read_text()\ntext",
            after=["save"],
            outputs=["text"],
            reads=["out.txt"],
        ),
    }
    pipeline = make_pipeline(tmp_path, steps)
    run = go(pipeline)
    assert status(run) == "succeeded", events(run)[-3:]
    assert (tmp_path / "out.txt").read_text() == "3"
    (done,) = events(run, "StepSucceeded", "report")
    assert done.data.outputs["text"].repr == "'3'"
    assert "loaded" in run.attempt("load", 1).log.read_text()
    (tmp_path / "out.txt").unlink()
    second = go(pipeline)
    assert set(statuses(second).values()) == {"cached"}, why(second)
    assert (tmp_path / "out.txt").read_text() == "3"
    (tmp_path / "out.txt").write_text("mine")
    third = go(pipeline)
    assert statuses(third)["save"] == "failed"
    assert (tmp_path / "out.txt").read_text() == "mine"


def test_a_failing_cell_fails_its_step_with_the_cell_and_its_notebook(tmp_path: Path) -> None:
    run = go(make_pipeline(tmp_path, {"a": Make("x = 1\nraise ValueError('no')")}))
    (failed,) = events(run, "StepFailed")
    assert (failed.data.kind, failed.data.ename, failed.data.cell) == (
        "user",
        "ValueError",
        1,
    )
    assert run.attempt("a", 1).executed.exists()


def test_a_step_that_never_ends_is_ended(tmp_path: Path) -> None:
    steps = {"a": Make("while True: pass", options=Options(timeout=1.0))}
    run = go(make_pipeline(tmp_path, steps))
    assert events(run, "StepFailed")[0].data.kind == "timeout"


def test_a_stop_of_a_detached_run_ends_its_kernels(tmp_path: Path) -> None:
    source = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)"
    run = create_run(make_pipeline(tmp_path, {"a": Make(source)}), settings=quick())
    start_driver(run)
    wait_for(run, "CellOutput", "a")
    kernel = int(run.attempt("a", 1).log.read_text())
    assert driver_state(run) == "alive"
    request_stop(run)
    wait_for(run, "RunCancelled")
    assert status(run) == "cancelled"
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)


def test_a_failed_run_is_resumed_in_the_background(tmp_path: Path) -> None:
    steps = {
        "a": Make("x = 1", outputs=["x"]),
        "b": Make("assert open('go').read() == ''", inputs={"x": "a"}),
    }
    run = create_run(make_pipeline(tmp_path, steps), settings=quick())
    start_driver(run)
    wait_for(run, "RunFinished")
    (tmp_path / "go").write_text("")
    wait_until_ended(run)
    resume(run)
    wait_for(run, "StepSucceeded", "b")
    assert [e.step for e in events(run, "AttemptStarted")] == ["a", "b", "b"]


def test_a_kernel_that_steps_share_outlives_the_driver_and_its_own_loss_costs_the_group(
    tmp_path: Path,
) -> None:
    wait = (
        "import time\nfrom pathlib import Path\nwhile not Path('{}').exists(): time.sleep(0.02)\n"
    )
    steps = {
        "make": Make("import threading\nlock = threading.Lock()\nlock.acquire()", outputs=["lock"]),
        "use": Make(
            f"{wait.format('one')}assert lock.locked()\nn = 1",
            inputs={"lock": "make"},
            outputs=["n"],
        ),
        "die": Make(
            "import os\nfrom pathlib import Path\n"
            "if not Path('died').exists():\n"
            "    Path('died').write_text('x')\n    os.kill(os.getpid(), 9)\n"
            "lock.release()\nassert n == 1\nm = lock.locked()",
            inputs={"lock": "make", "n": "use"},
            outputs=["m"],
        ),
        "read": Make("print(m)", inputs={"m": "die"}),
    }
    run = create_run(make_pipeline(tmp_path, steps), settings=quick(retries=1))
    start_driver(run)
    wait_for(run, "CellStarted", "use")
    os.kill(int(events(run, "DriverStarted")[-1].data.pid), 9)
    wait_until(lambda: driver_state(run) != "alive")
    resume(run)
    wait_for(run, "DriverStarted", count=2)
    (tmp_path / "one").write_text("")
    wait_for(run, "RunFinished")
    assert status(run) == "succeeded", events(run)[-5:]
    (group,) = events(run, "GroupFormed")
    assert [name for name, _ in group.data.members] == ["make", "use", "die"]
    # The next driver has gone on in the kernel; its loss in "die" cost all three another attempt.
    started = [(e.step, e.attempt) for e in events(run, "AttemptStarted")]
    assert started == [
        *(("make", 1), ("use", 1), ("die", 1)),
        *(("make", 2), ("use", 2), ("die", 2), ("read", 1)),
    ]
    assert run.attempt("read", 1).log.read_text() == "False\n"
    wait_until_ended(run)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_that_fills_up_ends_the_run_with_a_sentence(tmp_path: Path, home: Path) -> None:
    import subprocess

    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(home)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        steps = {
            "a": Make("x = 1", outputs=["x"]),
            "b": Make("y = bytes(5_000_000)", inputs={"x": "a"}, outputs=["y"]),
        }
        run = create_run(make_pipeline(tmp_path, steps), settings=quick())
        start_driver(run)
        wait_for(run, "RunFinished")
        (failed,) = events(run, "StepFailed")
        assert failed.data.kind == "disk"
        assert "disk is full" in failed.data.summary
        assert statuses(run)["a"] == "succeeded"
        assert open_store(home / "store").list(f"manifests/{run.id}")
        wait_until_ended(run)
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)
        shutil.rmtree(home, ignore_errors=True)
