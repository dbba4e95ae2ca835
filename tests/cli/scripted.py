"""Runs whose driver follows a script, for states that need no kernel to be seen."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from kfnb.engine.core.event_decoding import convert_body
from kfnb.engine.journal.file_journal import Journal
from kfnb.home import RunFolder
from kfnb.pipeline import Cell, Edge, Options, Parameter, Pipeline, Step
from kfnb.runners import create_run
from kfnb.runners.target import Prepared
from kfnb.store.locks import is_locked
from tests.waiting import wait_until

SOURCES = {
    "load": "rows = [1, 2, 3]",
    "train": "def fit(rows):\n    return 1 / 0\n\nmodel = fit(rows)",
    "report": "print(model)",
}


def step(name: str, order: int, cells: tuple[int, ...], **more: Any) -> Step:
    empty: dict[str, Any] = {
        "notes": (),
        "inputs": {},
        "outputs": (),
        "parameters": (),
        "after": (),
        "changes": (),
        "options": Options(),
        "prelude": (),
        "body": (),
    }
    return Step(name=name, id=f"s{order}", order=order, cells=cells, **{**empty, **more})


def pipeline(path: Path | None = None, sources: Mapping[str, str] = SOURCES) -> Pipeline:
    """A chain of steps, each of one cell after the parameters' cell."""
    names = list(sources)
    cells = [Cell(0, "c0", "code", "rate = 0.1", tags=("parameters",))]
    cells += [Cell(n, f"c{n}", "code", source) for n, source in enumerate(sources.values(), 1)]
    flows = ["rows", "model", "more", "rest", "end"]
    return Pipeline(
        name="made",
        description="",
        kernel="python3",
        language="python",
        cells=tuple(cells),
        parameters=(Parameter("rate", 0.1, "float", "0.1", 0, 1),),
        steps={
            name: step(
                name,
                n,
                (n + 1,),
                inputs={flows[n - 1]: names[n - 1]} if n else {},
                outputs=(flows[n],),
            )
            for n, name in enumerate(names)
        },
        edges=tuple(Edge(a, b, (flows[n],)) for n, (a, b) in enumerate(pairwise(names))),
        diagnostics=(),
        path=str(path) if path else None,
    )


def made_run(
    path: Path | None = None, sources: Mapping[str, str] = SOURCES, target: str = "local"
) -> RunFolder:
    """A new run of that pipeline that nobody drives."""
    return create_run(pipeline(path, sources), target=target, prepared=Prepared())


def write(run: RunFolder, *events: tuple[Any, ...]) -> None:
    """Append events, each (type, step, data, attempt), as a driver would."""
    with Journal(run.journal, run.id) as journal:
        for kind, *rest in events:
            name, data, attempt = (*rest, None, None, None)[:3]
            journal.append(convert_body(kind, data or {}), name, attempt=attempt, durable=False)


def output(type_: str = "int", repr_: str = "1", **more: Any) -> dict[str, Any]:
    return {"type": type_, "repr": repr_, "shape": None, "size": 28, "changed": True, **more}


def done(name: str, attempt: int = 1, **outputs: Any) -> tuple[Any, ...]:
    data = {"manifest": f"manifests/x/{name}.json", "outputs": outputs, "duration": 1.25}
    return ("StepSucceeded", name, data, attempt)


STARTED = ("DriverStarted", None, {"pid": 1})
DIVIDED = {
    "class": "user",
    "summary": 'Step "train" failed: line 2: `return 1 / 0` raised ZeroDivisionError: division by zero.',
    "ename": "ZeroDivisionError",
    "evalue": "division by zero",
    "cell": 2,
    "line": 2,
    "remedy": "",
    "traceback": "…",
}


def ready(name: str, **inputs: str) -> tuple[Any, ...]:
    return ("StepReady", name, {"why": "first run of this step", "inputs": inputs})


LOADED = [
    STARTED,
    ready("load"),
    ("AttemptStarted", "load", {}, 1),
    ("CellStarted", "load", {"cell": 1, "position": 1, "total": 1}, 1),
    ("CellFinished", "load", {"cell": 1, "duration": 0.1, "ok": True}, 1),
    done("load", rows=output("list", "[1, 2, 3]")),
]
TRAINING = [
    ready("train", rows="load"),
    ("AttemptStarted", "train", {}, 1),
    ("CellStarted", "train", {"cell": 2, "position": 1, "total": 1}, 1),
]
FAILED = [
    *LOADED,
    *TRAINING,
    ("MetricLogged", "train", {"name": "loss", "value": 0.5, "step": 1}, 1),
    ("AttemptFailed", "train", DIVIDED, 1),
    ("StepFailed", "train", {**DIVIDED, "attempts": 1}),
    ("StepSkipped", "report", {"reason": 'step "train" failed', "because": "train"}),
    ("RunFinished", None, {"status": "failed"}),
]
SUCCEEDED = [
    *LOADED,
    *TRAINING,
    ("MetricLogged", "train", {"name": "loss", "value": 0.5, "step": 1}, 1),
    ("MetricLogged", "train", {"name": "loss", "value": 0.25, "step": 2}, 1),
    done("train", model=output("Model", "Model()")),
    (
        "StepCached",
        "report",
        {**done("report")[2], "why": "nothing changed", "inputs": {"model": "train"}},
    ),
    ("RunFinished", None, {"status": "succeeded"}),
]


def log(run: RunFolder, name: str, text: str, attempt: int = 1) -> None:
    """Write what a step printed."""
    ids = {n: s["id"] for n, s in json.loads(run.pipeline.read_bytes())["steps"].items()}
    folder = run.attempt(ids[name], attempt)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.log.write_text(text)


DRIVER = """
    import json, sys, time
    from pathlib import Path
    from kfnb.engine.core.event_decoding import convert_body
    from kfnb.engine.driver_requests import pending_requests, remove_request
    from kfnb.engine.journal.file_journal import Journal
    from kfnb.home import RunFolder

    run = RunFolder(Path(sys.argv[1]))
    script = json.loads(sys.argv[2])
    with Journal(run.journal, run.id) as journal:
        def tell(kind, name=None, data=None, attempt=None):
            journal.append(convert_body(kind, data or {}), name, attempt=attempt, durable=False)
        def heed():
            for request in pending_requests(run):
                remove_request(request)
                if request.type == "stop":
                    tell("StopRequested")
                    tell("StepCancelled", "report", {"reason": "stopped"})
                    tell("RunCancelled")
                    sys.exit()
        for line in script:
            if line == "go":
                while not (run.path / "go").exists():
                    heed()
                    time.sleep(0.02)
                (run.path / "go").unlink()
            else:
                tell(*line)
"""


def drive(run: RunFolder, *script: Any) -> subprocess.Popen[bytes]:
    """Start a driver that tells the events of a script.

    At ``"go"`` it waits until :func:`go` is called, and heeds requests to stop meanwhile.
    """
    command = [sys.executable, "-c", textwrap.dedent(DRIVER), str(run.path), json.dumps(script)]
    process = subprocess.Popen(command, start_new_session=True)
    wait_until(
        lambda: process.poll() is not None or is_locked(run.driver_lock), "the driver starts"
    )
    assert process.poll() in (None, 0), "the scripted driver failed: see its traceback above"
    return process


def go(run: RunFolder) -> None:
    """Let the driver go on with its script."""
    mark = run.path / "go"
    mark.touch()
    wait_until(
        lambda: not mark.exists(),
        "the driver goes on",
        unless=lambda: not is_locked(run.driver_lock),
    )


def wait_until_following(pid: int) -> None:
    """Wait until a process follows a journal: it then catches SIGINT itself."""

    def follows() -> bool:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        caught = next(line for line in lines if line.startswith("SigCgt")).split()[1]
        with contextlib.suppress(FileNotFoundError):  # a file that it closes just now
            links = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
            return bool(int(caught, 16) & (1 << (signal.SIGINT - 1))) and any(
                "inotify" in link for link in links
            )
        return False

    wait_until(follows, "the process follows the journal")
