"""What a step prints in a pod is what it would have printed here, byte for byte."""

from __future__ import annotations

import os
import signal

from kfnb.errors import InfrastructureError
from kfnb.runners.kubernetes.api.client import connect
from kfnb.runners.kubernetes.logs.pod_log import Gap, PodLog, Raw
from tests.cluster.jobs import job, pod_of, until
from tests.kubernetes.runs import WAIT, let_go, start, told, until_begun, until_ended

STRANGE = (
    ("step:only", r"print('one\rtwo\r\n\x1b[31mred\x1b[0m \u00e4\U0001f600\ttab')"),
    ("step:only", r"import os, time; os.write(1, b'bad \xff\xfe\xc3 bytes\n'); time.sleep(1)"),
    ("step:only", "!printf 'from a shell\\nand no newline'"),
    (
        "step:only",
        "import sys; print('x' * 20_000, file=sys.stderr, flush=True); print('the end', end='')",
    ),
)


def log_of(desk, step="only", attempt=1):
    [path] = desk.folder.parent.glob(f"home/runs/*/steps/{step}/{attempt}/log.txt")
    return path.read_bytes()


def told_by_events(desk):
    """Bytes of the log that the journal speaks of: all, once, in order."""
    at = 0
    for event in told(desk, "CellOutput"):
        assert event["data"]["offset"] == at
        at += event["data"]["length"]
    return at


def test_strange_bytes_are_those_of_a_run_on_this_machine(desk):
    path = desk.notebook(*STRANGE)
    desk.environment["KFNB_HOME"] = str(desk.folder.parent / "here")
    desk.kfnb("run", path)
    [here] = desk.folder.parent.glob("here/runs/*/steps/only/1/log.txt")
    desk.environment["KFNB_HOME"] = str(desk.folder.parent / "home")
    desk.run(path)
    log = log_of(desk)
    assert log == here.read_bytes()
    assert b"one\rtwo\r\n\x1b[31mred" in log
    assert log.endswith(b"the end")


def test_megabytes_come_whole_while_the_container_s_log_is_rotated(desk):
    """A kubelet begins a new file at 10 MB, and gives what is in the newest only."""
    source = """import time
print('begun', flush=True)
for part in range(4):
    for n in range(part * 60_000, (part + 1) * 60_000):
        print(f'{n:07d} ' + 'abcdefghij' * 8)
    time.sleep(11)
print('the end')"""
    start(desk, desk.notebook(("step:only", source)))
    until_begun(desk)
    until_ended(desk, "succeeded", 300)
    expected = "begun\n" + "".join(f"{n:07d} {'abcdefghij' * 8}\n" for n in range(240_000))
    assert log_of(desk) == (expected + "the end\n").encode()
    assert desk.kfnb("logs", "latest", "only") == expected + "the end\n"
    assert told_by_events(desk) == len(expected) + len("the end\n")


def test_a_driver_that_comes_back_takes_up_the_log_where_it_was(desk):
    source = """import time
print('begun', flush=True)
for n in range(100):
    print('line', n, flush=True)
    time.sleep(0.15)"""
    start(desk, desk.notebook(("step:only", source)))
    until(lambda: b"line 20\n" in _if_there(desk), "some lines", 180)
    [lock] = desk.folder.parent.glob("home/runs/*/driver.lock")
    os.kill(int(lock.read_text()), signal.SIGKILL)
    desk.kfnb("resume", "latest")
    until_ended(desk, "succeeded")
    lines = ["begun", *(f"line {n}" for n in range(100))]
    assert log_of(desk).decode().splitlines() == lines
    assert told_by_events(desk) == len(log_of(desk))


def test_lines_come_while_the_step_executes(desk):
    start(desk, desk.notebook(("step:only", WAIT + "print('over')")))
    until_begun(desk)
    assert "begun" in desk.kfnb("logs", "latest", "only")
    assert desk.status()["steps"]["only"]["status"] == "running"
    assert b"over" not in log_of(desk)
    let_go(desk)
    assert until_ended(desk, "succeeded")
    assert log_of(desk) == b"begun\nover\n"


class Once:
    """A client whose first connection to a log breaks, and whose second waits for a moment."""

    def __init__(self, cluster, until_then):
        self._cluster = cluster
        self._until_then = until_then
        self._times = 0

    def pod_log(self, *pod, **asked):
        self._times += 1
        if self._times == 1:
            yield next(iter(self._cluster.pod_log(*pod, **asked)))
            raise InfrastructureError("broken")
        if self._times == 2:
            self._until_then()
        yield from self._cluster.pod_log(*pod, **asked)


def test_text_that_the_kubelet_discarded_is_marked(desk, monkeypatch):
    # What KUBECONFIG says is read once in a process.
    where = "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
    monkeypatch.setattr(where, str(desk.cluster.kubeconfig))
    script = (
        "echo first; sleep 4; yes 0123456789012345678901234567890123456789 | head -n 400000; "
        "sleep 14; echo last"
    )
    body = job("talks", desk.cluster.busybox, ["sh", "-c", script])
    desk.cluster.batch().create_namespaced_job(desk.namespace, body)
    core = desk.cluster.core()

    def phase():
        pods = core.list_namespaced_pod(desk.namespace, label_selector="app=talks").items
        return pods[0].status.phase if pods else ""

    until(lambda: phase() in ("Running", "Succeeded"), "the pod to run", 180)
    name = pod_of(desk.cluster, desk.namespace, "talks").metadata.name
    client = connect(context=None, namespace=desk.namespace)

    def wait():
        until(lambda: phase() == "Succeeded", "the pod's end", 180)

    log = PodLog(Once(client, wait), name, ended=lambda: phase() == "Succeeded", container="main")
    pieces = list(log.follow())
    text = b"".join(piece.data for piece in pieces if isinstance(piece, Raw))
    assert text.startswith(b"first\n")
    assert text.endswith(b"last\n")
    assert any(isinstance(piece, Gap) for piece in pieces)


def _if_there(desk):
    logs = list(desk.folder.parent.glob("home/runs/*/steps/only/1/log.txt"))
    return logs[0].read_bytes() if logs else b""
