"""What a pipe gets: plain lines with stable words, or one JSON event a line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from kfnb.runners import create_run
from tests.cli import scripted
from tests.cli.scripted import drive, go, made_run, wait_until_following, write
from tests.cli.terminal import FOLLOWER
from tests.waiting import PATIENCE


def follower(run: str, *words: str, **how: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", FOLLOWER, run, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,  # type: ignore[call-overload]
    )


def ending(run: str, *words: str) -> tuple[int, str, str]:
    process = follower(run, *words)
    said, complaints = process.communicate(timeout=PATIENCE)
    return process.returncode, said, complaints


def test_the_lines_of_a_run_that_fails(tmp_path: Path) -> None:
    run = made_run(tmp_path / "train.ipynb")
    drive(run, *scripted.FAILED).wait()
    code, said, complaints = ending(run.id)
    # What happened before the run was resumed is not told again, but how it stands is.
    assert code == 1
    assert complaints == ""
    assert said.splitlines()[-1].startswith(f"run {run.id} failed in ")
    assert "> 2 |     return 1 / 0" in said
    assert f"  kfnb resume {run.id}  # retry with the old code, without your edits" in said
    assert "train.ipynb  # run again with your edits" in said


def test_what_to_type_after_a_change_names_the_target(tmp_path: Path) -> None:
    run = made_run(tmp_path / "train.ipynb", target="kubernetes")
    write(run, *scripted.FAILED)
    _, said, _ = ending(run.id)
    assert "train.ipynb --on kubernetes  # run again with your edits" in said


def test_what_to_type_after_a_change_has_the_parameters(tmp_path: Path) -> None:
    run = create_run(scripted.pipeline(tmp_path / "train.ipynb"), parameters={"rate": 1e-07})
    write(run, *scripted.FAILED)
    _, said, _ = ending(run.id)
    assert "train.ipynb -p rate=1e-07  # run again with your edits" in said


def test_the_words_are_stable() -> None:
    run = made_run()
    retried = [
        *scripted.LOADED,
        *scripted.TRAINING,
        ("Warning", "train", {"code": "KFNB-W607", "message": "look", "remedy": "Do it."}, 1),
        ("AttemptFailed", "train", {**scripted.DIVIDED, "class": "infrastructure"}, 1),
        ("AttemptStarted", "train", {}, 2),
        ("MetricLogged", "train", {"name": "loss", "value": 0.75, "step": 0}, 2),
        ("MetricLogged", "train", {"name": "accuracy", "value": 1}, 2),
        ("MetricLogged", "train", {"name": "loss", "value": 0.5, "step": 1}, 2),
        (
            "EdgeAdded",
            "report",
            {"source": "load", "target": "report", "names": ["rows"], "files": []},
        ),
        scripted.done("train", 2, model=scripted.output()),
        (
            "StepCached",
            "report",
            {**scripted.done("report")[2], "why": "nothing changed", "inputs": {"model": "train"}},
        ),
        ("RunFinished", None, {"status": "succeeded"}),
    ]
    driver = drive(run, "go", *retried)
    process = follower(run.id)
    wait_until_following(process.pid)
    go(run)
    said, complaints = process.communicate(timeout=PATIENCE)
    driver.wait()
    assert process.returncode == 0, complaints
    lines = [line.replace(run.id, "ID") for line in said.splitlines()]
    assert lines[:-1] == [
        "load: started (first run of this step)",
        "load: succeeded in 1.3 s",
        "train: started (first run of this step)",
        "train: warning: KFNB-W607: look. Do it.",
        "train: attempt 1 failed and will be retried: line 2: `return 1 / 0` raised ZeroDivisionError: division by zero",
        "train: attempt 2 started",
        "report: was found to depend on load during the run (rows)",
        "train: loss = 0.5 (step 1, the last of 2 values)",
        "train: accuracy = 1",
        "train: succeeded in 1.3 s",
        "report: cached (nothing changed)",
        "metrics: loss = 0.5, accuracy = 1",
    ]
    assert lines[-1].startswith("run ID succeeded in ")
    assert lines[-1].endswith(": 2 succeeded, 1 cached")


def test_json_is_the_journal_and_nothing_else() -> None:
    run = made_run()
    driver = drive(run, *scripted.LOADED, "go", *scripted.SUCCEEDED[6:])
    process = follower(run.id, "--json")
    wait_until_following(process.pid)
    go(run)
    said, complaints = process.communicate(timeout=PATIENCE)
    driver.wait()
    assert process.returncode == 0
    assert complaints == ""
    assert said == run.journal.read_text()
    assert [json.loads(line)["seq"] for line in said.splitlines()] == list(
        range(1, said.count("\n") + 1)
    )


def test_ctrl_c_stops_the_run() -> None:
    run = made_run()
    driver = drive(run, *scripted.LOADED, *scripted.TRAINING, "go")
    process = follower(run.id)
    wait_until_following(process.pid)
    process.send_signal(signal.SIGINT)
    said, complaints = process.communicate(timeout=PATIENCE)
    driver.wait()
    assert process.returncode == 130
    assert "stopping the run" in said
    assert f"run {run.id} cancelled" in said
    assert "Traceback" not in complaints


def test_a_second_ctrl_c_does_not_wait_for_the_stop() -> None:
    run = made_run()
    driver = drive(run, *scripted.LOADED, *scripted.TRAINING)
    # A driver that hears nothing: its lock is held, and it never answers.
    driver.wait()
    deaf = subprocess.Popen(
        [sys.executable, "-c", DEAF, str(run.driver_lock)], stdout=subprocess.PIPE, text=True
    )
    assert deaf.stdout is not None
    deaf.stdout.readline()
    process = follower(run.id)
    wait_until_following(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    while "stopping" not in (line := process.stdout.readline()):
        pass
    assert "Ctrl+C again: stop watching" in line
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE)
    deaf.kill()
    deaf.communicate()
    assert process.returncode == 130
    assert f"run {run.id} is still stopping" in said


def test_a_reader_that_leaves_is_not_an_error() -> None:
    run = made_run()
    driver = drive(run, "go", *scripted.LOADED, "go", *scripted.TRAINING, "go")
    process = follower(run.id)
    wait_until_following(process.pid)
    go(run)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("load: started")
    process.stdout.close()
    go(run)
    assert process.stderr is not None
    complaints = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=PATIENCE) == 130
    assert complaints == ""
    assert driver.poll() is None, "the run goes on"
    driver.kill()
    driver.wait()


def test_ctrl_c_that_ends_the_reader_too_stops_the_run_and_says_so() -> None:
    """A terminal interrupts every program of ``kfnb run … | cat``."""
    run = made_run()
    driver = drive(run, "go", *scripted.LOADED, "go")
    process = follower(run.id)
    wait_until_following(process.pid)
    go(run)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("load: started")
    process.stdout.close()
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    complaints = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=PATIENCE) == 130
    assert (
        complaints == f"run {run.id} was asked to stop; kfnb status {run.id} shows whether it has\n"
    )
    driver.wait()
    assert b"RunCancelled" in run.journal.read_bytes()


def test_a_list_cut_by_head() -> None:
    for _ in range(3):
        made_run()
    shell = f"{sys.executable} -m kfnb.cli.main runs | head -1; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(
        ["bash", "-c", shell], capture_output=True, text=True, env=dict(os.environ), check=True
    )
    assert result.stderr == ""
    assert result.stdout.splitlines()[1] == "0"


def test_the_folder_of_the_run_is_deleted() -> None:
    import shutil

    run = made_run()
    driver = drive(run, *scripted.LOADED, *scripted.TRAINING, "go")
    process = follower(run.id)
    wait_until_following(process.pid)
    shutil.rmtree(run.path)
    _, complaints = process.communicate(timeout=PATIENCE)
    driver.kill()
    driver.wait()
    assert process.returncode == 4
    assert "deleted" in complaints


DEAF = """
import sys, time
from pathlib import Path
from kfnb.store.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
assert lock.acquire()
print("held", flush=True)
time.sleep(60)
"""
