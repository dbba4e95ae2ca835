"""What a person sees in a terminal: a live table, a question on Ctrl+C, the end."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest

from tests.cli import scripted
from tests.cli.scripted import drive, go, log, made_run, wait_until_following, write
from tests.cli.terminal import Terminal

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGWINCH"), reason="needs a pty")
TALKING = ("CellOutput", "train", {"cell": 2, "kind": "stream", "offset": 0, "length": 9}, 1)


def test_the_table_lives_and_stays() -> None:
    run = made_run()
    log(run, "train", "epoch 1\nepoch 2\n")
    driver = drive(
        run, *scripted.LOADED, *scripted.TRAINING, TALKING, "go", *scripted.SUCCEEDED[9:]
    )
    screen = Terminal.following(run.id)
    screen.wait_for("▶ running")
    screen.wait_for("epoch 2")
    assert "`def fit(rows):`" in screen.plain
    go(run)
    assert screen.end() == 0, screen.plain
    driver.wait()
    end = re.split(r"✓ succeeded +load", screen.plain)[-1]
    assert re.search(r"≡ cached +report", end)
    assert "nothing changed" in end
    assert "metrics: loss = 0.25" in end
    assert f"run {run.id} succeeded" in end
    assert "▶ running" not in end
    assert "\x1b[3" in screen.text, "in colour"


def test_a_failure_shows_its_location_and_commands_that_help() -> None:
    run = made_run()
    log(run, "train", "so far\nso good\n")
    drive(run, *scripted.FAILED).wait()
    screen = Terminal.following(run.id)
    assert screen.end() == 1
    said = screen.plain
    assert (
        'Step "train" failed: line 2: `return 1 / 0` raised ZeroDivisionError: division by zero'
        in said
    )
    assert "> 2 |     return 1 / 0" in said
    assert "    so good" in said
    assert f"kfnb logs {run.id} train" in said
    assert f"kfnb resume {run.id}" in said


def test_ctrl_c_asks_and_d_detaches() -> None:
    run = made_run()
    driver = drive(run, *scripted.LOADED, *scripted.TRAINING, "go")
    screen = Terminal.following(run.id)
    screen.wait_for("▶ running")
    screen.type("\x03")
    screen.wait_for("[d] detach")
    screen.type("d")
    assert screen.end() == 0
    assert f"kfnb stop {run.id}" in screen.plain
    assert driver.poll() is None, "the run goes on"
    driver.kill()
    driver.wait()


@pytest.mark.parametrize("answer", ["s", "\x03"])
def test_ctrl_c_asks_and_s_or_another_ctrl_c_stops(answer: str) -> None:
    run = made_run()
    driver = drive(run, *scripted.LOADED, *scripted.TRAINING, "go")
    screen = Terminal.following(run.id)
    screen.wait_for("▶ running")
    screen.type("\x03")
    screen.wait_for("[d] detach")
    screen.type(answer)
    assert screen.end() == 3, screen.plain
    driver.wait()
    assert "cancelled" in screen.plain


def test_ctrl_c_asks_and_any_other_key_keeps_watching() -> None:
    run = made_run()
    driver = drive(run, *scripted.LOADED, *scripted.TRAINING, "go", *scripted.SUCCEEDED[9:])
    screen = Terminal.following(run.id)
    screen.wait_for("▶ running")
    screen.type("\x03")
    screen.wait_for("[d] detach")
    screen.type("x")
    go(run)
    assert screen.end() == 0, screen.plain
    driver.wait()


def test_clean_asks_before_it_removes_runs_of_several_notebooks(tmp_path: Path) -> None:
    runs = [made_run(tmp_path / name) for name in ("a.ipynb", "b.ipynb")]
    for run in runs:
        write(run, *scripted.SUCCEEDED)
    for answer, stays in (("n\r", True), ("y\r", False)):
        screen = Terminal(sys.executable, "-m", "kfnb.cli.main", "clean", "--keep", "0")
        screen.wait_for("Remove them?")
        screen.type(answer)
        assert screen.end() == 0, screen.plain
        assert [run.path.exists() for run in runs] == [stays, stays]


@pytest.mark.parametrize("columns", [80, 110])
def test_names_and_statuses_keep_their_width_and_the_reason_gives_way(columns: int) -> None:
    name = "a name of twenty-six chars"
    run = made_run(sources={name: "pass", "b": "pass"})
    why = "because " * 30
    started = [("StepReady", name, {"why": why, "inputs": {}}), ("AttemptStarted", name, {}, 1)]
    driver = drive(run, scripted.STARTED, *started, "go")
    screen = Terminal.following(run.id, columns=columns)
    screen.wait_for("because")
    row = next(line for line in screen.plain.split("\n") if "because" in line)
    assert re.search(rf"▶ running +{name} ", row)
    assert row.rstrip().endswith("…")
    # The terminal writes "^C" behind the last row; a wrapped line would be drawn twice.
    assert len(row.rstrip("\r")) <= columns - 3
    driver.kill()
    driver.wait()
    screen.end()


def test_a_driver_that_dies_is_noticed() -> None:
    run = made_run()
    driver = drive(run, *scripted.LOADED, *scripted.TRAINING, "go")
    screen = Terminal.following(run.id)
    screen.wait_for("▶ running")
    driver.kill()
    driver.wait()
    assert screen.end() == 4
    assert "The driver of this run has died" in screen.plain
    assert f"kfnb resume {run.id}" in screen.plain


def test_no_color_is_respected() -> None:
    run = made_run()
    drive(run, *scripted.SUCCEEDED).wait()
    # Not resumed but shown: a run that has succeeded is only told.
    screen = Terminal(sys.executable, "-m", "kfnb.cli.main", "status", run.id, NO_COLOR="1")
    assert screen.end() == 0
    assert "\x1b[3" not in screen.text
    assert "✓ succeeded" in screen.plain


def test_a_narrow_terminal_and_many_steps() -> None:
    sources = {f"step number {n}": "pass" for n in range(5)}
    run = made_run(sources=sources)
    driver = drive(run, scripted.STARTED, ("AttemptStarted", "step number 3", {}, 1), "go")
    screen = Terminal.following(run.id, columns=40, rows=7)
    screen.wait_for("▶ running")
    screen.wait_for("more")
    assert all(len(line.rstrip()) <= 40 for line in screen.plain.split("\n")[1:6])
    screen.type("\x03")
    screen.wait_for("[d] detach")
    screen.type("d")
    assert screen.end() == 0
    driver.kill()
    driver.wait()


def test_a_terminal_without_these_characters() -> None:
    run = made_run()
    driver = drive(run, *scripted.LOADED, *scripted.TRAINING, "go", *scripted.SUCCEEDED[9:])
    screen = Terminal.following(run.id, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    screen.wait_for("> running")
    go(run)
    assert screen.end() == 0, screen.plain
    driver.wait()
    assert "+ succeeded" in screen.plain
    assert "Traceback" not in screen.plain


def test_a_dumb_terminal_gets_lines() -> None:
    run = made_run()
    driver = drive(run, *scripted.LOADED, *scripted.TRAINING, "go", *scripted.SUCCEEDED[9:])
    screen = Terminal.following(run.id, TERM="dumb")
    wait_until_following(screen.pid)
    go(run)
    assert screen.end() == 0
    driver.wait()
    assert "train: succeeded in 1.3 s" in screen.plain
