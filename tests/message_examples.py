"""An example of every diagnostic, made by the code of kfnb from a small notebook or run."""

from __future__ import annotations

import dataclasses
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import kfnb
from kfnb.engine.core.state import HELD_UP
from kfnb.notebook.diagnostics import CODES, located
from kfnb.pipeline import Diagnostic, Pipeline
from kfnb.runners.code_bundle import bundle
from kfnb.runners.kubernetes import runner
from kfnb.runners.kubernetes.driver import drive
from kfnb.runners.kubernetes.explain.diagnose import diagnose
from kfnb.runners.kubernetes.options import KubernetesOptions
from kfnb.runners.local.supervised import STOPPED, stopped_warning
from kfnb.runners.local.target import LocalTarget
from kfnb.runners.local.unsupported_options import options_without_effect
from kfnb.step.collecting import Collector, MoreThanAdded
from kfnb.step.execution import failures, step_warnings
from kfnb.step.order import MadeWith
from kfnb.step.version_check import differences
from kfnb.verify import findings
from kfnb.verify.side_by_side import Difference
from tests.engine.pretend_driver import Driver, pipeline, result, step

OBJECTS = "runners/kubernetes/objects/unschedulable-cpu.json"
"""A Job and its pod, recorded on a real cluster."""

Cells = Sequence[tuple[str, str]]
"""Tags and source of each cell."""

LOAD = ("step:load", "rows = [3, 1]")
CALLS = [("setup", "def f():\n    return x"), ("step:load", "x = 1"), ("step:train", "f()")]
"""Calls of functions; with a smaller limit they take too much work to follow."""

READ: dict[str, Cells] = {
    "KFNB-E101": [("step:load", "x = (1")],
    "KFNB-E102": [("step:load", "rows = [1]"), ("step:train", "model = fit(row)")],
    "KFNB-E104": [("step:a", "x = 1"), ("step:b", "x = x + 1"), ("step:a", "print(x)")],
    "KFNB-E105": [("step:load", "rows = [1]"), ("setup", "size = len(rows)")],
    "KFNB-E201": [("step:load cpu:1", "x = 1"), ("step:load cpu:2", "y = 2")],
    "KFNB-E202": [("step:load timeout:soon", "x = 1")],
    "KFNB-E203": [LOAD, ("step:train after:laod", "y = 2")],
    "KFNB-E204": [("step:load after:train", "x = 1"), ("step:train after:load", "y = 2")],
    "KFNB-E205": [("step:load after:", "x = 1")],
    "KFNB-E207": [("", "%%step load --cpus 2\nx = 1")],
    "KFNB-E208": [("step:a step:b", "x = 1")],
    "KFNB-E209": [("step:tidy on-exit", "x = 1"), ("step:report on-exit", "y = 2")],
    "KFNB-E219": [("", "x = 1\n%%step load\ny = 2")],
    "KFNB-E405": [
        ("imports", "import string"),
        ("step:load", "text = input()\nstring.digits = text"),
        ("step:train", "print(string.digits)"),
    ],
    "KFNB-E406": [("step:load", "3 + 4"), ("step:train", "print(_1)")],
    "KFNB-E407": [
        ("setup", "import uuid\nname = uuid.uuid4()"),
        ("step:load", "print(name)"),
        ("step:train", "print(name)"),
    ],
    "KFNB-W103": [
        ("step:load", "rows = [1]"),
        ("step:train", "if rows:\n    print(row_count)"),
    ],
    "KFNB-W107": [
        ("block:load", "rows = [1]"),
        ("block:clean prev:load", "rows = [2]"),
        ("block:train prev:load", "print(rows)"),
    ],
    "KFNB-W108": [("step:load", "exec(input())")],
    "KFNB-W109": [("step:load", "rows = [size]"), ("setup", "size = 3")],
    "KFNB-W110": [("step:load", "x = " + "1 + " * 3000 + "1")],
    "KFNB-W111": [("step:load changes:row", "rows = [1]")],
    "KFNB-W211": [("step:load", "%%step fetch\nx = 1")],
    "KFNB-W212": [("stp:load", "x = 1")],
    "KFNB-W213": [("step:load setup", "x = 1")],
    "KFNB-W214": [("setup cpu:2", "x = 1"), LOAD],
    "KFNB-W215": [LOAD, ("step:train", "import kfnb\nkfnb.run('train.ipynb')")],
    "KFNB-W216": [("skip", "x = 1")],
    "KFNB-W220": [("", "%%step load\nx = 1")],
    "KFNB-W221": [("step:train when:lr", "x = 1")],
    "KFNB-W416": [
        ("setup", "import socket"),
        ("step:load", "n = 3\nsocket.setdefaulttimeout(n)"),
        ("step:train", "print(socket.getdefaulttimeout())"),
    ],
    "KFNB-W417": [
        ("imports", "import functools\n@functools.cache\ndef square(x): return x * x"),
        ("step:load", "square(2)"),
        ("step:train", "square(2)"),
    ],
    "KFNB-W418": [
        ("setup", "import time\nstarted = time.time()"),
        ("step:load", "print(started)"),
        ("step:train", "print(started)"),
    ],
    "KFNB-H113": [
        ("imports", "from sklearn.linear_model import LinearRegression"),
        ("step:load", "X = [[1]]; y = [1]; model = LinearRegression()"),
        ("step:one", "a = model.fit(X, y)"),
        ("step:two", "b = model.fit(X, y)"),
    ],
    "KFNB-H117": [
        ("step:open", "import sqlite3\ncon = sqlite3.connect('data.db')"),
        ("step:read", "print(con.execute('select 1').fetchone())"),
    ],
    "KFNB-E410": [
        ("step:open", "import sqlite3\ncon = sqlite3.connect('data.db')"),
        ("step:read env:MODE=fast", "print(con.execute('select 1').fetchone())"),
    ],
    "KFNB-H115": [("step:load", "import os\nprint(sorted(os.environ))")],
    "KFNB-H114": [
        ("step:load", "for i in range(60):\n  for j in range(60):\n    open(f'{i}-{j}.csv')\n" * 2),
    ],
}


def examples() -> dict[str, str]:
    """Return an example of each code."""
    shown: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.ipynb"
        for code, found in (*_read(path), *_found_elsewhere(path)):
            text = str(found) if isinstance(found, Diagnostic) else found
            if code in CODES:
                shown.setdefault(code, text.replace(folder, "FOLDER"))
    missing = sorted(CODES.keys() - shown.keys())
    assert not missing, f"Add an example here of {', '.join(missing)}."
    return shown


def read(path: Path, cells: Cells, *, metadata: Mapping[str, Any] | None = None) -> Pipeline:
    """Write a notebook and read it."""
    plain: list[Any] = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {"tags": tags.split()},
            "execution_count": n + 1,
            "outputs": [],
            "source": source,
        }
        for n, (tags, source) in enumerate(cells)
    ]
    return _written(path, plain, metadata or {})


def _written(path: Path, cells: list[Any], metadata: Mapping[str, Any]) -> Pipeline:
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook))
    return kfnb.read(path)


def _read(path: Path) -> Iterator[tuple[str, Diagnostic]]:
    """Yield what reading finds."""
    odd = [
        _written(path, [3], {}),
        _written(path, [{"cell_type": "cod", "source": "x = 1", "metadata": {}}], {}),
        read(path, [LOAD, ("step:b", "y = 1")], metadata={"kernelspec": {"language": "R"}}),
        read(path, [LOAD], metadata={"kfnb": {"on_exit": True}}),
        read(path, [LOAD], metadata={"kubeflow_notebook": {"katib_run": True}}),
        _written(
            path,
            [
                {
                    "cell_type": "code",
                    "source": "",
                    "metadata": {"tags": ["notebook:fit"], "notebook_path": "fit.ipynb"},
                }
            ],
            {},
        ),
    ]
    with mock.patch("kfnb.notebook.flow.interpreter.summaries.MOST_WORK", 1):
        odd.append(read(path, CALLS))
    for code, cells in READ.items():
        for diagnostic in read(path, cells).diagnostics:
            if diagnostic.code == code:
                yield code, diagnostic
    for pipeline_read in odd:
        for diagnostic in pipeline_read.diagnostics:
            yield diagnostic.code, diagnostic


def _found_elsewhere(path: Path) -> Iterator[tuple[str, Diagnostic | str]]:
    """Yield what a run, a target, a step or ``kfnb check --verify`` finds."""
    yield from _of_runs()
    yield from _of_targets(path)
    yield from _of_steps()
    yield from _of_verify(path)


def _sentence(data: Mapping[str, Any]) -> tuple[str, str]:
    """Write an event's warning or error as a view does."""
    message = str(data.get("summary") or data.get("message"))
    return data["code"], f"{data['code']}: {message.rstrip('.')}. {data['remedy']}"


def _of_runs() -> Iterator[tuple[str, str]]:
    for mode in ("fail", "warn"):
        for run in _runs(mode):
            yield from map(_sentence, run.data("Warning"))
            for end in run.data("RunFinished"):
                if end.get("error"):
                    yield _sentence(end["error"])


_IN_PLACE = {"files_read": {"log.txt": "1"}, "files_written": {"log.txt": "2"}}
"""A step that did this is not executed again, so what it missed cannot be repaired."""


def _runs(on_mutation: str) -> Iterator[Driver]:
    """Execute small runs in which a step does what its source does not show."""
    three = (step("load", "", "rows"), step("clean", "rows", "c"), step("plot", "rows"))
    for unexpected, published in (
        ({"rows": "changed in place"}, ["c", "rows"]),
        ({"rows": "it holds a lock"}, ["c"]),
    ):
        run = Driver(pipeline(*three), parallel=2, on_mutation=on_mutation)
        run.turn()
        run.succeed("load")
        run.succeed("plot", **_IN_PLACE)
        run.succeed("clean", published, unexpected=unexpected)
        run.obey()
        yield run
    run = Driver(pipeline(*three), parallel=1, on_mutation=on_mutation)
    run.turn()
    run.succeed("load")
    run.succeed("clean", ["c", "rows"], unexpected={"rows": "changed in place"})
    yield run
    yield _split_alias(on_mutation)
    for names, parallel, written, read_ in (
        (("write", "read"), 2, "new", "old"),
        (("write", "read"), 1, "h", "h"),
        (("read", "write"), 2, "h", "h"),
    ):
        run = Driver(pipeline(*map(step, names)), parallel=parallel, on_mutation=on_mutation)
        run.turn()
        run.succeed(names[0], **_files(names[0], written, read_))
        run.succeed(names[1], **_files(names[1], written, read_))
        yield run
    run = Driver(pipeline(step("write"), step("again")), parallel=2)
    run.turn()
    run.succeed(
        "again", files_read={"log.txt": "1"}, files_written={"log.txt": "2", "rows.csv": "b"}
    )
    run.succeed("write", files_written={"rows.csv": "a"})
    yield run
    run = Driver(pipeline(step("load"), step("train")), parallel=2, on_mutation=on_mutation)
    run.turn()
    run.succeed("train", state={"options of pandas": ["", "", ""]}, **_IN_PLACE)
    run.succeed("load", state={"options of pandas": ["", "", "changed"]})
    run.obey()
    yield run


def _files(name: str, written: str, read_: str) -> dict[str, Any]:
    if name == "write":
        return {"files_written": {"rows.csv": written}}
    used = {"files_read": {"rows.csv": read_, **_IN_PLACE["files_read"]}}
    return used if written == read_ else {**_IN_PLACE, **used}


def _split_alias(on_mutation: str) -> Driver:
    run = Driver(
        pipeline(
            step("load", "", "rows"),
            step("select", "rows", "best"),
            step("grow", "rows", "rows"),
            step("show", "best"),
        ),
        parallel=2,
        on_mutation=on_mutation,
    )
    run.turn()
    run.succeed("load")
    for name, names, changed in (("select", ("rows", "best"), "best"), ("grow", ("rows",), "rows")):
        run.running.pop(name)
        outputs = {n: {"bundle": "together", "hash": "h", "changed": n == changed} for n in names}
        aliases = [["rows", "best"]] if name == "select" else []
        files = _IN_PLACE if name == "grow" else {}
        data = {**result(), "outputs": outputs, "aliases": aliases, **files}
        run.emit("StepSucceeded", name, data, 1)
        run.turn()
    return run


def _of_targets(path: Path) -> Iterator[tuple[str, Diagnostic | str]]:
    cells = [("step:load gpu:1", "rows = open('/data/rows.csv').read() + open('more.csv').read()")]
    pipeline_read = read(path, cells)
    for diagnostic in options_without_effect(pipeline_read):
        yield diagnostic.code, diagnostic
    for diagnostic in bundle(pipeline_read, {}).findings:
        yield diagnostic.code, diagnostic
    for diagnostic in LocalTarget().check(dataclasses.replace(pipeline_read, kernel="r"), {}):
        # The kernels that are installed differ from machine to machine.
        yield diagnostic.code, re.sub(r"installed: .*?\)", 'installed: "python3")', str(diagnostic))
    record = json.loads((Path(__file__).parent / OBJECTS).read_text("utf-8"))
    found = diagnose(record["job"], record["pods"], record["events"], now=record["now"])
    assert found is not None
    yield _sentence({"code": HELD_UP, "message": runner._sentence(found), "remedy": found.remedy})
    logged: list[Any] = []
    journal: Any = SimpleNamespace(events=[], append=lambda data, durable: logged.append(data))
    drive._warn_about_sleep(journal, KubernetesOptions(image="IMAGE", store="s3://BUCKET"))
    for data in logged:
        plain = {"code": data.code, "message": data.message, "remedy": data.remedy}
        yield _sentence(plain)


def _of_steps() -> Iterator[tuple[str, Diagnostic | str]]:
    order: Any = SimpleNamespace(step="train", setup_readers={"config": "report"})
    message, remedy = failures.setup_change(order, ["config"])
    yield "KFNB-E609", f"{message} {remedy}"
    try:
        len(Collector("scores", {}, "items"))
    except MoreThanAdded as error:
        yield "KFNB-E616", str(error)
    for warning in (
        step_warnings.setup_changed(order, ["config"]),
        step_warnings.not_a_number('the metric "accuracy" must be a real number, not str'),
        step_warnings.ended_early({"source": "if done: sys.exit()"}),
        step_warnings.exit_timed_out(10),
        step_warnings.threads_left(["Thread-1"]),
        step_warnings.names_not_utf8(["caf\\xe9.txt"]),
        step_warnings.processes_left(["sleep 600 (pid 4711)"]),
    ):
        yield _sentence(warning._asdict())
    yield STOPPED, stopped_warning(4711)
    made = {"load": MadeWith("3.10.9", {"pandas": "2.1.0"})}
    for diagnostic in differences(made, python="3.11.9", installed={"pandas": "2.2.3"}.get):
        yield diagnostic.code, diagnostic


def _of_verify(path: Path) -> Iterator[tuple[str, Diagnostic]]:
    pipeline_read = read(path, [("step:load", "rows = [3]"), ("step:train", "print(rows)")])
    error = {"output_type": "error", "ename": "NameError", "evalue": "name 'x' is not defined"}
    fails = {"cells": [{"outputs": []}, {"outputs": [error]}]}
    works = {"cells": [{"outputs": []}]}
    failed = SimpleNamespace(status="failed", error="NameError: name 'x' is not defined")
    difference = Difference(1, "train", "stdout", notebook="[3]", pipeline="[4]")
    differs = {
        "step": "load",
        "name": "rows",
        "verdict": "differs",
        "reason": "rows[0] differs: 3 and 4",
    }
    unknown = {"step": "load", "name": "rows", "verdict": "unknown", "reason": "it has no =="}
    runs: list[Any] = [
        SimpleNamespace(status="failed", steps={"train": failed}),
        SimpleNamespace(status="succeeded", steps={}),
    ]
    found = [
        *findings.of_runs(fails, runs[0]),
        *findings.of_runs(fails, runs[1]),
        *findings.of_runs(works, runs[0]),
        *findings.of_outputs([difference], lambda cell: False),
        *findings.of_outputs([difference], lambda cell: True),
        *findings.of_values(pipeline_read, [differs], []),
        *findings.of_values(pipeline_read, [unknown], []),
    ]
    for diagnostic in located(found, pipeline_read.cells):
        yield diagnostic.code, diagnostic
