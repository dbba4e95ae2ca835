"""Steps that fail, are stopped or lose their kernel: a sentence, a record, a notebook."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import nbformat
import psutil
import pytest

from kfnb.step.execution.failures import EXIT_CODES
from tests.step.conftest import Bench, Ended
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


def agrees(ended: Ended) -> None:
    """Exit code, last event and failed record tell the same; the notebook opens."""
    result = ended.events[-1]
    assert result["type"] == "Result"
    assert result["data"]["failure"] == ended.failure.plain()
    assert ended.code == EXIT_CODES[ended.failure.kind]
    assert ended.failure.summary.endswith(".")
    nbformat.validate(nbformat.read(ended.folder / "executed.ipynb", as_version=4))
    assert not list(ended.store.root.glob("staging/*"))
    assert not running(ended)


def running(ended: Ended) -> list[psutil.Process]:
    """Processes that still have this attempt in their command line or environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(ended.folder) in process.environ().get("KFNB_METRICS", ""):
                found.append(process)
        except psutil.Error:
            continue
    return [p for p in found if p.status() != psutil.STATUS_ZOMBIE]


def add_kernel(bench: Bench, name: str, argv: list[str]) -> None:
    """Install a kernel below the bench's folder."""
    folder = bench.root / "jupyter/kernels" / name
    folder.mkdir(parents=True)
    spec = {"argv": argv, "display_name": name, "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))


def wait_for(path: Path, text: str) -> None:
    wait_until(lambda: path.exists() and text in path.read_text(), f"{text} in {path}")


def test_an_error_names_cell_and_line_and_keeps_what_was_done(bench: Bench) -> None:
    ended = bench.run(
        "bad",
        "x = 1",
        "def f(n):\n    return 1 / n\n\nprint('so far')\nf(0)",
        "y = 2",
        outputs=("y",),
    )
    agrees(ended)
    failure = ended.failure
    assert (failure.kind, failure.cell, failure.line) == ("user", 1, 2)
    assert (failure.ename, failure.evalue) == ("ZeroDivisionError", "division by zero")
    assert 'Step "bad" failed: line 2: `return 1 / n` raised ZeroDivisionError' in failure.summary
    assert "\x1b" not in failure.traceback
    assert "f(0)" in failure.traceback
    assert failure.executed is not None
    assert bench.store.has(failure.executed)
    assert "so far" in ended.log
    # The log has it as the kernel said it: with its colours.
    assert re.search("\x1b\\[[0-9;]*mZeroDivisionError", ended.log)
    cells = ended.notebook["cells"]
    assert "An Exception was encountered" in "".join(cells[0]["source"])
    marks = [c for c in cells if "papermill-error-cell-tag" in c["metadata"].get("tags", [])]
    assert all("kfnb-injected" in c["metadata"]["tags"] for c in marks)
    states = [c["metadata"]["papermill"]["status"] for c in cells if c["id"] in ("c0", "c1", "c2")]
    assert states == ["completed", "failed", "pending"]
    assert [e["ok"] for e in ended.of("CellFinished")] == [True, False]


def test_a_value_that_cannot_be_saved_fails_the_step_that_made_it(bench: Bench) -> None:
    ended = bench.run(
        "make",
        "fine = [1]\nstream = (n for n in fine)",
        outputs=("fine", "stream"),
        origins={"stream": 0},
    )
    agrees(ended)
    assert ended.failure.kind == "user"
    assert ended.failure.cell == 0
    for word in ('"stream"', "`fine = [1]`", "generator"):
        assert word in ended.failure.summary
    assert "list(" in ended.failure.remedy


def test_a_value_that_needs_what_is_not_there_says_so(bench: Bench) -> None:
    first = bench.run(
        "first", "class Point: pass\np = Point()", outputs=("p",), definitions=("Point",)
    )
    assert first.code == 0
    ended = bench.run("second", "print(p)", inputs=bench.inputs(first, "p"), definitions=("Point",))
    agrees(ended)
    for word in ('"p"', "first", "Point"):
        assert word in ended.failure.summary


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("exit()", "user", ["`exit()`", "exit() or quit()"]),
        ("import os\nprint('x', flush=True)\nos._exit(3)", "user", ["`import os`", "exit code 3"]),
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
            "memory",
            ["`import os, signal`", "SIGKILL", "memory", "peak"],
        ),
        ("import sys\nsys.exit(0)", "user", ["`import sys`", "sys.exit(0)"]),
    ],
)
def test_a_cell_that_ends_its_kernel_is_named(
    bench: Bench, source: str, kind: str, words: list[str]
) -> None:
    ended = bench.run("ends", "kept = 1", source, "after = 2", outputs=("after",))
    agrees(ended)
    assert ended.failure.kind == kind
    for word in words:
        assert word in ended.failure.summary


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_step_that_takes_too_long_is_interrupted_then_killed(
    bench: Bench, stubborn: bool
) -> None:
    loop = "import time\nprint('began', flush=True)\n"
    loop += (
        "while True:\n    try: time.sleep(60)\n    except KeyboardInterrupt: print('no')"
        if stubborn
        else "time.sleep(60)"
    )
    ended = bench.run("slow", loop, timeout=0.5)
    agrees(ended)
    assert ended.code == 5
    assert "timeout of 0.5 seconds, in `import time`" in ended.failure.summary
    assert "began" in ended.text(0)
    assert ("KeyboardInterrupt" in ended.log) is not stubborn


def test_a_step_that_uses_too_much_memory_is_killed(bench: Bench) -> None:
    hog = "import time\nhog = []\nwhile True:\n    hog.append(bytearray(b'x') * 20_000_000)\n    time.sleep(.02)"
    ended = bench.run("hog", hog, memory=300 << 20)
    agrees(ended)
    assert ended.code == 6
    assert "more than its memory limit of 300Mi (peak" in ended.failure.summary


def test_cancelling_interrupts_saves_and_leaves_nothing_behind(bench: Bench) -> None:
    path = bench.prepare(
        "slow",
        "import subprocess, time\nsubprocess.Popen(['sleep', '600'])\nprint('on', flush=True)\ntime.sleep(600)",
    )
    process = bench.start(path)
    wait_for(path.parent / "log.txt", "on")
    process.send_signal(signal.SIGTERM)
    ended = bench.ended(path, process)
    agrees(ended)
    assert ended.code == 3
    assert "KeyboardInterrupt" in ended.log
    assert "on\n" in ended.text(0)


def test_cancelling_while_the_kernel_starts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = bench.root / "starts"
    source = f"import time; open({str(mark)!r}, 'w').write('on'); time.sleep(600)"
    add_kernel(bench, "slow", [sys.executable, "-c", source])
    monkeypatch.setenv("JUPYTER_PATH", str(bench.root / "jupyter"))
    path = bench.prepare("early", "x = 1", kernel="slow")
    process = bench.start(path)
    wait_for(mark, "on")
    process.send_signal(signal.SIGTERM)
    ended = bench.ended(path, process)
    assert (ended.code, ended.failure.kind) == (3, "cancelled")
    assert ended.events[-1]["data"]["failure"] == ended.failure.plain()
    assert not running(ended)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the guard is forked")
def test_a_killed_step_process_takes_its_kernel_along(
    bench: Bench, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(short_folder))
    source = "import subprocess, time\nsubprocess.Popen(['sleep', '600'])\nprint('on', flush=True)\ntime.sleep(600)"
    path = bench.prepare("slow", source)
    process = bench.start(path)
    wait_for(path.parent / "log.txt", "on")
    assert list(short_folder.glob("kfnb-*"))
    process.kill()
    ended = bench.ended(path, process)
    assert ended.code == -signal.SIGKILL
    wait_until(lambda: not running(ended), "the kernel ends")
    wait_until(lambda: not list(short_folder.glob("kfnb-*")), "the sockets are removed")


def test_a_folder_that_is_deleted_under_the_run(bench: Bench) -> None:
    path = bench.prepare("slow", "import time\nprint('on', flush=True)\ntime.sleep(600)")
    process = bench.start(path)
    wait_for(path.parent / "log.txt", "on")
    order = path.read_bytes()
    shutil.rmtree(path.parent)
    process.wait(30)
    path.parent.mkdir()
    path.write_bytes(order)
    ended = bench.ended(path, process)
    assert ended.code == 4
    assert ended.failure.kind == "disk"
    assert "was removed" in ended.failure.summary
    assert "Traceback" not in ended.stderr


def test_a_disk_that_refuses_a_value(bench: Bench) -> None:
    ended = bench.run(
        "big",
        "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\nbig = b'x' * (3 << 20)",
        outputs=("big",),
    )
    agrees(ended)
    assert ended.code == 4
    assert ended.failure.kind == "disk"
    assert '"big"' in ended.failure.summary


def test_kernels_that_cannot_be_used(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = {
        "broken": ["/no/such/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "poor": [sys.executable, "-c", "raise SystemExit('No module named ipykernel')"],
    }
    for name, argv in specs.items():
        add_kernel(bench, name, argv)
    monkeypatch.setenv("JUPYTER_PATH", str(bench.root / "jupyter"))
    for name, words in {
        "absent": ['"absent" is not installed', '"poor"', '"python3"'],
        "broken": ["/no/such/python"],
        "poor": ["exit code 1", "No module named ipykernel"],
    }.items():
        ended = bench.run(name, "x = 1", kernel=name)
        assert ended.code == 4
        assert ended.failure.kind == "configuration"
        for word in words:
            assert word in ended.failure.summary
        assert "Traceback" not in ended.stderr


def test_an_order_that_cannot_be_read(tmp_path: Path) -> None:
    import subprocess

    for data in (None, "{"):
        path = tmp_path / "order.json"
        if data is not None:
            path.write_text(data)
        result = subprocess.run(
            [sys.executable, "-m", "kfnb.step", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 4
        assert result.stderr.startswith("kfnb: ")
        assert "Traceback" not in result.stderr
