"""Small pipelines of fake steps, and a driver for them: what the tests here are made with."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfnb.engine.core.event_types import StepCached, StepReady
from kfnb.engine.core.events import Event
from kfnb.engine.core.settings import Settings
from kfnb.engine.driver import Driver
from kfnb.engine.journal import file_journal as journals
from kfnb.engine.journal.file_journal import Journal
from kfnb.home import RunFolder
from kfnb.pipeline import (
    Cell,
    Edge,
    FileUse,
    Options,
    Parameter,
    Piece,
    Pipeline,
    Statement,
    Step,
)
from kfnb.runners.launch import create_run
from kfnb.runners.local.processes import LocalRunner
from kfnb.store import Manifest, manifest_key, open_store
from tests.waiting import wait_until

FAKE = (sys.executable, str(Path(__file__).with_name("fake_step.py")))
HERE = Path(__file__)


@dataclass
class Make:
    """One step: what it does (see ``fake_step``), and what flows."""

    does: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Sequence[str] = ()
    after: Sequence[str] = ()
    parameters: Sequence[str] = ()
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()
    modules: Sequence[str] = ()
    options: Options = field(default_factory=Options)


def make_pipeline(
    folder: Path,
    steps: Mapping[str, Make],
    *,
    parameters: Mapping[str, Any] | None = None,
    on_exit: str | None = None,
    defaults: Options | None = None,
) -> Pipeline:
    """One cell for the parameters, then one for each step."""
    path = folder / "nb.ipynb"
    path.write_text("{}")
    named = parameters or {}
    source = "\n".join(f"{k} = {v!r}" for k, v in named.items())
    cells = [Cell(0, "c0", "code", source, tags=("parameters",))]
    made = {}
    edges = []
    for n, (name, step) in enumerate(steps.items(), 1):
        cells.append(Cell(n, f"c{n}", "code", step.does))
        own = Piece(n, "step", True, (Statement(1, 0, 1, 1, _hash(step.does)),))
        uses = [FileUse(p, p, "read", n, 1) for p in step.reads]
        made[name] = Step(
            name=name,
            id=name,
            order=n - 1,
            cells=(n,),
            notes=(),
            inputs=dict(step.inputs),
            outputs=tuple(step.outputs),
            parameters=tuple(step.parameters),
            after=tuple(step.after),
            changes=(),
            options=step.options,
            prelude=(Piece(0, "parameters", True, ()),) if named else (),
            body=(own,),
            modules=tuple(step.modules),
            reads=tuple(uses),
            writes=tuple(FileUse(p, p, "write", n, 2) for p in step.writes),
        )
        edges.extend(Edge(before, name) for before in {*step.inputs.values(), *step.after})
    return Pipeline(
        name="test",
        description="",
        kernel="python3",
        language="python",
        cells=tuple(cells),
        parameters=tuple(
            Parameter(k, v, type(v).__name__, repr(v), 0, i)
            for i, (k, v) in enumerate(named.items(), 1)
        ),
        steps=made,
        edges=tuple(edges),
        diagnostics=(),
        defaults=defaults or Options(),
        on_exit=on_exit,
        path=str(path),
    )


def quick(**more: Any) -> Settings:
    """Settings with short waits."""
    return Settings(**{"parallel": 4, "backoff": 0.01, "backoff_cap": 0.05, **more})


def drive(run: RunFolder, *, grace: float = 15.0) -> str:
    """Drive a run in this process; its status."""
    runner = LocalRunner(command=FAKE, grace=grace)
    with Journal(run.journal, run.id) as journal:
        return Driver(run, runner, journal).drive()


def go(pipeline: Pipeline, *, settings: Settings | None = None, **more: Any) -> RunFolder:
    """Create a run and drive it."""
    run = create_run(pipeline, settings=settings or quick(), **more)
    drive(run)
    return run


def events(run: RunFolder, kind: str | None = None, step: str | None = None) -> list[Event]:
    return [
        e
        for e in journals.read_journal(run.journal)
        if kind in (None, e.type) and step in (None, e.step)
    ]


def statuses(run: RunFolder) -> dict[str, str]:
    """What became of each step, by the last event about it."""
    words = {
        "StepSucceeded": "succeeded",
        "StepCached": "cached",
        "StepFailed": "failed",
        "StepSkipped": "skipped",
        "StepCancelled": "cancelled",
    }
    return {str(e.step): words[e.type] for e in events(run) if e.type in words}


def why(run: RunFolder) -> dict[str, str]:
    return {
        str(e.step): e.data.why
        for e in events(run)
        if e.step and isinstance(e.data, (StepReady, StepCached)) and e.data.why
    }


def value(run: RunFolder, step: str, name: str) -> str:
    store = open_store(run.path.parent.parent / "store")
    manifest = Manifest.from_json(store.get(manifest_key(run.id, step)) or b"")
    blob = manifest.bundles[manifest.outputs[name].bundle or ""].blobs[0]
    return store.blob(blob).read_text()


def status(run: RunFolder) -> str:
    last = events(run)[-1]
    return "cancelled" if last.type == "RunCancelled" else str(last.data.status)


class MortalJournal(Journal):
    """Kills its process as soon as event number ``last`` is written."""

    last = 0

    def append(self, *args: Any, **kwargs: Any) -> Event:
        event = super().append(*args, **kwargs)
        if event.seq >= self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        return event


def driver_process(run: RunFolder, *, last: int = 10**9) -> subprocess.Popen[bytes]:
    """A driver in a process of its own that dies when event ``last`` is written."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.runners.bench", str(run.path), str(last)],
        cwd=HERE.parents[2],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def wait_for(run: RunFolder, kind: str, step: str | None = None, *, count: int = 1) -> Event:
    """Wait until the journal has this many events of the kind (and step); return the last."""
    found = wait_until(
        lambda: (seen := events(run, kind, step))[count - 1 :] and seen,
        lambda: f"no {kind} of {step} in {_short(run)}",
    )
    return found[-1]


def _short(run: RunFolder) -> str:
    return json.dumps([(e.type, e.step) for e in events(run)])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


if __name__ == "__main__":
    MortalJournal.last = int(sys.argv[2])
    folder = RunFolder(Path(sys.argv[1]))
    with MortalJournal(folder.journal, folder.id) as opened:
        print(Driver(folder, LocalRunner(command=FAKE), opened).drive())
