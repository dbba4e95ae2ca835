"""What a step's container executes, as a process of this machine with a store in a folder."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kfnb.step.order import MadeWith, StepOrder
from kfnb.step.pod.event_upload import RECORD
from kfnb.step.pod.pod_environment import make_home
from kfnb.step.pod.retry import ENDED_ON_REQUEST
from kfnb.store import Failure, Manifest, failed_key, manifest_key
from kfnb.store.remote import StoreAddress, open_remote
from tests.step.conftest import Bench
from tests.waiting import PATIENCE
from tests.wheels import make_wheel

pytestmark = pytest.mark.slow


class Pod:
    """An order in a store, and what becomes of it."""

    def __init__(self, bench: Bench, path: Path, **environment: str) -> None:
        self.order = StepOrder.from_json(path.read_bytes())
        self.where = StoreAddress((bench.root / "remote").as_uri())
        self.remote = open_remote(self.where)
        self.prefix = f"runs/run-1/steps/{self.order.step_id}/{self.order.attempt}/"
        self.remote.put(self.prefix + "order.json", path.read_bytes())
        self.remote.put(self.prefix + "step.ipynb", Path(self.order.notebook).read_bytes())
        for top in ("blobs", "manifests"):
            for file in (bench.store.root / top).rglob("*"):
                if file.is_file():
                    self.remote.upload(file.relative_to(bench.store.root).as_posix(), file)
        # A container has nothing of this.
        shutil.rmtree(path.parent)
        shutil.rmtree(bench.store.root)
        shutil.rmtree(bench.workdir)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kfnb.step.pod.pod_main"],
            env={
                **os.environ,
                "KFNB_STORE": self.where.url,
                "KFNB_ORDER": self.prefix + "order.json",
                "KFNB_CODE": "",
                "KFNB_POD_UID": "uid-1",
                "KFNB_POD_ROOT": str(bench.root / "pod"),
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def ended(self, code: int = 0) -> Pod:
        self.out, err = self.process.communicate(timeout=120)
        self.err = err.decode()
        assert self.process.returncode == code, self.err
        return self

    @property
    def manifest(self) -> Manifest | None:
        data = self.remote.get(manifest_key("run-1", self.order.step_id))
        return Manifest.from_json(data) if data else None

    @property
    def failure(self) -> Failure:
        key = failed_key("run-1", self.order.step_id, self.order.attempt)
        return Failure.from_json(self.remote.get(key) or b"")

    def stored(self) -> list[dict]:
        """The lines in the store's batches, in their order."""
        keys = self.remote.list(self.prefix + "events/uid-1/")
        return [json.loads(line) for k in keys for line in self.remote.get(k).splitlines()]

    def signals(self) -> list[dict]:
        """The signals on stdout."""
        lines = [line for line in self.out.split(b"\n") if line]
        assert all(line.startswith(RECORD) for line in lines)
        return [json.loads(line[1:]) for line in lines]


def text_of(lines: list[dict]) -> str:
    found = ""
    for line in lines:
        if line.get("kind") == "log":
            assert line["from"] == len(found.encode())
            found += line["text"]
    return found


def test_a_step_publishes_as_it_would_here(bench: Bench) -> None:
    first = bench.run("first", "x = [1, 2, 3]", outputs=("x",))
    path = bench.prepare(
        "second",
        "print('ä\\r', x)\ny = sum(x)\nopen('made.txt', 'w').write('hello');",
        inputs=bench.inputs(first, "x"),
        outputs=("y",),
    )
    pod = Pod(bench, path).ended()
    assert pod.manifest is not None
    assert pod.manifest.outputs["y"].repr == "6"
    assert pod.manifest.files_written["made.txt"].size == 5
    for name in pod.manifest.blobs():
        assert pod.remote.size(f"blobs/{name[:2]}/{name}") is not None
    count = len(pod.remote.list(pod.prefix + "events/uid-1/"))
    assert [signal["batch"] for signal in pod.signals()] == list(range(count))
    assert [signal.get("last") for signal in pod.signals()] == [None] * (count - 1) + [True]
    events = [line for line in pod.stored() if "n" in line]
    assert [e["n"] for e in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "Result"
    assert events[-1]["data"]["ok"] is True
    assert text_of(pod.stored()) == "ä\r [1, 2, 3]\n"


def test_what_fails_leaves_its_record_and_notebook(bench: Bench) -> None:
    pod = Pod(bench, bench.prepare("bad", "print('so far')\n1 / 0")).ended(1)
    assert pod.manifest is None
    assert pod.failure.ename == "ZeroDivisionError"
    executed = pod.remote.get(f"blobs/{pod.failure.executed[:2]}/{pod.failure.executed}")
    assert b"so far" in executed
    assert pod.stored()[-1]["data"]["ok"] is False


def test_a_step_that_is_published_is_not_executed_again(bench: Bench) -> None:
    path = bench.prepare("once", "print('again')", outputs=())
    kept = b'{"run": "run-1"}'
    (bench.root / "remote/manifests/run-1").mkdir(parents=True)
    (bench.root / "remote/manifests/run-1/once.json").write_bytes(kept)
    pod = Pod(bench, path)
    out, _ = pod.process.communicate(timeout=60)
    assert pod.process.returncode == 0
    assert b"already been published" in out
    assert pod.remote.get("manifests/run-1/once.json") == kept


def test_a_pod_that_is_asked_to_end_saves_its_notebook(bench: Bench) -> None:
    pod = Pod(bench, bench.prepare("slow", "print('begun')\nimport time\ntime.sleep(600)"))
    _until(lambda: "begun" in text_of(pod.stored()), pod)
    pod.process.send_signal(signal.SIGTERM)
    pod.ended(3)
    assert pod.failure.kind == "cancelled"
    assert pod.err.splitlines()[-1] == ENDED_ON_REQUEST, "the cluster keeps the end of the log"
    assert b"begun" in pod.remote.get(f"blobs/{pod.failure.executed[:2]}/{pod.failure.executed}")


@pytest.mark.parametrize("who", ["pod", "step"])
def test_a_kill_leaves_no_half_result(bench: Bench, who: str) -> None:
    pod = Pod(bench, bench.prepare("slow", "x = 1\nprint('begun')\nimport time\ntime.sleep(600)"))
    _until(lambda: "begun" in text_of(pod.stored()), pod)
    children = subprocess.run(
        ["pgrep", "-P", str(pod.process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    if who == "pod":
        pod.process.kill()
        pod.process.wait()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
    else:
        os.kill(int(children[0]), signal.SIGKILL)
        pod.ended(4)
        assert pod.failure.kind == "infrastructure"
        assert "by SIGKILL" in pod.failure.summary
        log = pod.remote.get(f"blobs/{pod.failure.log[:2]}/{pod.failure.log}")
        assert log == b"begun\n"
        assert pod.stored()[-1]["data"]["failure"]["class"] == "infrastructure"
    assert pod.manifest is None


def test_a_second_pod_of_an_attempt_changes_nothing(bench: Bench) -> None:
    """It executes while another one publishes: the first manifest stays as it is."""
    go = str(bench.root / "go")
    wait = f"import os, time\nwhile not os.path.exists({go!r}):\n    time.sleep(0.1)"
    path = bench.prepare("once", f"x = 1\nprint('begun')\n{wait}", outputs=("x",))
    pod = Pod(bench, path)
    _until(lambda: "begun" in text_of(pod.stored()), pod)
    kept = b'{"run": "run-1"}'
    assert pod.remote.create(manifest_key("run-1", "once"), kept)
    (bench.root / "go").touch()
    pod.ended()
    assert pod.remote.get(manifest_key("run-1", "once")) == kept
    assert b"another pod has already published the result of this step" in pod.out


def test_values_of_other_versions_are_reported(bench: Bench) -> None:
    first = bench.run("first", "x = 1", outputs=("x",))
    path = bench.prepare("second", "print(x)", inputs=bench.inputs(first, "x"))
    order = StepOrder.from_json(path.read_bytes())
    made = {"first": MadeWith("3.1.4", {"cloudpickle": "0.1", "pip": "1.0"})}
    path.write_bytes(dataclasses.replace(order, made_with=made).to_json())
    warned = {
        line["data"]["code"]: line["data"]["message"]
        for line in Pod(bench, path).ended().stored()
        if line.get("type") == "Warning"
    }
    assert sorted(warned) == ["KFNB-W702", "KFNB-W703"]
    assert 'step "first" were saved by Python 3.1.4' in warned["KFNB-W702"]
    assert "cloudpickle 0.1 (here " in warned["KFNB-W703"]


def test_what_the_notebook_installs_is_there_before_its_kernel(bench: Bench) -> None:
    wheel = make_wheel(bench.root, "kfnb_parcel", "1.0", "value = 42\n")
    source = f"%pip install --no-index --no-deps {wheel}\nimport kfnb_parcel\nprint(kfnb_parcel)"
    pod = Pod(bench, bench.prepare("one", source)).ended()
    site = bench.root / "pod/site-packages"
    assert (site / "kfnb_parcel.py").is_file()
    assert str(site) in text_of(pod.stored())
    assert "already installed" in text_of(pod.stored())


def test_a_failed_pip_install_of_the_notebook_is_reported(bench: Bench) -> None:
    source = "%pip install --no-index kfnb-no-such-parcel==1\nimport kfnb_no_such_parcel"
    pod = Pod(bench, bench.prepare("one", source)).ended(1)
    wanted = '"%pip install --no-index kfnb-no-such-parcel==1" did not install it'
    assert wanted in pod.failure.remedy
    assert "No matching distribution" in text_of(pod.stored())


def test_a_missing_order_is_reported(bench: Bench) -> None:
    path = bench.prepare("gone", "1")
    pod = Pod(bench, path, KFNB_ORDER="runs/none/order.json")
    _, err = pod.process.communicate(timeout=60)
    assert pod.process.returncode == 2
    assert b"runs/none/order.json is not in" in err
    assert b"Traceback" not in err


def test_a_store_that_does_not_answer_is_waited_for_aloud(bench: Bench) -> None:
    path = bench.prepare("late", "pass")
    unreadable = bench.root / "remote/manifests/run-1/late.json"
    unreadable.mkdir(parents=True)
    pod = Pod(bench, path, KFNB_POD_PATIENCE="30")
    assert pod.process.stderr is not None
    line = pod.process.stderr.readline().decode()
    assert line.startswith("kfnb: waiting for the store: ")
    unreadable.rmdir()
    pod.ended()
    assert pod.manifest is not None


def test_programs_write_below_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("USER", raising=False)
    made = make_home(tmp_path)
    paths = {k: v for k, v in made.items() if k not in ("USER", "LOGNAME", "PYTHONPATH")}
    assert all(Path(path).is_dir() and path.startswith(str(tmp_path)) for path in paths.values())
    assert made["USER"] == made["LOGNAME"] == "kfnb"
    # Compiled modules are found beside their sources: with a folder of their own for them, each
    # process would compile all that it imports, which cost more than everything else it did.
    assert "PYTHONPYCACHEPREFIX" not in made


def _until(holds, pod: Pod, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert pod.process.poll() is None, pod.process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_masked_parameters_reach_the_cells_and_not_the_programs_that_these_start(
    bench: Bench,
) -> None:
    code = (
        "import os, subprocess, sys\n"
        "names = subprocess.check_output([sys.executable, '-c', 'import os; print(*os.environ)'])\n"
        "print(len(token), 'KFNB_MASKED' in names.decode() + ' '.join(os.environ))"
    )
    path = bench.prepare("only", code)
    plain = json.loads(path.read_text())
    path.write_text(json.dumps({**plain, "masked": ["token"]}))
    step = Path(plain["notebook"])
    notebook = json.loads(step.read_text())
    cell = {**notebook["cells"][0], "id": "given", "source": "# token = ***", "outputs": []}
    cell["metadata"] = {"tags": ["kfnb-injected"], "kfnb": {"masked": ["token"]}}
    step.write_text(json.dumps({**notebook, "cells": [cell, *notebook["cells"]]}))
    pod = Pod(bench, path, KFNB_MASKED_PARAMETERS=json.dumps({"token": "hunter2"})).ended()
    assert "7 False" in text_of(pod.stored())
    stored = [file for file in (bench.root / "remote").rglob("*") if file.is_file()]
    assert not [file for file in stored if b"hunter2" in file.read_bytes()]
