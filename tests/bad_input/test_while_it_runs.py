"""What goes wrong while a run goes on: a sentence, and nothing lost that was done."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.desk import Desk

pytestmark = pytest.mark.slow
DONE = ("step:done", "kept = 41")


def failure(desk: Desk) -> dict[str, object]:
    """The record of the last failed attempt."""
    failed = [e for e in desk.events() if e["type"] in ("AttemptFailed", "StepFailed")]
    assert failed, [e["type"] for e in desk.events()]
    return failed[-1]["data"]


def succeeded(desk: Desk) -> list[str]:
    return [e["step"] for e in desk.events() if e["type"] == "StepSucceeded"]


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        'a"; rm -rf',
        "line\nbreak",
        "nul\0l",
        "n" * 300,
        "🎲 würfeln",
        "<b>&'`$(id)",
    ],
)
def test_hostile_step_names_run_under_their_own_names(desk: Desk, name: str) -> None:
    path = desk.notebook((f"step:{name}", "x = 1"), (f"step:{name.upper()} ", "print(x + 1)"))
    shown = json.loads(desk.kfnb("show", path, "--json").stdout)
    names = [step["name"] for step in shown["steps"]]
    result = desk.kfnb("run", path)
    assert result.returncode == 0, result.stderr
    assert succeeded(desk) == names
    outside = [
        p
        for p in desk.home.parent.rglob("*")
        if p not in (desk.home, desk.folder)
        and desk.home not in p.parents
        and desk.folder not in p.parents
    ]
    assert outside == [], "nothing is written beside kfnb's home"


def test_a_value_that_cannot_be_saved_keeps_its_steps_in_one_kernel(desk: Desk) -> None:
    path = desk.notebook(
        DONE,
        ("step:make", "squares = (n * n for n in range(kept))\nfine = 1"),
        ("step:use", "print(next(squares), fine)"),
    )
    result = desk.kfnb("run", path)
    assert result.returncode == 0
    for word in ("make", "use", "squares", "generator", "kernel"):
        assert word in result.stderr + result.stdout
    assert succeeded(desk) == ["done", "make", "use"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import os\nos._exit(7)", ["7"]),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", ["kill", "memory"]),
    ],
)
def test_a_step_that_ends_its_kernel(desk: Desk, source: str, words: list[str]) -> None:
    result = desk.kfnb("run", desk.notebook(DONE, ("step:ends", source)))
    assert result.returncode == 1
    for word in ("ends", "`import os", *words):
        assert word.lower() in (result.stdout + result.stderr).lower()
    assert succeeded(desk) == ["done"]


def test_a_step_that_exceeds_its_memory(desk: Desk) -> None:
    hog = "import time\nhog = []\nfor _ in range(200):\n    hog.append(bytearray(b'x') * 20_000_000)\n    time.sleep(0.05)"
    result = desk.kfnb("run", desk.notebook(DONE, (["step:hog", "memory:300Mi"], hog)))
    assert result.returncode == 1
    assert failure(desk)["class"] == "memory"
    assert "300Mi" in result.stdout + result.stderr
    assert succeeded(desk) == ["done"]


def test_a_step_that_never_ends(desk: Desk) -> None:
    path = desk.notebook(DONE, (["step:forever", "timeout:3s"], "while True:\n    pass"))
    result = desk.kfnb("run", path)
    assert result.returncode == 1
    assert failure(desk)["class"] == "timeout"
    assert "forever" in result.stdout + result.stderr
    assert succeeded(desk) == ["done"]


def test_a_step_that_prints_a_hundred_megabytes(desk: Desk) -> None:
    loud = "line = 'x' * 999\nfor n in range(100_000):\n    print(line)\nend = 'said'"
    result = desk.kfnb("run", desk.notebook(("step:loud", loud), ("step:after", "print(end)")))
    assert result.returncode == 0, result.stderr
    journal = max((desk.home / "runs").glob("*/journal.jsonl"))
    assert journal.stat().st_size < 5_000_000
    executed = desk.kfnb("notebook", "latest", "loud").stdout.strip()
    assert Path(executed).stat().st_size < 20_000_000


def test_a_failing_step_says_where(desk: Desk) -> None:
    path = desk.notebook(
        DONE,
        ("step:bad", "def f(x):\n    return 1 / x\n\nprint('so far')\nf(0)"),
        ("step:free", "print(kept)"),
    )
    result = desk.kfnb("run", path)
    said = result.stdout + result.stderr
    assert result.returncode == 1
    for word in ("bad", "ZeroDivisionError", "`return 1 / x`", "line 2"):
        assert word in said
    assert set(succeeded(desk)) == {"done", "free"}
    executed = Path(desk.kfnb("notebook", "latest", "bad").stdout.strip())
    assert "so far" in executed.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk is made by mount, which needs root")
def test_a_full_disk(desk: Desk) -> None:
    desk.home.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", desk.home],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        big = "import random\nbig = random.Random(0).randbytes(30_000_000)"
        result = desk.kfnb("run", desk.notebook(DONE, ("step:big", big), ("step:use", "len(big)")))
        assert result.returncode in (1, 4)
        assert "space" in (result.stdout + result.stderr).lower()
        assert "done" in succeeded(desk)
        with contextlib.suppress(OSError), (desk.home / "filler").open("wb") as file:
            while True:  # until nothing at all goes in
                file.write(b"x" * 4096)
                file.flush()
        cleaned = desk.kfnb("clean", "--keep", "0")
        assert cleaned.returncode == 0, cleaned.stderr
        assert not list((desk.home / "runs").iterdir())
    finally:
        subprocess.run(["umount", "-l", desk.home], check=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_home_that_may_not_be_written(desk: Desk) -> None:
    desk.home.mkdir(mode=0o500)
    result = desk.kfnb("run", desk.notebook(DONE))
    assert result.returncode == 4
    assert str(desk.home) in result.stderr


def test_a_home_that_cannot_be_a_folder(desk: Desk) -> None:
    desk.home.write_text("a file stands here")
    result = desk.kfnb("run", desk.notebook(DONE))
    assert result.returncode == 4
    assert str(desk.home) in result.stderr


def test_a_run_folder_deleted_under_the_run(desk: Desk) -> None:
    path = desk.notebook(DONE, ("step:slow", "import time\ntime.sleep(30)\nx = kept"))
    with desk.start("run", path) as process:
        desk.wait_for("CellStarted", "slow")
        shutil.rmtree(desk.runs()[0])
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "Traceback" not in said
    assert "gone" in said or "deleted" in said


def test_a_journal_with_a_torn_last_line(desk: Desk) -> None:
    path = desk.notebook(DONE, ("step:bad", "assert kept == 0, 'as it should'"))
    assert desk.kfnb("run", path).returncode == 1
    journal = desk.runs()[0] / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"v": 1, "seq": 9999, "ty')
    status = json.loads(desk.kfnb("status", "latest", "--json").stdout)
    assert status["status"] == "failed"
    assert desk.kfnb("resume", "latest").returncode == 1
    lines = journal.read_bytes().splitlines()
    assert lines[: len(whole.splitlines())] == whole.splitlines()
    assert all(json.loads(line) for line in lines)
    assert succeeded(desk) == ["done"], "what is done is not done again"


def test_a_journal_without_any_line(desk: Desk) -> None:
    path = desk.notebook(DONE, ("step:bad", "assert kept == 0, 'as it should'"))
    assert desk.kfnb("run", path).returncode == 1
    journal = desk.runs()[0] / "journal.jsonl"
    journal.write_bytes(b"")
    resumed = desk.kfnb("resume", "latest")
    assert resumed.returncode == 4
    assert "is empty, so the run cannot continue. Start a new run" in resumed.stderr
    assert journal.read_bytes() == b"", "nothing is written behind a beginning that is missing"


@pytest.mark.parametrize("kind", ["missing", "empty", "deep", "newer"])
def test_a_damaged_journal_concerns_its_run_only(desk: Desk, kind: str) -> None:
    path = desk.notebook(DONE)
    assert desk.kfnb("run", path, "--name", "damaged").returncode == 0
    run = desk.runs()[0]
    assert desk.kfnb("run", path, "--name", "whole").returncode == 0
    journal = run / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.unlink()
    if kind == "deep":
        journal.write_bytes(lines[0] + b"[" * 100_000 + b"]" * 100_000 + b"\n" + lines[1])
    elif kind != "missing":
        newer = b"".join(lines).replace(b'"v":1,', b'"v":99,')
        journal.write_bytes(newer if kind == "newer" else b"")
    said = {"deep": "nested too deeply", "newer": "newer than this kfnb reads"}
    for command in (["status"], ["resume"], ["stop"], ["logs", "-f"]):
        ended = desk.kfnb(*command, run.name)
        text = ended.stdout + ended.stderr
        assert "Traceback" not in text
        assert "bug in kfnb" not in text
        if command[0] != "logs":
            assert said.get(kind, "is empty, so the run cannot continue") in text
    listed = desk.kfnb("runs").stdout
    assert "succeeded" in listed
    assert len(listed.splitlines()) == 2


def test_a_driver_that_comes_second_leaves_the_log_of_the_first(desk: Desk) -> None:
    path = desk.notebook(DONE, ("step:slow", "import time\ntime.sleep(60)"))
    with desk.start("run", path) as process:
        desk.wait_for("CellStarted", "slow")
        (run,) = desk.runs()
        second = [sys.executable, "-m", "kfnb.runners", str(run)]
        ended = subprocess.run(second, env=desk.environment(), capture_output=True, check=False)
        assert (ended.returncode, ended.stderr) == (4, b"")
        assert desk.kfnb("stop", "latest").returncode == 0
        process.communicate(timeout=60)


def test_ctrl_c_in_a_pipe_stops_the_run(desk: Desk) -> None:
    path = desk.notebook(DONE, ("step:slow", "import time\ntime.sleep(60)"))
    with desk.start("run", path) as process:
        desk.wait_for("CellStarted", "slow")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert desk.events()[-1]["type"] in ("RunCancelled", "RunFinished")
    assert json.loads(desk.kfnb("status", "latest", "--json").stdout)["status"] == "cancelled"
