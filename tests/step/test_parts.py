"""The small parts around a kernel: control, guard, sampler, sockets, reporter."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from kfnb.step.event_log import EventLog, TextLog
from kfnb.step.execution import kernel_process
from kfnb.step.execution.reporter import EventReporter, coloured
from kfnb.step.execution.sampler import Sampler, children_usage, tree_sample, unshared
from kfnb.step.execution.stop_requests import Control, Stopped, cancelled_by_signals


def test_the_first_reason_to_stop_counts() -> None:
    control = Control()
    control.check()
    control.stop("memory", "5Gi")
    control.stop("cancelled")
    with pytest.raises(Stopped) as stopped:
        control.check()
    assert (stopped.value.reason, stopped.value.detail) == ("memory", "5Gi")


def test_a_stop_wakes_the_loop_from_threads_and_signals() -> None:
    control = Control()

    async def wait() -> None:
        threading.Timer(0.05, control.stop, ["timeout"]).start()
        await asyncio.wait_for(control.asked(), 2)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(control.asked(times=2), 2)

    with cancelled_by_signals(control):
        asyncio.run(wait())
    assert control.reason == "timeout"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the guard is forked")
def test_the_guard_kills_what_it_was_told_of_when_its_owner_dies(tmp_path: Path) -> None:
    code = """
import os, subprocess, sys, time
from kfnb.step.execution import guard
keeper = guard.start()
quiet = {"stdout": subprocess.DEVNULL, "start_new_session": True}
made = [subprocess.Popen(["sleep", "50"], **quiet) for _ in range(3)]
for process in made[:2]: keeper.watch(process.pid)
keeper.release(made[1].pid)
keeper.remove(sys.argv[1])
print(*[p.pid for p in made], flush=True)
time.sleep(50)
"""
    sockets = tmp_path / "sockets"
    sockets.mkdir()
    (sockets / "s").touch()
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(sockets)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    watched, released, unknown = map(int, owner.stdout.readline().split())
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + 5
    while (_alive(watched) or sockets.exists()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(watched)
    assert not sockets.exists()
    for pid in (released, unknown):
        assert _alive(pid)
        os.kill(pid, signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_the_sampler_sees_descendants_and_reports_excess_once() -> None:
    code = "import subprocess, sys, time\nx = b'x' * (60 << 20)\nsubprocess.run(['sleep', '50'])"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    exceeded: list[int] = []
    sampler = Sampler(process.pid, limit=40 << 20, report=lambda _: None, exceeded=exceeded.append)
    sampler.start()
    try:
        deadline = time.monotonic() + 10
        while not exceeded and time.monotonic() < deadline:
            time.sleep(0.05)
        sample = tree_sample(process.pid)
        assert sample is not None
        assert sample.memory > 60 << 20
        assert sample.threads >= 2
        assert len(exceeded) == 1
        assert 60 << 20 < unshared(process.pid) <= sample.memory
        assert sampler.peak >= exceeded[0]
        assert sampler.mean > 0
    finally:
        sampler.stop()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert tree_sample(process.pid) is None
    peak, cpu = children_usage()
    assert peak > 0
    assert cpu > 0


def test_sockets_get_a_private_folder_with_a_short_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    folder = kernel_process.socket_folder()
    assert len(str(folder)) < 60
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.rmdir()


@pytest.mark.parametrize(
    ("status", "words"),
    [(3, "exit code 3"), (-9, "by signal SIGKILL"), (-99, "by signal 99"), (None, "not known")],
)
def test_an_exit_status_in_words(status: int | None, words: str) -> None:
    assert words in kernel_process.exit_words(status)


def test_printed_text_is_collected_and_keeps_its_order(tmp_path: Path) -> None:
    events, log = EventLog(tmp_path / "events.jsonl"), TextLog(tmp_path / "log.txt")
    reporter = EventReporter(events, log)
    cell: dict[str, Any] = {"cell_type": "code", "metadata": {"kfnb": {"cell": 4}}}
    other = {"cell_type": "code", "metadata": {"kfnb": {"cell": 2}}}
    reporter.expect([{"cell_type": "code", "metadata": {}}, other, cell])
    reporter.cell_started(cell)
    assert reporter.printed(cell, "stdout", "a")
    assert not reporter.printed(cell, "stdout", "b\r")
    assert reporter.printed(cell, "stderr", "c")
    reporter.displayed(cell, {"output_type": "execute_result", "data": {"text/plain": "42"}})
    reporter.displayed(cell, {"output_type": "display_data", "data": {"image/png": "…"}})
    error = {"output_type": "error", "traceback": ["\x1b[31mKeyError\x1b[0m"]}
    reporter.displayed(cell, error)
    reporter.printed(cell, "stdout", "x" * (300 << 10))
    reporter.cell_finished(cell, ok=False)
    events.close()
    log.close()
    data = (tmp_path / "log.txt").read_bytes()
    assert data.startswith(b"ab\rc\n42\n\x1b[31mKeyError\x1b[0m\nxxx")
    found = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert found[0]["data"] == {"cell": 4, "position": 2, "total": 2}
    outputs = [e["data"] for e in found if e["type"] == "CellOutput"]
    shown = [(o["kind"], o["name"], o["mime"]) for o in outputs]
    assert shown == [
        ("stream", "stdout", []),
        ("stream", "stderr", []),
        ("result", None, ["text/plain"]),
        ("display", None, ["image/png"]),
        ("error", None, []),
        ("stream", "stdout", []),
    ]
    assert "".join(data[o["offset"] : o["offset"] + o["length"]].decode() for o in outputs) == (
        data.decode()
    )
    assert found[-1]["data"]["ok"] is False


def test_of_a_traceback_colours_are_kept_and_nothing_else_that_a_terminal_obeys() -> None:
    said = "\x1b[31mOops\x1b[0m\x1b[2J\x1b]0;title\x07: \x1b[1;32mx\x1b[0m"
    error = {"output_type": "error", "traceback": ["\x1b[0;31m---\x1b[0m", said]}
    assert coloured(error) == ("\x1b[0;31m---\x1b[0m\n\x1b[31mOops\x1b[0m: \x1b[1;32mx\x1b[0m")
