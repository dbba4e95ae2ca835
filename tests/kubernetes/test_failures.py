"""What goes wrong on a cluster is said in a sentence, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.cluster.jobs import until
from tests.kubernetes.runs import (
    UNTIL_ATTEMPT,
    WAIT,
    jobs,
    let_go,
    pods,
    start,
    told,
    until_begun,
    until_ended,
)


def objects(desk):
    """Names of all that a run may leave in the namespace."""
    core, batch = desk.cluster.core(), desk.cluster.batch()
    jobs = [j.metadata.name for j in batch.list_namespaced_job(desk.namespace).items]
    pods = [p.metadata.name for p in core.list_namespaced_pod(desk.namespace).items]
    maps = [m.metadata.name for m in core.list_namespaced_config_map(desk.namespace).items]
    return [*jobs, *pods, *(m for m in maps if m != "kube-root-ca.crt")]


def step(desk, name):
    return desk.status()["steps"][name]


def test_an_error_in_a_cell_is_the_step_s_own(desk):
    path = desk.notebook(
        ("step:one", "x = 1"), ("step:two", "print('here')\nx / 0"), ("step:three", "x")
    )
    said = desk.run(path, code=1)
    assert "ZeroDivisionError" in said
    assert "line 2: `x / 0`" in said
    assert step(desk, "one")["status"] == "succeeded"
    assert step(desk, "two")["attempts"] == 1
    assert "here" in desk.kfnb("logs", "latest", "two")


def test_a_secret_with_wrong_keys_is_reported_at_once_without_its_contents(desk):
    metadata = {"name": "wrong"}
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "never-told"}
    body = {"metadata": metadata, "stringData": keys}
    desk.cluster.core().create_namespaced_secret(desk.namespace, body)
    said = desk.run(desk.notebook(("step:only", "x = 1")), "--store-secret", "wrong", code=1)
    assert "refuses access" in said
    assert "Check the credentials (AWS_ACCESS_KEY_ID" in said
    assert "exit code" not in said
    assert step(desk, "only")["attempts"] == 1
    assert "never-told" not in said + desk.kfnb("logs", "latest", "only")


@pytest.mark.parametrize(
    ("tag", "expected", "permanent"),
    [
        ("image:UPPER//bad", "image", True),
        ("secret:nowhere:key:TOKEN", "nowhere", True),
        ("cpu:500", "cpu", False),
        ("limit:example.com/none:1", "example.com/none", False),
    ],
)
def test_the_message_says_what_a_pod_waits_for(desk, tag, expected, permanent):
    path = desk.notebook((f"step:only {tag}", "x = 1"))
    command = [sys.executable, "-m", "kfnb.cli.main", "run", str(path), *desk.options, "--detach"]
    subprocess.run(command, cwd=desk.folder, env={**os.environ, **desk.environment}, check=True)

    def told():
        [journal] = desk.folder.parent.glob("home/runs/*/journal.jsonl")
        said = [json.loads(line) for line in journal.read_text().splitlines()]
        texts = [json.dumps(e["data"]) for e in said if e["type"] in ("Warning", "AttemptFailed")]
        return next((text for text in texts if expected in text), None)

    until(told, f"a sentence with {expected}", 180)
    if permanent:
        until(lambda: desk.status()["status"] == "failed", "the end of the run", 180)
        assert step(desk, "only")["attempts"] == 1
    else:
        desk.kfnb("stop", "latest")
        until(lambda: desk.status()["status"] == "cancelled", "the end of the run", 180)
        until(lambda: not objects(desk), "nothing to be left", 180)


def test_memory_beyond_the_limit_is_named(desk):
    path = desk.notebook(
        ("step:big memory:200Mi", "x = bytearray(10**9)\nx[::4096] = b'1' * len(x[::4096])")
    )
    said = desk.run(path, code=1)
    assert "200Mi" in said
    assert "memory" in said


def test_memory_that_is_too_little_for_the_container_itself_is_named_too(desk):
    desk.run(desk.notebook(("step:only memory:32Mi", "x = 1")), code=1)
    [failed] = told(desk, "AttemptFailed")
    assert failed["data"]["class"] == "memory"
    assert "32Mi" in failed["data"]["summary"]


def test_a_step_that_takes_too_long_is_ended_and_says_where_it_was(desk):
    path = desk.notebook(
        ("step:slow timeout:4s", "print('begun', flush=True)"),
        ("step:slow", "import time\nfor n in range(600):\n    time.sleep(1)"),
    )
    desk.run(path, code=1)
    [failed] = told(desk, "AttemptFailed")
    assert failed["data"]["class"] == "timeout"
    assert "4 s" in failed["data"]["summary"]
    assert failed["data"]["cell"] == 1
    assert desk.kfnb("logs", "latest", "slow").startswith("begun\n")
    [job] = desk.cluster.batch().list_namespaced_job(desk.namespace).items
    assert job.spec.active_deadline_seconds > 4


def test_retries_come_later_and_later_and_end(desk):
    path = desk.notebook(("step:only retries:2", "print('tried', flush=True)\n[][0]"))
    desk.run(path, code=1)
    failed = told(desk, "AttemptFailed")
    assert [e["data"]["class"] for e in failed] == ["user"] * 3
    assert {(e["data"]["cell"], e["data"]["line"]) for e in failed} == {(0, 2)}
    started = [e["time"] for e in told(desk, "AttemptStarted")]
    waits = [start - end["time"] for start, end in zip(started[1:], failed, strict=False)]
    assert 0 < waits[0] < waits[1]
    assert len(jobs(desk)) == 3
    for attempt in "123":
        assert "tried" in desk.kfnb("logs", "latest", "only", "--attempt", attempt)


def test_infrastructure_that_fails_again_and_again_is_not_the_step_s_fault(desk):
    """Its pods go away three times, and it has no retries of its own."""
    path = desk.notebook(("step:only", UNTIL_ATTEMPT.format(4)))
    start(desk, path)
    for attempt in range(1, 4):
        until_begun(desk, attempt=attempt)
        [pod] = [p for p in pods(desk) if p.status.phase == "Running"]
        desk.cluster.core().delete_namespaced_pod(
            pod.metadata.name, desk.namespace, grace_period_seconds=0
        )
    assert until_ended(desk, "succeeded")["steps"]["only"]["attempts"] == 4
    assert {e["data"]["class"] for e in told(desk, "AttemptFailed")} == {"infrastructure"}


def test_a_stopped_run_leaves_nothing(desk):
    path = desk.notebook(("step:slow", "import time\nprint('begun', flush=True)\ntime.sleep(600)"))
    command = [sys.executable, "-m", "kfnb.cli.main", "run", str(path), *desk.options, "--detach"]
    subprocess.run(command, cwd=desk.folder, env={**os.environ, **desk.environment}, check=True)
    until_begun(desk, "slow")
    desk.kfnb("stop", "latest")
    until(lambda: desk.status()["status"] == "cancelled", "the end of the run", 180)
    until(lambda: not objects(desk), "nothing to be left", 180)


def test_a_driver_that_is_killed_is_followed_by_another_and_nothing_runs_twice(desk):
    path = desk.notebook(
        ("step:first", "import uuid\nmark = uuid.uuid4().hex"),
        ("step:second", WAIT + "print(mark)\nprint('done')"),
    )
    environment = {**os.environ, **desk.environment}
    command = [sys.executable, "-m", "kfnb.cli.main", "run", str(path), *desk.options, "--detach"]
    subprocess.run(command, cwd=desk.folder, env=environment, check=True)
    until_begun(desk, "second")
    [lock] = desk.folder.parent.glob("home/runs/*/driver.lock")
    os.kill(int(lock.read_text()), signal.SIGKILL)
    until(lambda: desk.status()["driver"].startswith("lost"), "it to count as lost")
    let_go(desk)
    desk.kfnb("resume", "latest")
    steps = desk.status()["steps"]
    assert {s["status"] for s in steps.values()} == {"succeeded"}
    assert {s["attempts"] for s in steps.values()} == {1}
    assert len(desk.cluster.batch().list_namespaced_job(desk.namespace).items) == 2
    log = desk.kfnb("logs", "latest", "second")
    assert log.count("begun") == 1
    assert log.endswith("done\n")
