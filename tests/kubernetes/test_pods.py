"""Pods that are killed, that come twice, and that bear what names people give to steps."""

from __future__ import annotations

import copy
import json
import os
import re
import signal
from pathlib import Path

from tests.cluster.jobs import until
from tests.kubernetes.runs import jobs, pods, start, told, until_ended


def processes(uid):
    """Pids, on this machine, of a pod's processes, the container's first one first."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"KFNB_POD_UID={uid}".encode() in environment:
            found.append(int(folder.name))
    return sorted(found)


def kill(uid):
    """Kill all of a pod's processes at once, as a node's death would."""
    found = processes(uid)
    for pid in found:
        os.kill(pid, signal.SIGSTOP)
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return found


def stored(desk, prefix):
    """Keys below a folder of the store."""
    files = desk.bucket.server.files()
    return [key.partition("/kfnb/")[2] for key in files.find(f"{desk.bucket.name}/kfnb/{prefix}")]


SLOW_TO_SAVE = """class Slow:
    def __init__(self):
        self.data = bytes(range(256)) * 40_000
    def __getstate__(self):
        import os, time
        print('begun to save', flush=True)
        if os.environ['KFNB_ORDER'].endswith('/1/order.json'):
            time.sleep(600)
        return self.__dict__
"""


def test_a_kill_in_the_middle_of_saving_leaves_no_manifest_and_what_was_there(desk, node):
    del node  # its processes are this machine's
    path = desk.notebook(
        ("setup", SLOW_TO_SAVE),
        ("step:first", "kept = list(range(1000))"),
        ("step:only", "x = Slow()\nprint('begun', len(kept), flush=True)"),
        ("step:last", "print(len(x.data), sum(kept))"),
    )
    start(desk, path)
    until(lambda: b"begun to save" in _log(desk, "only"), "the step to save what it made", 180)
    [pod] = [p for p in pods(desk) if p.metadata.name.startswith("only-")]
    before = stored(desk, "manifests")
    assert [Path(key).stem.partition("-")[0] for key in before] == ["first"]
    content = desk.bucket.server.files().cat(f"{desk.bucket.name}/kfnb/{before[0]}")
    assert kill(pod.metadata.uid)
    until(lambda: not processes(pod.metadata.uid), "their end", 180)
    assert stored(desk, "manifests") == before
    status = until_ended(desk, "succeeded")
    assert [e["data"]["class"] for e in told(desk, "AttemptFailed")] == ["infrastructure"]
    assert {name: s["attempts"] for name, s in status["steps"].items()} == {
        "first": 1,
        "only": 2,
        "last": 1,
    }
    assert desk.bucket.server.files().cat(f"{desk.bucket.name}/kfnb/{before[0]}") == content
    assert desk.kfnb("logs", "latest", "last") == "10240000 499500\n"


def test_a_kill_in_the_middle_of_an_upload_leaves_no_manifest(desk, node):
    del node
    source = "import os\nx = os.urandom(160 << 20)\nprint('begun', flush=True)"
    start(desk, desk.notebook(("step:only", source), ("step:last", "print(len(x) >> 20)")))
    [pod] = until(lambda: [p for p in pods(desk) if p.metadata.name.startswith("only-")], "the pod")
    uid = pod.metadata.uid
    until(lambda: _executes(uid), "the step's process")
    # The process of the step has ended, the one that uploads what it left has not.
    until(lambda: not _executes(uid), "the step's end")
    assert kill(uid)
    assert not stored(desk, "manifests")
    status = until_ended(desk, "succeeded")
    assert status["steps"]["only"]["attempts"] == 2
    assert desk.kfnb("logs", "latest", "last") == "160\n"


def test_two_live_pods_of_a_job_publish_once(desk):
    source = (
        "import time, uuid\nmark = uuid.uuid4().hex\nprint('begun', flush=True)\n"
        "for n in range(12):\n    print(n, flush=True)\n    time.sleep(1)"
    )
    path = desk.notebook(("step:only", source), ("step:last", "print(mark)"))
    start(desk, path)
    [job] = until(lambda: jobs(desk), "the Job")
    spec = desk.cluster.client().sanitize_for_serialization(job.spec.template)
    twin = copy.deepcopy(spec)
    # As the Job's own for who looks by the Job's name, and not for the Job's controller.
    labels = {k: v for k, v in twin["metadata"]["labels"].items() if "controller-uid" not in k}
    twin["metadata"] = {"name": "twin", "labels": labels}
    desk.cluster.core().create_namespaced_pod(desk.namespace, twin)
    status = until_ended(desk, "succeeded")
    assert {s["attempts"] for s in status["steps"].values()} == {1}
    assert len(stored(desk, "manifests")) == 2

    def ended():
        found = [p for p in pods(desk) if p.metadata.name == "twin"]
        return not found or found[0].status.phase in ("Succeeded", "Failed")

    until(ended, "the end of the second pod")
    [key] = [key for key in stored(desk, "manifests") if "/only" in key]
    data = desk.bucket.server.files().cat(f"{desk.bucket.name}/kfnb/{key}")
    shown = json.loads(data)["outputs"]["mark"]["repr"]
    assert shown.strip("'") in desk.kfnb("logs", "latest", "last")
    [log] = desk.folder.parent.glob("home/runs/*/steps/only/1/log.txt")
    numbers = re.findall(r"^\d+$", log.read_text(), re.MULTILINE)
    assert numbers[-12:] == [str(n) for n in range(12)]


def test_names_of_any_length_script_and_likeness_and_a_notebook_of_two_megabytes(desk):
    steps = [
        "n" * 300,
        "n" * 299 + "m",
        "模型 训练 – ünïcödé 🚀",
        "a b",
        "a-b",
        "A B",
        "--",
        "'; DROP TABLE x; $(reboot) \n{{ evil }}: &a",
    ]
    path = desk.notebook(*(("step:x", f"v{n} = {n}\nprint('is', {n})") for n in range(len(steps))))
    book = json.loads(path.read_text())
    for cell, name in zip(book["cells"], steps, strict=True):
        cell["metadata"] = {"kfnb": {"role": "step", "step": name}}
    text = "".join(f"row {n}: {'words ' * 12}\n" for n in range(25_000))
    book["cells"].append({"cell_type": "markdown", "id": "text", "metadata": {}, "source": text})
    book["cells"][0]["source"] += "\nlong = '''" + text + "'''"
    book["cells"][-2]["source"] += "\nprint(len(long))"
    path.write_text(json.dumps(book))
    assert path.stat().st_size > 2 << 20
    desk.run(path)
    status = desk.status()
    names = list(status["steps"])
    assert len(names) == len(steps)
    assert {s["status"] for s in status["steps"].values()} == {"succeeded"}
    made = [job.metadata.name for job in jobs(desk)]
    assert len(set(made)) == len(steps)
    assert all(len(name) <= 63 for name in made)
    for n, name in enumerate(names):
        assert desk.kfnb("logs", "latest", "--", name).startswith(f"is {n}\n")


def _executes(uid):
    for pid in processes(uid):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"ipykernel_launcher" in words or b"kfnb.step" in words:
            return True
    return False


def _log(desk, step):
    logs = list(desk.folder.parent.glob(f"home/runs/*/steps/{step}/1/log.txt"))
    return logs[0].read_bytes() if logs else b""
