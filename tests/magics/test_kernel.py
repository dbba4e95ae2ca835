"""``%pipeline`` in a kernel: waiting, not waiting, interrupting, failing."""

from __future__ import annotations

import time

import pytest

import kfnb
from kfnb.magics.inspect_commands import LARGEST_LOG
from tests.magics.kernel import Kernel

pytestmark = pytest.mark.slow


@pytest.fixture
def gated(desk):
    """A notebook whose second step waits for a file."""
    gate = desk.folder / "gate"
    wait = f"while not pathlib.Path({str(gate)!r}).exists():\n    time.sleep(0.02)"
    path = desk.notebook(
        ("setup", "import pathlib, time"),
        ("parameters", "divisor = 1"),
        ("step:load", "numbers = [1, 2]"),
        ("step:wait", f"{wait}\nshares = [n / divisor for n in numbers]"),
        ("step:tell", "print(shares)"),
        ("skip", "%load_ext kfnb"),
    )
    return path, gate


@pytest.fixture
def kernel(desk, gated):
    """A kernel of the open notebook."""
    environment = desk.environment(JPY_SESSION_NAME=str(gated[0]))
    with Kernel.started(desk.folder, environment) as started:
        started.ok("%load_ext kfnb", cellId="c5")
        yield started


def test_waiting_ends_with_the_run(kernel, desk, gated):
    sent = kernel.send("%pipeline run")
    desk.wait_for("CellStarted", "wait")
    gated[1].touch()
    answer = kernel.answer(sent)
    assert answer.status == "ok", answer.error
    assert kfnb.open_run("latest").status == "succeeded"
    shown = answer.text + "".join(str(bundle) for bundle in answer.shown)
    for step in ("load", "wait", "tell"):
        assert step in shown


def test_not_waiting_leaves_the_kernel_free(kernel, desk, gated):
    assert kernel.ok("%pipeline run --no-wait").error == ""
    desk.wait_for("CellStarted", "wait")
    assert kernel.ok("6 * 7").form("text/plain") == "42"
    assert kfnb.open_run("latest").status == "running"
    kernel.ok("%pipeline stop")
    assert kfnb.open_run("latest").status == "cancelled"


def test_interrupting_ends_the_waiting_and_not_the_run(kernel, desk, gated):
    sent = kernel.send("%pipeline run", stop_on_error=True)
    queued = kernel.send("not_reached = 1")
    desk.wait_for("CellStarted", "wait")
    kernel.manager.interrupt_kernel()
    answer = kernel.answer(sent)
    assert answer.status == "error"
    run = kfnb.open_run("latest")
    assert f"kfnb stopped waiting. Run {run.id} continues. %pipeline status" in answer.error
    assert "KeyboardInterrupt" not in answer.error
    # "Run All" ends with it.
    assert kernel.answer(queued).status == "aborted"
    gated[1].touch()
    assert run.wait(60) == "succeeded"
    assert kernel.ok("1").status == "ok"


def test_a_run_that_fails_fails_its_cell(kernel, gated):
    gated[1].touch()
    answer = kernel("%pipeline run -p divisor=0")
    assert answer.status == "error"
    assert answer.error.startswith("kfnb: Run ")
    assert 'step "wait": line 3: `' in answer.error
    debugged = kernel.ok("%pipeline debug").text
    assert "line 3: `" in debugged
    assert kernel.ok("numbers, divisor").form("text/plain") == "([1, 2], 0)"
    assert kernel.ok("%pipeline load load.numbers --as again\nagain").form("text/plain") == "[1, 2]"


def test_a_run_that_is_stopped_while_it_is_waited_for(kernel, desk, gated):
    sent = kernel.send("%pipeline run")
    desk.wait_for("CellStarted", "wait")
    assert desk.kfnb("stop", "latest").returncode == 0
    answer = kernel.answer(sent)
    assert answer.status == "error"
    assert "was stopped. Continue it with %pipeline resume." in answer.error
    gated[1].touch()
    assert kernel.ok("%pipeline resume").status == "ok"
    assert kfnb.open_run("latest").status == "succeeded"


def test_a_driver_that_is_gone_is_reported(kernel, desk, gated):
    import os
    import signal

    sent = kernel.send("%pipeline run")
    desk.wait_for("CellStarted", "wait")
    os.kill(desk.wait_for("DriverStarted")["data"]["pid"], signal.SIGKILL)
    answer = kernel.answer(sent)
    assert answer.status == "error"
    assert "The driver of this run has died" in answer.error
    gated[1].touch()
    assert kernel.ok("%pipeline resume").status == "ok"


def test_of_a_long_log_a_notebook_gets_the_end(desk):
    lines = LARGEST_LOG // 50
    path = desk.notebook(("step:talk", f"for n in range({lines}):\n    print(f'{{n:060d}}')"))
    assert kfnb.run(path).status == "succeeded"
    with Kernel.started(desk.folder, desk.environment()) as kernel:
        kernel.ok("%load_ext kfnb")
        said = kernel.ok(f"%pipeline logs talk --notebook {path}").text
    assert len(said) < LARGEST_LOG + 1000
    first, *_, last = said.splitlines()
    assert "bytes are not shown" in first
    assert str(desk.home) in first
    assert last == f"{lines - 1:060d}"


def test_following_a_log_prints_it_as_it_comes(kernel, desk, gated):
    kernel.ok("%pipeline run --no-wait")
    sent = kernel.send("%pipeline logs tell -f")
    time.sleep(0.5)
    gated[1].touch()
    assert kernel.answer(sent).text == "[1.0, 2.0]\n"
