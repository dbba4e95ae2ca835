"""Steps that succeed, executed for real."""

from __future__ import annotations

import json
import signal
import textwrap
from pathlib import Path

import nbformat
import pytest

from kfnb.store import hash_bytes
from kfnb.store.manifest import WrittenFile
from tests.step.conftest import Bench

pytestmark = pytest.mark.slow


def test_a_step_runs_as_the_notebook_would_and_reports_all_of_it(bench: Bench) -> None:
    (bench.workdir / "local.py").write_text("answer = 42\n")
    (bench.workdir / "data.csv").write_text("a,b\n1,2\n")
    (bench.workdir / "old.txt").write_text("old")
    done = bench.run(
        "first",
        "import asyncio, os, subprocess, sys\nimport local, numpy as np\nfrom kfnb import log_metric\n"
        "print(__name__, local.answer, os.path.basename(os.getcwd()))",
        "await asyncio.sleep(0)\nhere = get_ipython() is not None\nhere",
        'display({"text/plain": "shown"}, raw=True)\nprint("to err", file=sys.stderr)',
        'text = open("data.csv").read()\nwith open("made.txt", "w") as f: f.write("made")\n'
        'subprocess.run(["sh", "-c", "echo shell > shell.txt"], check=True)\n'
        'unflushed = open("late.txt", "w"); _ = unflushed.write("late")',
        'log_metric("loss", 0.5, step=1)\nlog_metric("loss", float("nan"), step=2)\n'
        'subprocess.run([sys.executable, "-c", "import kfnb; kfnb.log_metric(\'sub\', 1)"], check=True)\n'
        "score = np.float64(0.75); label = 'good'",
        "items = [1, 2]\nindex = {'items': items}\narray = np.arange(50_000)\n"
        "import atexit; atexit.register(print, 'bye')\n"
        "names = [n for n in dir() if 'kfnb' in n.lower() or n.startswith('__import')]",
        outputs=("items", "index", "array", "never", "names"),
        metrics=("score", "label"),
        files_expected=("never_made.txt", "old.txt"),
    )
    assert done.code == 0, done.events[-1]
    manifest = done.manifest

    assert done.text(0) == "__main__ 42 work\n"
    assert done.text(1) == "True"
    assert done.log.startswith("__main__ 42 work\nTrue\n")
    assert done.log.endswith("bye\n")

    assert manifest.outputs["items"].shape == (2,)
    assert manifest.outputs["items"].bundle == manifest.outputs["index"].bundle
    assert manifest.outputs["items"].bundle != manifest.outputs["array"].bundle
    assert manifest.outputs["array"].size == 400_000
    assert manifest.outputs["names"].repr == "[]"
    assert manifest.outputs["never"].absent
    assert [sorted(group) for group in manifest.aliases] == [["index", "items"]]
    assert all(bench.store.has(blob) for blob in manifest.blobs())

    written = {p: bench.store.blob(f.hash).read_text() for p, f in manifest.files_written.items()}
    assert written == {"made.txt": "made", "shell.txt": "shell\n", "late.txt": "late"}
    assert set(manifest.files_read) == {"data.csv", "local.py"}
    assert manifest.files_read["data.csv"] == hash_bytes(b"a,b\n1,2\n")

    logged = [(name, value, step) for _, name, value, step in manifest.metrics]
    assert logged == [
        ("loss", 0.5, 1),
        ("loss", "nan", 2),
        ("sub", 1.0, None),
        ("score", 0.75, None),
    ]
    assert [e["name"] for e in done.of("MetricLogged")] == ["loss", "loss", "sub", "score"]
    assert "label" in done.of("Warning")[0]["message"]

    assert set(manifest.packages) == {"numpy"}
    assert manifest.python.count(".") == 2
    assert manifest.peak_memory > 20 << 20
    assert manifest.cpu_seconds > 0.1
    assert [cell.cell for cell in manifest.cells] == list(range(6))

    assert [e["n"] for e in done.events] == list(range(1, len(done.events) + 1))
    started = done.of("CellStarted")
    assert [(e["cell"], e["position"], e["total"]) for e in started] == [
        (n, n + 1, 6) for n in range(6)
    ]
    assert all(event["ok"] for event in done.of("CellFinished"))
    log = (done.folder / "log.txt").read_bytes()
    first = done.of("CellOutput")[0]
    assert log[first["offset"] : first["offset"] + first["length"]] == b"__main__ 42 work\n"
    assert {"stream", "result", "display"} == {e["kind"] for e in done.of("CellOutput")}
    assert done.events[-1]["type"] == "Result"
    assert done.events[-1]["data"] == {"ok": True, "manifest": "manifests/run-1/first.json"}

    notebook = nbformat.read(done.folder / "executed.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells][1:-1] == [f"c{n}" for n in range(6)]
    assert notebook.metadata.papermill.exception is None
    assert notebook.cells[1].metadata.papermill.status == "completed"
    assert notebook.cells[1].metadata.papermill.duration is not None
    assert not notebook.cells[0].outputs
    assert notebook.metadata.language_info.name == "python"
    assert not list(bench.store.root.glob("staging/*"))


def test_values_flow_and_what_is_shared_stays_shared(bench: Bench) -> None:
    first = bench.run(
        "first",
        "import numpy as np\na = [1]\nb = {'a': a}\nseen = [0]\nbig = np.zeros(100_000)\nquiet = [7]",
        outputs=("a", "b", "seen", "big", "quiet", "gone"),
    )
    assert first.code == 0, first.events[-1]
    second = bench.run(
        "second",
        "print(a, seen, big.sum(), 'b' in globals(), 'gone' in globals())",
        "a.append(2)\nbig[3] = 5\nlater = {'seen': seen}\nvars()['quiet'] = [8]",
        inputs=bench.inputs(first, "a", "seen", "big", "quiet", "gone"),
        outputs=("a", "later"),
        watch=("seen", "big", "quiet"),
    )
    assert second.code == 0, second.events[-1]
    assert second.text(0) == "[1] [0] 0.0 False False\n"
    outputs = second.manifest.outputs
    assert {name: output.changed for name, output in outputs.items()} == {
        "a": True,
        "b": True,
        "later": True,
        "seen": False,
        "big": True,
        "quiet": True,
    }
    assert outputs["a"].bundle == outputs["b"].bundle
    assert outputs["seen"].bundle == outputs["later"].bundle
    assert second.manifest.unexpected == {
        "big": "changed in place",
        "quiet": "assigned a new value",
    }
    third = bench.run(
        "third",
        "print(b, a is b['a'], later['seen'] is seen, big[3])",
        inputs=bench.inputs(second, "a", "b", "seen", "later", "big"),
    )
    assert third.text(0) == "{'a': [1, 2]} True True 5.0\n"


def test_errors_that_are_allowed_do_not_stop_a_step(bench: Bench) -> None:
    done = bench.run(
        "brave",
        ("1 / 0", ["raises-exception"]),
        ("raise SystemError", ["skip-execution"]),
        "import sys\nprint('before')\nsys.exit()",
        "print('not reached')",
    )
    assert done.code == 0, done.events[-1]
    assert "ZeroDivisionError" in done.log
    assert "not reached" not in done.log
    assert [w["code"] for w in done.of("Warning")] == ["KFNB-W611"]
    assert [e["ok"] for e in done.of("CellFinished")] == [True, True, False]


def test_no_request_makes_the_kernel_refuse_the_next_one(bench: Bench) -> None:
    done = bench.run("calm", "print(get_ipython().kernel.get_parent()['content']['stop_on_error'])")
    assert done.text(0) == "False\n"


def test_files_of_earlier_steps_are_put_back_but_never_over_others(bench: Bench) -> None:
    blob = bench.root / "file"
    blob.write_text("from upstream")
    written = WrittenFile(bench.store.add_blob(blob), 13, 0o640)
    restore = {"sub/data.txt": written}
    path = bench.prepare("reader", "print(open('sub/data.txt').read())", restore=restore)
    done = bench.ended(path, bench.start(path))
    assert done.text(0) == "from upstream\n"
    restored = bench.workdir / "sub/data.txt"
    assert restored.stat().st_mode & 0o777 == 0o640
    assert set(done.manifest.files_read) == {"sub/data.txt"}
    assert not done.manifest.files_written

    restored.write_text("by the user!!")
    refused = bench.run("again", "print('never')", restore=restore)
    assert refused.code == 4
    assert refused.failure.kind == "configuration"
    assert '"sub/data.txt"' in refused.failure.summary
    assert restored.read_text() == "by the user!!"


def test_the_first_attempt_to_finish_wins(bench: Bench) -> None:
    first = bench.run("once", "x = 1", outputs=("x",))
    second = bench.run("once", "x = 2", outputs=("x",))
    assert (first.code, second.code) == (0, 0)
    assert second.manifest.attempt == 1
    assert second.events[-1]["data"] == first.events[-1]["data"]


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_no_output_is_lost_while_the_step_process_is_slow(bench: Bench) -> None:
    stopped = """
        import os, signal, time
        os.kill(os.getppid(), signal.SIGSTOP)
        for n in range(8000): print(n, flush=True)
        time.sleep(0.5)
        os.kill(os.getppid(), signal.SIGCONT)
    """
    done = bench.run("patient", textwrap.dedent(stopped))
    assert done.code == 0, done.events[-1]
    assert done.text(0) == "".join(f"{n}\n" for n in range(8000))


def test_threads_that_keep_running_are_reported(bench: Bench) -> None:
    source = """
        import threading, time
        values = []
        def work():
            time.sleep(2)
            values.append(1)
        threading.Thread(target=work, name="filler").start()
        threading.Thread(target=time.sleep, args=(2,)).start()
    """
    done = bench.run("busy", textwrap.dedent(source), outputs=("values",))
    assert done.code == 0, done.events[-1]
    (said,) = [e["data"] for e in done.events if e["type"] == "Warning"]
    assert said["code"] == "KFNB-W613"
    assert "(filler)" in said["message"]


def test_much_output_stays_bounded_and_whole_where_it_can(bench: Bench) -> None:
    done = bench.run(
        "loud",
        "for n in range(3000): print(n, flush=True)",
        "line = 'x' * 999\nfor n in range(80_000): print(line)",
        "print('\\r10%', end=''); print('\\r20%')\nprint('ünïcode')",
        "import sys\nfor n in range(3000): sys.stdout.write(f'o {n}\\n'); sys.stderr.write(f'e {n}\\n')",
    )
    assert done.code == 0, done.events[-1]
    assert done.text(0) == "".join(f"{n}\n" for n in range(3000))
    assert done.log.startswith("0\n1\n2\n")
    assert done.log.count("ends here") == 1
    assert len(done.log) < 68 << 20
    assert "characters are not shown" in done.text(1)
    assert len(done.text(1)) < 3 << 20
    assert "\r10%\r20%" in done.text(2)
    assert "ünïcode" in done.text(2)
    assert done.text(3).count("o ") == done.text(3).count("e ") == 3000
    assert len(done.events) < 600


def test_papermill_itself_can_use_the_engine(tmp_path: Path) -> None:
    import subprocess
    import sys

    source = tmp_path / "in.ipynb"
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "outputs": [],
        "id": "a",
        "metadata": {"tags": ["parameters"]},
        "source": "lr = 1",
    }
    last = {**cell, "id": "b", "metadata": {}, "source": "print('lr is', lr)\nlr"}
    fails = {**cell, "id": "c", "metadata": {}, "source": "raise KeyError(lr)"}
    for cells, code in (([cell, last], 0), ([cell, fails, last], 1)):
        source.write_text(
            json.dumps(
                {
                    "cells": cells,
                    "metadata": {
                        "kernelspec": {"name": "python3", "display_name": "p", "language": "python"}
                    },
                    "nbformat": 4,
                    "nbformat_minor": 5,
                }
            )
        )
        out = tmp_path / "out.ipynb"
        command = [sys.executable, "-m", "papermill", "--engine", "kfnb", "-p", "lr", "5"]
        result = subprocess.run(
            [*command, str(source), str(out)], capture_output=True, text=True, check=False
        )
        assert result.returncode == code, result.stderr
        notebook = nbformat.read(out, as_version=4)
        nbformat.validate(notebook)
        if code == 0:
            assert "".join(notebook.cells[2].outputs[0].text) == "lr is 5\n"
            assert notebook.metadata.papermill.parameters == {"lr": 5}
        else:
            assert "An Exception was encountered" in notebook.cells[0].source
            assert notebook.cells[-1].metadata.papermill.status == "pending"
            assert "KeyError" in result.stderr
