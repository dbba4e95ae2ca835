"""The command line and the Python interface over a real driver, real kernels, real values."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import kfnb
from tests.cli.terminal import Terminal
from tests.desk import Desk

pytestmark = pytest.mark.slow
CELLS = [
    ("parameters", "times = 2\nword = 'ha'"),
    ("step:load", "rows = [word] * times\nprint('loaded', len(rows))"),
    ("step:count", "import kfnb\ntotal = len(''.join(rows))\nkfnb.log_metric('total', total)"),
    ("step:tell", "print('total', total)"),
]


@pytest.fixture
def home(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KFNB_HOME", str(desk.home))
    return desk.home


def test_a_run_from_its_beginning_to_its_values(desk: Desk, home: Path) -> None:
    path = desk.notebook(*CELLS)
    source = path.read_bytes()
    first = desk.kfnb("run", path, "-p", "times=3")
    assert first.returncode == 0, first.stderr
    assert "count: total = 6" in first.stdout
    assert first.stdout.splitlines()[-1].endswith(": 3 succeeded")
    assert path.read_bytes() == source

    second = desk.kfnb("run", path, "-p", "times=3", "--json")
    events = [json.loads(line) for line in second.stdout.splitlines()]
    assert [e["step"] for e in events if e["type"] == "StepCached"] == ["load", "count", "tell"]

    status = json.loads(desk.kfnb("status", path, "--json").stdout)
    assert status["status"] == "succeeded"
    assert status["metrics"] == {"total": 6}
    assert desk.kfnb("logs", "latest", "load").stdout == "loaded 3\n"
    assert "total 6" in Path(desk.kfnb("notebook", "latest", "tell").stdout.strip()).read_text()
    assert "cached" in desk.kfnb("show", path, "--dot", "--run", "latest").stdout

    run = kfnb.open_run(path)
    assert run.steps["load"].outputs["rows"] == ["ha"] * 3
    assert run.steps["load"].outputs.describe("rows")["type"] == "list"

    third = desk.kfnb("run", path, "-p", "times=3", "--from", "count", "--json")
    events = [json.loads(line) for line in third.stdout.splitlines()]
    assert [e["step"] for e in events if e["type"] == "StepCached"] == ["load"]


def test_a_run_in_python(desk: Desk, home: Path) -> None:
    path = desk.notebook(*CELLS)
    run = kfnb.run(path, {"word": "abc"}, name="mine", parallel=1, timeout="5m")
    assert (run.status, run.driver, run.name) == ("succeeded", "ended", "mine")
    assert run.metrics == {"total": 6}
    assert run.steps["count"].outputs.describe() == {} or "total" in run.steps["count"].outputs
    assert run.steps["tell"].attempts == 1
    assert kfnb.runs(path)[0].id == run.id


def test_a_failure_is_mended_and_what_was_done_stays_done(desk: Desk, home: Path) -> None:
    broken = [
        *CELLS[:2],
        ("step:count", "total = len(rows)\nassert total == 99, 'not yet'"),
        CELLS[3],
    ]
    path = desk.notebook(*broken)
    result = desk.kfnb("run", path)
    assert result.returncode == 1
    assert "> 2 | assert total == 99, 'not yet'" in result.stdout
    again = desk.kfnb("resume", "latest")
    assert again.returncode == 1
    run = kfnb.open_run("latest")
    assert {name: step.attempts for name, step in run.steps.items()} == {
        "load": 1,
        "count": 2,
        "tell": 0,
    }
    desk.notebook(*CELLS)
    mended = desk.kfnb("run", path)
    assert mended.returncode == 0
    assert "load: cached" in mended.stdout
    assert "count: started (code changed in `import kfnb`" in mended.stdout


def test_a_live_run_that_is_stopped_and_continues(desk: Desk, home: Path) -> None:
    waits = "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.05)\nx = len(rows)"
    path = desk.notebook(*CELLS[:2], ("step:wait", waits), ("step:tell", "print(x)"))
    screen = Terminal(sys.executable, "-m", "kfnb.cli.main", "run", path)
    screen.wait_for("▶ running ", 60)
    screen.wait_for("import os, time", 60)
    screen.type("\x03")
    screen.wait_for("[d] detach")
    screen.type("s")
    assert screen.end(60) == 3, screen.plain
    assert kfnb.open_run("latest").status == "cancelled"
    (desk.folder / "go").touch()
    assert desk.kfnb("resume", "latest").returncode == 0
    run = kfnb.open_run("latest")
    assert run.status == "succeeded"
    assert run.steps["load"].attempts == 1


def test_a_detached_run(desk: Desk, home: Path) -> None:
    path = desk.notebook(*CELLS)
    started = desk.kfnb("run", path, "--detach")
    assert started.returncode == 0
    run = kfnb.open_run("latest")
    assert run.id in started.stdout
    assert desk.kfnb("logs", run.id, "-f").stdout == "load | loaded 2\ntell | total 4\n"
    assert run.wait(60) == "succeeded"


def redirected(desk: Desk, *words: str | Path, out: str, err: str) -> int:
    """Call the command line as a shell does with ``> out 2> err``."""
    with (desk.folder / out).open("w") as log, (desk.folder / err).open("w") as errors:
        return subprocess.run(
            desk.command(*words),
            cwd=desk.folder,
            env=desk.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=errors,
            check=False,
            timeout=180,
        ).returncode


def test_output_redirected_next_to_the_notebook_is_no_file_of_a_step(
    desk: Desk, home: Path
) -> None:
    path = desk.notebook(
        ("step:load", "import os\nrows = sorted(os.listdir('.'))"),
        ("step:count", "total = len(rows)\nopen('total.txt', 'w').write(str(total))"),
        ("step:tell", "assert os.path.exists('go'), total\nprint(open('total.txt').read())"),
    )
    assert redirected(desk, "run", path, "--json", out="log.json", err="err.txt") == 1
    events = [json.loads(line) for line in (desk.folder / "log.json").read_text().splitlines()]
    assert [e["step"] for e in events if e["type"] == "StepFailed"] == ["tell"]
    (desk.folder / "err.txt").unlink()
    (desk.folder / "log.json").unlink()
    (desk.folder / "go").touch()
    said = (desk.folder / "more.txt", desk.folder / "err.txt")
    assert redirected(desk, "resume", out="more.txt", err="err.txt") == 0, [
        file.read_text() for file in said
    ]
    for file in (*said, desk.folder / "go", desk.folder / "total.txt"):
        file.unlink()
    # The first step lists the folder: what it saw then is what it would see now.
    assert redirected(desk, "run", path, "--json", out="log.json", err="err.txt") == 1
    events = [json.loads(line) for line in (desk.folder / "log.json").read_text().splitlines()]
    assert [e["step"] for e in events if e["type"] == "StepCached"] == ["load", "count"]
