"""The commands about runs, on runs that a script has written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import kfnb as kfnb_
from kfnb.cli.main import cli
from kfnb.home import RunFolder
from kfnb.runners import create_run
from kfnb.store.locks import FileLock
from tests.cli import scripted
from tests.cli.scripted import drive, go, log, made_run, write

Call = Callable[..., Result]


@pytest.mark.parametrize("command", ["", *cli.list_commands(None)])  # type: ignore[arg-type]
def test_every_command_has_help_with_examples(kfnb: Call, command: str) -> None:
    result = kfnb(*command.split(), "--help")
    assert result.exit_code == 0
    assert "Example" in result.output
    assert "kfnb" in result.output.partition("Example")[2]


def test_without_arguments_it_prints_the_help(kfnb: Call) -> None:
    result = kfnb()
    assert result.exit_code == 0
    assert result.stdout == kfnb("--help").stdout


def test_runs_are_listed_newest_first(kfnb: Call, tmp_path: Path) -> None:
    first = made_run(tmp_path / "a.ipynb")
    write(first, *scripted.FAILED)
    second = made_run(tmp_path / "b.ipynb")
    write(second, *scripted.SUCCEEDED)
    lines = kfnb("runs").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [second.id, first.id]
    assert "succeeded" in lines[0]
    assert "failed" in lines[1]
    listed = kfnb("runs", tmp_path / "a.ipynb", "--json").stdout
    assert [run["id"] for run in json.loads(listed)] == [first.id]


def test_the_list_of_runs_tells_them_apart(kfnb: Call, tmp_path: Path) -> None:
    notebook = tmp_path / "a.ipynb"
    slow = create_run(scripted.pipeline(notebook), parameters={"rate": 0.5}, name="slow")
    write(slow, *scripted.SUCCEEDED)
    other = made_run(notebook)
    write(other, *scripted.FAILED)
    failed, succeeded = kfnb("runs").stdout.splitlines()
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(kfnb_.open_run(slow.id).created))
    assert started in succeeded
    assert succeeded.endswith(f'"slow"  {notebook}  rate=0.5  loss=0.25')
    assert failed.endswith(f"{notebook}  rate=0.1  loss=0.5")
    only = kfnb("runs", "--status", "failed").stdout.splitlines()
    assert [line.split()[0] for line in only] == [other.id]
    by_loss = kfnb("runs", "--sort", "loss").stdout.splitlines()
    assert [line.split()[0] for line in by_loss] == [slow.id, other.id]
    wrong = kfnb("runs", "--sort", "lost")
    assert wrong.exit_code == 2
    assert 'No run has a parameter or metric "lost"' in wrong.stderr


def test_runs_are_compared_differences_first_and_code_side_by_side(
    kfnb: Call, tmp_path: Path
) -> None:
    notebook = tmp_path / "a.ipynb"
    changed = {**scripted.SOURCES, "train": "model = 2"}
    first = made_run(notebook)
    write(first, *scripted.FAILED)
    second = made_run(notebook, sources=changed)
    write(second, *scripted.SUCCEEDED)
    result = kfnb("compare")
    assert result.exit_code == 0, result.stderr
    table, _, code = result.stdout.partition('code of step "train":')
    head, *rows = table.splitlines()
    assert head.split() == [first.id, second.id]
    marks = [row[0] for row in rows if row]
    assert marks == sorted(marks, key=lambda mark: mark != "*"), "rows that differ come first"
    assert "* metric loss" in table
    assert "* step train" in table
    assert "  step load" in table
    assert "  parameter rate" in table
    assert re.search(r"\* def fit\(rows\): +\| model = 2\n", code)
    assert kfnb("compare", first.id, "latest").stdout == result.stdout
    assert kfnb("compare", notebook).stdout == result.stdout


@pytest.mark.parametrize("words", [[], ["latest"], ["latest", "latest"]])
def test_fewer_than_two_runs_cannot_be_compared(kfnb: Call, words: list[str]) -> None:
    made_run()
    assert kfnb("compare", *words).exit_code == 2


def test_a_cached_step_does_not_differ_from_one_that_succeeded(kfnb: Call) -> None:
    cached = ("StepCached", "load", {**scripted.done("load")[2], "why": "", "inputs": {}})
    for steps in ([*scripted.LOADED], [scripted.STARTED, cached]):
        write(made_run(), *steps)
    assert "  step load" in kfnb("compare").stdout


def test_no_runs_is_no_error(kfnb: Call) -> None:
    result = kfnb("runs")
    assert result.exit_code == 0
    assert result.stdout == ""


@pytest.mark.parametrize("how", ["id", "prefix", "latest", "notebook"])
def test_a_run_is_found(kfnb: Call, tmp_path: Path, how: str) -> None:
    notebook = tmp_path / "train.ipynb"
    run = made_run(notebook)
    write(run, *scripted.SUCCEEDED)
    name = {"id": run.id, "prefix": run.id[:-1], "latest": "latest", "notebook": str(notebook)}[how]
    assert json.loads(kfnb("status", name, "--json").stdout)["id"] == run.id


def test_the_beginning_of_two_runs(kfnb: Call) -> None:
    ids = sorted(made_run().id for _ in range(2))
    result = kfnb("status", ids[0][:4])
    assert result.exit_code == 2
    assert ids[0] in result.stderr
    assert ids[1] in result.stderr


@pytest.mark.parametrize("name", ["../../etc", "nothing", "x.ipynb", "", ".."])
def test_a_run_that_is_not_there(kfnb: Call, name: str) -> None:
    made_run()
    result = kfnb("status", name)
    assert result.exit_code == 2
    assert result.stderr.startswith("kfnb: ")
    assert result.stderr.count("\n") == 1


def test_status_shows_what_happened(kfnb: Call) -> None:
    run = made_run()
    write(run, *scripted.FAILED)
    log(run, "train", "epoch 1\n")
    said = kfnb("status").stdout
    assert "✓ succeeded  load" in said
    assert 'step "train" failed' in said.replace("Step", "step")
    assert "epoch 1" in said
    assert "loss = 0.5" in said


def test_a_lost_driver_is_reported(kfnb: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made_run()
    write(run, *scripted.LOADED)
    said = kfnb("status").stdout
    assert "lost since" in said
    assert f"kfnb resume {run.id}" in said
    assert "lost" in kfnb("runs").stdout


def test_the_status_shows_what_delays_a_step_until_it_continues(kfnb: Call) -> None:
    run = made_run()
    said = {"code": "KFNB-W710", "message": "The image i:1 cannot be pulled", "remedy": ""}
    write(run, *scripted.LOADED, *scripted.TRAINING[:2], ("Warning", "train", said, 1))
    assert "The image i:1 cannot be pulled" in kfnb("status", run.id).stdout
    write(run, scripted.TRAINING[2])
    assert "cannot be pulled" not in kfnb("status", run.id).stdout


def test_logs_of_one_step_are_as_it_printed(kfnb: Call) -> None:
    run = made_run()
    write(run, *scripted.FAILED)
    log(run, "train", "one\rtwo\nüber")
    assert kfnb("logs", run.id, "train").stdout == "one\rtwo\nüber"
    assert kfnb("logs", run.id).stdout == "==> train <==\none\rtwo\nüber"


def test_logs_of_a_step_that_is_not_there(kfnb: Call) -> None:
    run = made_run()
    result = kfnb("logs", run.id, "trian")
    assert result.exit_code == 2
    assert '"train"' in result.stderr


def test_logs_follow_until_the_end(kfnb: Call) -> None:
    run = made_run()
    log(run, "load", "loaded\n")
    log(run, "train", "epoch 1\nepoch 2")
    spoken = {"kind": "stream", "cell": 1}
    driver = drive(
        run,
        *scripted.LOADED[:3],
        ("CellOutput", "load", {**spoken, "offset": 0, "length": 7}, 1),
        scripted.LOADED[-1],
        "go",
        *scripted.TRAINING,
        ("CellOutput", "train", {**spoken, "offset": 0, "length": 11}, 1),
        ("CellOutput", "train", {**spoken, "offset": 11, "length": 4}, 1),
        *scripted.SUCCEEDED[9:],
    )
    timer = threading.Timer(0.3, go, [run])
    timer.start()
    result = kfnb("logs", run.id, "-f")
    timer.join()
    driver.wait()
    assert result.exit_code == 0
    assert result.stdout == "load | loaded\ntrain | epoch 1\ntrain | epoch 2\n"
    assert kfnb("logs", run.id, "train", "-f").stdout == "epoch 1\nepoch 2"


def test_logs_whose_text_comes_after_what_tells_of_it(kfnb: Call) -> None:
    """As from a cluster, where the journal and the logs come here on ways of their own."""
    run = made_run()
    log(run, "train", "epoch")
    spoken = {"kind": "stream", "cell": 1}
    write(
        run,
        *scripted.LOADED,
        *scripted.TRAINING,
        ("CellOutput", "train", {**spoken, "offset": 0, "length": 8}, 1),
        ("CellOutput", "train", {**spoken, "offset": 8, "length": 8}, 1),
        *scripted.SUCCEEDED[9:],
    )
    follower = FileLock(run.mirror_lock)
    assert follower.acquire()
    timer = threading.Timer(0.5, log, [run, "train", "epoch 1\nepoch 2\n"])
    timer.start()
    try:
        result = kfnb("logs", run.id, "-f")
    finally:
        timer.join()
        follower.release()
    assert result.stdout == "train | epoch 1\ntrain | epoch 2\n"
    # Of what never comes, what there is is printed when nobody is there to bring it.
    log(run, "train", "epoch 1\nepo")
    assert kfnb("logs", run.id, "-f").stdout == "train | epoch 1\ntrain | epo\n"


def test_stop_waits_for_the_end(kfnb: Call) -> None:
    run = made_run()
    driver = drive(run, *scripted.LOADED, *scripted.TRAINING, "go")
    result = kfnb("stop", run.id)
    driver.wait()
    assert result.exit_code == 0
    assert result.stdout == f"run {run.id} cancelled\n"
    again = kfnb("stop", run.id)
    assert again.exit_code == 0
    assert "has already ended" in again.stdout


def test_resuming_a_running_run(kfnb: Call) -> None:
    run = made_run()
    driver = drive(run, *scripted.LOADED, "go")
    result = kfnb("resume", run.id)
    driver.kill()
    driver.wait()
    assert result.exit_code == 2
    assert "still executing" in result.stderr


def test_resuming_a_run_that_a_stranger_has_locked_names_the_stranger(kfnb: Call) -> None:
    run = made_run()
    write(run, *scripted.FAILED)
    hold = (
        "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print(); input()"
    )
    command = [sys.executable, "-c", hold, str(run.driver_lock)]
    run.driver_lock.touch()
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as stranger:
        assert stranger.stdout is not None
        stranger.stdout.readline()
        result = kfnb("resume", run.id)
        stranger.kill()
    assert result.exit_code == 4
    assert f"Process {stranger.pid} (" in result.stderr
    assert "end it, and try again" in result.stderr


def test_resume_of_a_run_that_succeeded(kfnb: Call) -> None:
    run = made_run()
    write(run, *scripted.SUCCEEDED)
    result = kfnb("resume")
    assert result.exit_code == 0
    assert "already succeeded" in result.stdout


CHANGED = "the notebook has changed since this run started: resume uses the old code"


def code_cell(source: str | list[str], *tags: str, outputs: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "source": source,
        "metadata": {"tags": list(tags)},
        "outputs": list(outputs),
    }


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ([code_cell("a = 1\nb = 2", "step:x")], False),
        ([code_cell(["a = 1\n", "b = 2"], "step:x", outputs=["new"])], False),
        ([{"cell_type": "markdown", "source": "new"}, code_cell("a = 1\nb = 2", "step:x")], False),
        ([code_cell("a = 1\nb = 3", "step:x")], True),
        ([code_cell("a = 1\nb = 2", "step:y")], True),
        ([], True),
        ("no cells", False),
        (None, False),
    ],
)
def test_resume_says_that_the_notebook_has_changed(
    kfnb: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: Any, told: bool
) -> None:
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps({"cells": [code_cell("a = 1\nb = 2", "step:x")]}))
    run = made_run(path)
    write(run, *scripted.FAILED)
    # The script is over already: nobody need drive.
    monkeypatch.setattr("kfnb.api.run_view.RunView.resume", lambda *_, **__: None)
    if now is None:
        path.unlink()
    else:
        path.write_text(json.dumps({"cells": now}) if isinstance(now, list) else now)
    for words in ((), ("--json",), ("--detach",)):
        result = kfnb("resume", run.id, *words)
        assert result.stderr.count(CHANGED) == told
        assert CHANGED not in result.stdout


def test_the_executed_notebook(kfnb: Call, tmp_path: Path) -> None:
    run = made_run()
    write(run, *scripted.FAILED)
    log(run, "train", "")
    executed = run.attempt("s1", 1).executed
    executed.write_text("{}")
    assert kfnb("notebook", run.id, "train").stdout.strip() == str(executed)
    copy = tmp_path / "copy.ipynb"
    assert kfnb("notebook", run.id, "train", "--copy", copy).stdout.strip() == str(copy)
    assert copy.read_text() == "{}"
    missing = kfnb("notebook", run.id, "report")
    assert missing.exit_code == 2
    assert "skipped" in missing.stderr


def test_clean_says_what_it_would_do(kfnb: Call) -> None:
    run = made_run()
    write(run, *scripted.SUCCEEDED)
    result = kfnb("clean", "--keep", "0", "--dry-run")
    assert result.exit_code == 0
    assert f"would remove run {run.id}" in result.stdout
    assert run.path.exists()
    assert kfnb("clean", "--keep", "0").exit_code == 0
    assert not run.path.exists()


def two_notebooks(tmp_path: Path) -> list[RunFolder]:
    """Two runs of each of two notebooks, the oldest first."""
    runs = [made_run(tmp_path / name) for name in ("a.ipynb", "b.ipynb", "a.ipynb", "b.ipynb")]
    for run in runs:
        write(run, *scripted.SUCCEEDED)
    return runs


def test_clean_keeps_the_newest_runs_of_each_notebook(kfnb: Call, tmp_path: Path) -> None:
    runs = two_notebooks(tmp_path)
    result = kfnb("clean", "--keep", "1", "--yes")
    assert f"removed run {runs[0].id} of {tmp_path / 'a.ipynb'}" in result.stdout
    assert [run.path.exists() for run in runs] == [False, False, True, True]


def test_clean_of_one_notebook_leaves_the_others(kfnb: Call, tmp_path: Path) -> None:
    runs = two_notebooks(tmp_path)
    assert kfnb("clean", "--keep", "0", "--notebook", tmp_path / "a.ipynb").exit_code == 0
    assert [run.path.exists() for run in runs] == [False, True, False, True]


def test_clean_of_several_notebooks_needs_yes_without_a_terminal(
    kfnb: Call, tmp_path: Path
) -> None:
    runs = two_notebooks(tmp_path)
    result = kfnb("clean", "--keep", "0")
    assert result.exit_code == 2
    assert f"2 runs of {tmp_path / 'a.ipynb'}" in result.stderr
    assert "add --yes" in result.stderr
    assert all(run.path.exists() for run in runs)
    assert kfnb("clean", "--keep", "0", "--yes").exit_code == 0
    assert not any(run.path.exists() for run in runs)


def test_commands_without_a_run_take_the_latest_and_name_it(kfnb: Call, tmp_path: Path) -> None:
    made_run(tmp_path / "a.ipynb")
    run = made_run(tmp_path / "b.ipynb")
    write(run, *scripted.SUCCEEDED)
    log(run, "train", "epoch 1\n")
    run.attempt("s1", 1).executed.write_text("{}")
    latest = f"the latest run: {run.id} of {tmp_path / 'b.ipynb'}\n"
    for command, printed in (
        ("logs", "==> train <==\nepoch 1\n"),
        ("stop", f"run {run.id} has already ended: succeeded\n"),
    ):
        result = kfnb(command)
        assert (result.stdout, result.stderr) == (printed, latest)
    # A name of a step needs the name of a run before it.
    result = kfnb("notebook")
    assert result.stderr.startswith(latest)
    assert "Give the name of a step" in result.stderr


def test_an_unknown_step_lists_those_that_exist(kfnb: Call) -> None:
    run = made_run()
    write(run, *scripted.SUCCEEDED)
    result = kfnb("logs", run.id, "trian")
    assert 'Did you mean "train"? It has: "load", "train", "report".' in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["run"],
        ["run", "nb.ipynb", "--parallel", "0"],
        ["run", "nb.ipynb", "--timeout", "soon"],
        ["clean", "--older-than", "-3d"],
        ["status", "--nonsense"],
        ["completion", "tcsh"],
    ],
)
def test_a_wrong_call_is_a_sentence(kfnb: Call, words: list[str]) -> None:
    result = kfnb(*words)
    assert result.exit_code == 2
    assert result.stderr.startswith("kfnb: ")
    assert "--help." in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_defect_is_a_sentence_too(kfnb: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("kfnb.api.run_lookup.find_run", broken)
    result = kfnb("status")
    assert result.exit_code == 4
    assert result.stderr == (
        "kfnb: ZeroDivisionError: oh. This is a bug in kfnb; KFNB_DEBUG=1 shows the traceback.\n"
    )
    monkeypatch.setenv("KFNB_DEBUG", "1")
    assert "Traceback" in kfnb("status").stderr


def test_a_damaged_run_is_reported(kfnb: Call) -> None:
    run = made_run()
    run.pipeline.write_text("{")
    result = kfnb("status", run.id)
    assert result.exit_code == 4
    assert "damaged" in result.stderr
    assert "unreadable" in kfnb("runs").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(kfnb: Call, shell: str) -> None:
    result = kfnb("completion", shell)
    assert result.exit_code == 0
    assert "_KFNB_COMPLETE" in result.stdout


def completed(*words: str) -> list[str]:
    from click.shell_completion import ShellComplete

    complete = ShellComplete(cli, {}, "kfnb", "_KFNB_COMPLETE")
    return [item.value for item in complete.get_completions(list(words[:-1]), words[-1])]


def test_completion_knows_runs_steps_and_notebooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.ipynb").write_text("{}")
    (tmp_path / "other.txt").write_text("")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "er.ipynb").write_text("{}")
    run = made_run()
    assert completed("ru") == ["run", "runs"]
    assert completed("status", "")[:2] == ["latest", run.id]
    assert "train.ipynb" in completed("status", "")
    assert completed("status", run.id[:9]) == [run.id]
    assert completed("logs", run.id, "") == ["load", "train", "report"]
    assert completed("logs", "latest", "t") == ["train"]
    assert "train.ipynb" in completed("run", "")
    assert completed("run", "deep/") == ["deep/er.ipynb"]
    assert "--parallel" in completed("run", "--pa")
    assert completed("logs", "no such run", "") == []
