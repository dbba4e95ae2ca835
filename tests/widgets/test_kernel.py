"""Views in a real kernel: what a page hears, also while the kernel is busy; what is saved."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.scripted import FAILED, LOADED, SUCCEEDED, TRAINING, log, made_run, write
from tests.desk import Desk
from tests.widgets.kernel import (
    FAKE_ENGINE,
    JUPYTERLAB,
    Kernel,
    kind_of,
    opened,
    said,
    shown,
)

pytestmark = pytest.mark.slow
VIEW = "from kfnb.widgets import PipelineView\nPipelineView({0!r})"
REST = FAILED[len(LOADED) + len(TRAINING) :]
VIEWS, MOST = 10, 200_000


def open_view(kernel: Kernel, run: str) -> str:
    """Show a view as JupyterLab does; the widget's id."""
    (model,) = opened(kernel.do(VIEW.format(run)))
    return model


def test_a_page_is_shown_a_run_and_follows_it(jupyter: Kernel) -> None:
    run = made_run()
    write(run, *LOADED)
    out = jupyter.do(VIEW.format(run.id))
    (forms,) = shown(out)
    assert set(forms) == {"text/html", "image/svg+xml", "text/plain"}
    ((model, state),) = opened(out).items()
    assert f'data-kfnb-slot="{state["slot"]}"' in forms["text/html"]
    assert state["state"]["steps"]["load"]["status"] == "succeeded"
    jupyter.ask(model, {"kind": "hello", "have": False})
    engine = jupyter.kind("engine")
    assert len(engine["buffers"][0]) > 900_000
    assert list(said(jupyter.kind("state"))["steps"]) == ["load", "train", "report"]
    write(run, *TRAINING)
    jupyter.until(lambda m: said(m).get("steps", {}).get("train", {}).get("status") == "running")
    write(run, *REST)
    jupyter.kind("state", status="failed")
    update = jupyter.until(lambda m: m["msg_type"] == "update_display_data")
    assert update["content"]["transient"]["display_id"] == state["slot"]
    assert "train: failed, line 2" in update["content"]["data"]["text/plain"]
    assert state["slot"] in update["content"]["data"]["text/html"]


def test_a_busy_kernel_keeps_pushing(jupyter: Kernel, tmp_path: Path) -> None:
    run = made_run()
    write(run, *LOADED)
    model = open_view(jupyter, run.id)
    free = tmp_path / "free"
    busy = jupyter.start(
        f"import pathlib, time\nwhile not pathlib.Path({str(free)!r}).exists(): time.sleep(0.01)",
        **JUPYTERLAB,
    )
    jupyter.until(lambda m: m["msg_type"] == "execute_input")
    write(run, *TRAINING)
    jupyter.until(lambda m: said(m).get("steps", {}).get("train", {}).get("status") == "running")
    write(run, *REST)
    jupyter.kind("state", status="failed")
    free.touch()
    jupyter.finish(busy)
    # What was asked meanwhile is answered when it is free.
    jupyter.ask(model, {"kind": "hello", "have": True})
    assert said(jupyter.kind("metrics"))["reset"]


def test_a_page_that_asks_in_a_subshell_is_answered_while_a_cell_executes(
    jupyter: Kernel, tmp_path: Path
) -> None:
    subshell = jupyter.subshell()
    if subshell is None:
        pytest.skip("this ipykernel has no subshells")
    run = made_run()
    write(run, *LOADED)
    model = open_view(jupyter, run.id)
    free = tmp_path / "free"
    busy = jupyter.start(
        f"import pathlib, time\nwhile not pathlib.Path({str(free)!r}).exists(): time.sleep(0.01)",
        **JUPYTERLAB,
    )
    jupyter.until(lambda m: m["msg_type"] == "execute_input")
    write(run, *TRAINING)  # what is pushed meanwhile does not bring the page to the busy shell
    jupyter.until(lambda m: said(m).get("steps", {}).get("train", {}).get("status") == "running")
    for _ in range(2):
        jupyter.ask(model, {"kind": "hello", "have": False}, subshell)
        jupyter.kind("engine")
        assert said(jupyter.kind("metrics"))["reset"]
    free.touch()
    jupyter.finish(busy)


def test_a_page_that_asks_in_a_subshell_that_is_gone_is_answered(jupyter: Kernel) -> None:
    """A kernel that was restarted behind the page's back."""
    if jupyter.subshell() is None:
        pytest.skip("this ipykernel has no subshells")
    run = made_run()
    write(run, *LOADED)
    model = open_view(jupyter, run.id)
    jupyter.ask(model, {"kind": "hello", "have": False}, "11111111-2222-3333-4444-555555555555")
    jupyter.kind("engine")


def test_a_cell_that_computes_without_a_pause_does_not_silence_views(
    jupyter: Kernel, tmp_path: Path
) -> None:
    free = tmp_path / "free"
    run = made_run()
    write(run, *LOADED)
    open_view(jupyter, run.id)
    busy = jupyter.start(
        f"import pathlib\nwhile not pathlib.Path({str(free)!r}).exists(): sum(range(10_000))",
        **JUPYTERLAB,
    )
    jupyter.until(lambda m: m["msg_type"] == "execute_input")
    write(run, *TRAINING)
    heard = jupyter.until(lambda m: "train" in said(m).get("steps", {}))
    free.touch()
    assert heard["parent_header"]
    jupyter.finish(busy)


def test_ten_runs_at_once_are_followed_by_one_thread(jupyter: Kernel) -> None:
    runs = [made_run() for _ in range(VIEWS)]
    for run in runs:
        write(run, *LOADED)
        open_view(jupyter, run.id)
    threads = "import threading; print([t.name for t in threading.enumerate()].count('kfnb views'))"
    assert jupyter.text(threads) == "1"
    for run in runs:
        write(run, *FAILED[len(LOADED) :])
    for _ in runs:
        jupyter.until(lambda m: m["msg_type"] == "update_display_data")
    wait = "from kfnb.live.follower import FOLLOWER\nimport time\n"
    wait += "while FOLLOWER.running: time.sleep(0.05)"
    jupyter.do(wait)
    assert jupyter.text(threads) == "0"


def test_a_log_is_read_from_its_view(jupyter: Kernel) -> None:
    run = made_run()
    write(run, *FAILED)
    log(run, "train", "epoch 1\n" * 100_000)
    model = open_view(jupyter, run.id)
    jupyter.ask(model, {"kind": "follow-log", "step": "train", "attempt": None, "from": 0})
    text = ""
    while len(text) < 800_000:
        message = jupyter.kind("log")
        text += said(message)["text"]
    assert text == "epoch 1\n" * 100_000


def test_a_program_is_given_a_picture_and_no_widget(jupyter: Kernel) -> None:
    run = made_run()
    write(run, *LOADED)
    out = jupyter.program(VIEW.format(run.id))
    assert [set(forms) for forms in shown(out)] == [{"image/svg+xml", "text/plain"}]
    assert not [m for m in out if m["msg_type"].startswith("comm")]
    # As long as it executes cells, it is brought up to date before each of them ends.
    write(run, *FAILED[len(LOADED) :])
    (update,) = [m for m in jupyter.program("1") if m["msg_type"] == "update_display_data"]
    assert "train: failed" in update["content"]["data"]["text/plain"]
    assert not [m for m in jupyter.program("1") if m["msg_type"] == "update_display_data"]


def test_other_front_ends_are_given_a_widget(jupyter: Kernel) -> None:
    run = made_run()
    write(run, *SUCCEEDED)
    out = jupyter.do(VIEW.format(run.id), cellId="vscode-notebook-cell:1")
    (forms,) = shown(out)
    ((model, _),) = opened(out).items()
    assert forms["application/vnd.jupyter.widget-view+json"]["model_id"] == model
    assert "text/html" not in forms


def test_a_pipeline_shows_itself_in_a_notebook(jupyter: Kernel, tmp_path: Path) -> None:
    Desk(tmp_path, tmp_path / "home").notebook(("step:a", "x = 1"), ("step:b", "x"))
    out = jupyter.do("import kfnb\nkfnb.read('nb.ipynb')")
    (result,) = [m["content"]["data"] for m in out if m["msg_type"] == "execute_result"]
    assert set(result) == {"image/svg+xml", "text/plain"}
    assert "a ──x──▶ b" in result["text/plain"]


def test_a_closed_view_leaves_its_picture(jupyter: Kernel) -> None:
    run = made_run()
    write(run, *LOADED)
    out = jupyter.do(
        VIEW.format(run.id).replace("PipelineView(", "view = PipelineView(") + "\nview"
    )
    (model,) = opened(out)
    out = jupyter.do("view.close()")
    assert model in [m["content"]["comm_id"] for m in out if m["msg_type"] == "comm_close"]
    write(run, *TRAINING)
    jupyter.do("import time; time.sleep(0.5)")
    assert not [m for m in jupyter.heard[-20:] if kind_of(m) == "state"]


# Saved notebooks


def ten(desk: Desk, engine: str = FAKE_ENGINE) -> Path:
    """A notebook that runs itself and shows ten views of that."""
    views = "\n".join(["display(PipelineView(run))"] * VIEWS)
    points = "for n in range(300): kfnb.log_metric('loss', 1 / (n + 1), step=n)"
    return desk.notebook(
        ("setup", "import kfnb"),
        ("step:load", "rows = list(range(100))"),
        ("step:train", f"{points}\nmodel = sum(rows)"),
        ("step:tell", "print(model)"),
        ("skip", engine),
        ("skip", "from kfnb.widgets import PipelineView\nrun = kfnb.run('ten.ipynb', wait=False)"),
        ("skip", views),
        ("skip", "run.wait()"),
        name="ten.ipynb",
    )


def views_of(path: Path) -> list[dict[str, Any]]:
    plain = json.loads(path.read_text())
    return [
        output["data"]
        for cell in plain["cells"]
        for output in cell["outputs"]
        if "image/svg+xml" in output.get("data", {})
    ]


def test_ten_views_are_small_where_papermill_executed_them(desk: Desk) -> None:
    path = ten(desk)
    executed = desk.folder / "executed.ipynb"
    subprocess.run(
        [sys.executable, "-m", "papermill", "--no-progress-bar", path, executed],
        check=True,
        cwd=desk.folder,
        env=desk.environment(),
        timeout=180,
    )
    assert executed.stat().st_size - path.stat().st_size < MOST
    kept = views_of(executed)
    assert len(kept) == VIEWS
    for forms in kept:
        assert set(forms) == {"image/svg+xml", "text/plain"}
        assert "tell: succeeded" in "".join(forms["text/plain"])
    assert "widgets" not in json.loads(executed.read_text())["metadata"]


def test_ten_views_are_small_where_a_page_saved_them_with_their_state(
    jupyter: Kernel, tmp_path: Path
) -> None:
    """What JupyterLab keeps with "Save Widget State" on: outputs, and the state of widgets."""
    run = made_run()
    points = [
        ("MetricLogged", "train", {"name": name, "value": n / 7, "step": n}, 1)
        for n in range(300)
        for name in ("loss", "accuracy")
    ]
    write(run, *LOADED, *TRAINING, *points, *SUCCEEDED[len(LOADED) + len(TRAINING) + 2 :])
    code = "from kfnb.widgets import PipelineView\n" + "\n".join(
        [f"display(PipelineView({run.id!r}))"] * VIEWS
    )
    out = jupyter.do(code)
    states = opened(out)
    assert len(states) == VIEWS == len(shown(out))
    kept = {
        "outputs": [
            {"output_type": "display_data", "metadata": {}, "data": forms} for forms in shown(out)
        ],
        "widgets": {
            model: {"model_name": "AnyModel", "model_module": "anywidget", "state": state}
            for model, state in states.items()
        },
    }
    real = 3072  # the loader's largest size: here it is a stand-in
    assert len(json.dumps(kept, indent=1)) + VIEWS * real < MOST
    assert "engine\\n" not in json.dumps(kept)
