"""Whole runs on the real cluster behind an API server that fails: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.cluster.jobs import until
from tests.kubernetes.proxy import Cut, Proxy
from tests.kubernetes.runs import WAIT, let_go
from tests.runners.kubernetes.wrongs import Answer, Lost, Says, line, refusal

GONE = Says(line("ERROR", refusal(410, "too old resource version", "Expired")))
BUSY = Answer(429, {"Retry-After": "1"})


@pytest.fixture
def proxy(desk, tmp_path):
    """The API server as `desk` sees it from now on."""
    with Proxy(desk.cluster.kubeconfig) as made:
        desk.environment["KUBECONFIG"] = str(made.kubeconfig(tmp_path))
        yield made


def two_steps(desk, first="import time\nprint('begun', flush=True)\ntime.sleep(2)\n"):
    return desk.notebook(
        ("step:first", f"{first}x = 1"),
        ("step:second", "print('x is', x)"),
    )


def is_whole(desk):
    """The run has succeeded with one Job for each step, and nothing of the logs is missing."""
    steps = desk.status()["steps"]
    assert {name: (s["status"], s["attempts"]) for name, s in steps.items()} == dict.fromkeys(
        ("first", "second"), ("succeeded", 1)
    )
    assert len(desk.cluster.batch().list_namespaced_job(desk.namespace).items) == 2
    assert desk.kfnb("logs", "latest", "first") == "begun\n"
    assert desk.kfnb("logs", "latest", "second") == "x is 1\n"


def test_refusals_and_lost_replies(desk, proxy):
    """Creations are stored and their replies lost; in between nobody is let in."""
    proxy.order("POST", "configmaps", Lost())
    proxy.order("POST", "jobs", Lost(), BUSY, Answer(503), Answer(504, done=True))
    for plural in ("jobs", "pods"):
        proxy.order("GET", plural, *[Answer(503)] * 3)
        proxy.order("WATCH", plural, Answer(500), BUSY)
    proxy.order("GET", "pods/log", Answer(502), Lost())
    desk.run(two_steps(desk))
    is_whole(desk)
    assert not proxy.ordered()


def test_watches_and_logs_that_break_all_the_time(desk, proxy):
    for plural in ("jobs", "pods"):
        cuts = [Cut(after) for after in (0, 1, 700, 5000)]
        proxy.order("WATCH", plural, Answer(410), GONE, *cuts, GONE, *[Cut(3000)] * 50)
    proxy.order("GET", "pods/log", Cut(10), Cut(300), Cut(301))
    desk.run(two_steps(desk))
    is_whole(desk)
    lists = [r.at for plural in ("jobs", "pods") for r in proxy.asked("GET", plural)]
    watches = {plural: proxy.asked("WATCH", plural) for plural in ("jobs", "pods")}
    assert len(lists) <= 12
    for asked in watches.values():
        # One a second, counted over the whole time.
        assert len(asked) <= asked[-1].at - asked[0].at + 2


def test_silent_watches(desk, proxy):
    """Both are half open when the run begins: what they do not tell is looked for beside them."""
    for plural in ("jobs", "pods"):
        proxy.order("WATCH", plural, Says(silent=True))
    desk.run(two_steps(desk))
    is_whole(desk)


def test_an_api_server_that_stops_during_a_run(desk, proxy):
    path = two_steps(desk, WAIT)
    environment = {**os.environ, **desk.environment}
    command = [sys.executable, "-m", "kfnb.cli.main", "run", str(path), *desk.options]
    run = subprocess.Popen(
        command, cwd=desk.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    until(lambda: "begun" in _log(desk), "the step to print", 180)
    with proxy.away():
        let_go(desk)
        # The step ends meanwhile; its Job is complete before anybody can see it.
        _complete(desk)
    out, _ = run.communicate(timeout=300)
    assert run.returncode == 0, out
    is_whole(desk)


def _log(desk):
    found = list(desk.folder.parent.glob("home/runs/*/steps/first/1/log.txt"))
    return found[0].read_text() if found else ""


def _complete(desk):
    def look():
        jobs = desk.cluster.batch().list_namespaced_job(desk.namespace).items
        conditions = [c.type for job in jobs for c in job.status.conditions or ()]
        return "Complete" in conditions

    until(look, "the first Job's end", 180)


def test_a_name_that_no_registry_has_is_given_up_at_once(desk, proxy):
    """Without asking for events again and again: they are listed every three seconds at most."""
    path = desk.notebook(("step:only image:UPPER//bad", "x = 1"))
    said = desk.run(path, code=1)
    assert "UPPER//bad" in said
    assert desk.status()["steps"]["only"]["attempts"] == 1
    assert len(proxy.asked("GET", "events")) <= 2
    [journal] = desk.folder.parent.glob("home/runs/*/journal.jsonl")
    kinds = [json.loads(one)["type"] for one in journal.read_text().splitlines()]
    begun, failed = kinds.index("AttemptStarted"), kinds.index("AttemptFailed")
    assert not {"CellStarted", "AttemptStarted"} & set(kinds[begun + 1 : failed])


def test_a_sidecar_that_outlives_the_step_and_is_never_ready(desk, proxy):
    """As an admission webhook adds one to every pod; it holds nothing up, and does not stay."""

    def with_a_sidecar(plural, body):
        if plural == "jobs":
            pod = body["spec"]["template"]["spec"]
            first = pod["containers"][0]
            probe = {"exec": {"command": ["false"]}, "periodSeconds": 1}
            sidecar = {
                "name": "proxy",
                "image": desk.cluster.busybox,
                "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"],
                "readinessProbe": probe,
                "securityContext": first["securityContext"],
            }
            pod["containers"] = [first, sidecar]
        return body

    proxy.change = with_a_sidecar
    desk.run(two_steps(desk))
    assert {s["status"] for s in desk.status()["steps"].values()} == {"succeeded"}

    def left():
        pods = desk.cluster.core().list_namespaced_pod(desk.namespace).items
        return [p for p in pods if p.status.phase == "Running"]

    until(lambda: not left(), "the sidecars' end", 180)


@pytest.mark.parametrize("seconds", [1, 4])
def test_the_deadline_of_a_pod_is_a_timeout(desk, proxy, seconds):
    """Whether the step has begun by then or not."""

    def soon(plural, body):
        if plural == "jobs":
            body["spec"]["activeDeadlineSeconds"] = seconds
        return body

    proxy.change = soon
    path = desk.notebook(("step:slow timeout:60s", "import time\ntime.sleep(600)"))
    said = desk.run(path, code=1)
    failed = _events(desk, "AttemptFailed")
    assert [one["class"] for one in failed] == ["timeout"], said


def _events(desk, kind):
    [journal] = desk.folder.parent.glob("home/runs/*/journal.jsonl")
    told = [json.loads(one) for one in journal.read_text().splitlines()]
    return [event["data"] for event in told if event["type"] == kind]
