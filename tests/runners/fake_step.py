"""Stands for ``python -m kfnb.step``: does what its cells' comments say, without a kernel.

Lines of a step's own cells: ``sleep SECONDS``, ``write PATH TEXT``, ``append PATH TEXT``,
``need PATH``, ``read PATH``, ``value NAME TEXT``, ``fail [TIMES]``, ``die [TIMES]``,
``deaf`` (ignores SIGTERM), ``say TEXT``, ``mark`` (a line in ``ran.txt`` beside the notebook).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from kfnb.step.order import StepOrder
from kfnb.store import (
    Bundle,
    Failure,
    Manifest,
    Output,
    WrittenFile,
    failed_key,
    hash_file,
    manifest_key,
    open_store,
)


class Events:
    def __init__(self, order: StepOrder) -> None:
        self._n = 0
        self._file = (Path(order.folder) / "events.jsonl").open("a")
        self._bell = order.wakeup_socket

    def __call__(self, kind: str, **data: Any) -> None:
        self._n += 1
        line = json.dumps({"n": self._n, "time": time.time(), "type": kind, "data": data})
        self._file.write(line + "\n")
        self._file.flush()
        if self._bell is not None:
            bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            with bell, contextlib.suppress(OSError):
                bell.sendto(b"\0", self._bell)


def main(path: str) -> int:
    order = StepOrder.from_json(Path(path).read_bytes())
    store = open_store(Path(order.store))
    events = Events(order)
    work = Path(order.workdir)
    notebook = json.loads(Path(order.notebook).read_text())
    values: dict[str, str] = {}
    written: dict[str, WrittenFile] = {}
    read: dict[str, str] = {}
    started = time.time()

    def fail(kind: str, summary: str, code: int) -> int:
        failure = Failure(kind=kind, summary=summary)  # type: ignore[arg-type]
        store.create(failed_key(order.run, order.step_id, order.attempt), failure.to_json())
        events("Result", ok=False, failure=failure.plain())
        return code

    def stop(*_: object) -> None:
        os._exit(fail("cancelled", "stopped", 3))

    signal.signal(signal.SIGTERM, stop)
    for given in order.inputs:
        values[given.name] = "absent"
        if given.bundle is not None:
            values[given.name] = store.blob(given.bundle.blobs[0]).read_text()
    own = [c for c in notebook["cells"] if c["metadata"].get("kfnb", {}).get("role") == "step"]
    for position, cell in enumerate(own, 1):
        events(
            "CellStarted", cell=cell["metadata"]["kfnb"]["cell"], position=position, total=len(own)
        )
        for line in cell["source"].splitlines():
            word, _, rest = line.lstrip("# ").partition(" ")
            if word == "sleep":
                time.sleep(float(rest))
            elif word == "await":
                while not (work / rest).exists():
                    time.sleep(0.01)
            elif word in ("write", "append"):
                name, _, text = rest.partition(" ")
                with (work / name).open("w" if word == "write" else "a") as file:
                    file.write(text)
                kept = store.add_blob(work / name, move=False)
                written[name] = WrittenFile(kept, (work / name).stat().st_size)
            elif word == "read":
                read[rest] = hash_file(work / rest)
                values[f"read {rest}"] = (work / rest).read_text()
            elif word == "need" and not (work / rest).exists():
                return fail("user", f"{rest} is not there", 1)
            elif word == "value":
                name, _, text = rest.partition(" ")
                values[name] = text.format(**values, **order.parameters)
            elif word == "mark":
                with (work / "ran.txt").open("a") as file:
                    file.write(f"{order.step}\n")
            elif word == "deaf":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            elif word == "say":
                events("Warning", code="TEST", message=rest)
            elif word == "fail" and order.attempt <= int(rest or 99):
                return fail("user", "it failed as told", 1)
            elif word == "die" and order.attempt <= int(rest or 99):
                os.kill(os.getpid(), signal.SIGKILL)
            elif word == "metric":
                name, _, value = rest.partition(" ")
                events("MetricLogged", name=name, value=float(value), step=None)
        events("CellFinished", cell=cell["metadata"]["kfnb"]["cell"], duration=0.0, ok=True)
    outputs, bundles = {}, {}
    for name in order.outputs:
        if name not in values:
            outputs[name] = Output(absent=True)
            continue
        blob = store.add_bytes(values[name].encode())
        bundles[name] = Bundle(blobs=(blob,), names=(name,))
        outputs[name] = Output(bundle=name, type="str", repr=values[name], hash=blob)
    manifest = Manifest(
        run=order.run,
        step=order.step,
        attempt=order.attempt,
        round=order.round,
        started=started,
        finished=time.time(),
        outputs=outputs,
        bundles=bundles,
        files_written=written,
        files_read=read,
        packages={"pytest": "1"},
        executed=store.add_bytes(json.dumps(notebook).encode()),
    )
    key = manifest_key(order.run, order.step_id, index=order.index, round=order.round)
    store.create(key, manifest.to_json())
    events("Result", ok=True, manifest=key)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
