"""The driver in the cluster: nobody has to stay for a run, and nothing is done twice."""

from __future__ import annotations

import dataclasses
import datetime
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.jobs import until
from tests.kubernetes.runs import WAIT, jobs, let_go, pods, start, told, until_begun, until_ended

GRANT = """
import sys
from kfnb.runners.kubernetes.api.client import connect
from kfnb.runners.kubernetes.doctor.rights import driver_objects
cluster = connect(namespace=sys.argv[1])
for item in driver_objects(sys.argv[1]):
    cluster.apply(item["kind"], item)
"""


WORK = (
    ("step:first", "import uuid\nmark = uuid.uuid4().hex"),
    ("step:second", WAIT + "print(mark)\nprint('done')\ny = 1"),
    ("step:third", "print(y)"),
)
"""Three steps of which the second waits until the test lets it go on."""


@pytest.fixture
def driven(desk):
    """A desk whose namespace has the service account of drivers."""
    subprocess.run(
        [sys.executable, "-c", GRANT, desk.namespace],
        env={**os.environ, **desk.environment},
        check=True,
    )
    return desk


def companion(desk) -> int:
    """The process here that follows the run."""
    [lock] = desk.folder.parent.glob("home/runs/*/mirror.lock")
    return int(lock.read_text())


def drivers(desk):
    return [j for j in jobs(desk) if j.metadata.labels.get("kfnb.dev/part") == "driver"]


def steps_jobs(desk):
    return [j for j in jobs(desk) if j.metadata.labels.get("kfnb.dev/part") != "driver"]


def driver_pods(desk):
    return [p for p in pods(desk) if p.metadata.labels.get("kfnb.dev/part") == "driver"]


def another_machine(desk, folder):
    """A desk elsewhere, with the same workspace and store, whose list has the store's runs."""
    environment = {**desk.environment, "KFNB_HOME": str(folder)}
    other = dataclasses.replace(desk, environment=environment)
    wanted = ("--namespace", "--store", "--store-endpoint", "--store-client-endpoint")
    pairs = zip(other.options[2::2], other.options[3::2], strict=True)
    said = [word for pair in pairs if pair[0] in wanted for word in pair]
    [home] = desk.folder.parent.glob("home/runs/*")
    listed = other.kfnb("runs", "--on", "kubernetes", *said)
    assert home.name in listed
    assert "lost" not in listed
    return other


def driver_here(desk):
    """The lock of the driver on this machine, and its process."""
    [lock] = desk.folder.parent.glob("home/runs/*/driver.lock")
    return lock, int(lock.read_text())


def an_hour_passes(desk):
    """Nobody has renewed the run's Lease for long."""
    from kubernetes.client import CoordinationV1Api

    leases = CoordinationV1Api(desk.cluster.client())
    [lease] = leases.list_namespaced_lease(desk.namespace).items
    lease.spec.renew_time -= datetime.timedelta(hours=1)
    leases.replace_namespaced_lease(lease.metadata.name, desk.namespace, lease)


def followed_when_its_driver_died(desk, folder):
    """Another machine that follows a run of this one, whose driver is killed and forgotten."""
    start(desk, desk.notebook(*WORK), "--driver", "here")
    until_begun(desk, "second")
    other = another_machine(desk, folder)
    assert other.status()["driver"] == "alive"
    _, pid = driver_here(desk)
    os.kill(pid, signal.SIGKILL)
    an_hour_passes(desk)
    return other


def once(desk):
    """Every step executed once."""
    found = desk.status()
    assert {s["attempts"] for s in found["steps"].values()} == {1}, found
    assert len(steps_jobs(desk)) == 3


def test_the_laptop_may_close(driven):
    """The process here is killed while the run goes on; later its whole story is there."""
    start(driven, driven.notebook(*WORK))
    until_begun(driven, "second")
    assert len(driver_pods(driven)) == 1
    os.kill(companion(driven), signal.SIGKILL)
    let_go(driven)

    def ended():
        [job] = drivers(driven)
        return job.status.succeeded

    until(ended, "the driver in the cluster to end", 180)
    assert not told(driven, "RunFinished")
    assert driven.status()["status"] == "succeeded"
    once(driven)
    assert driven.kfnb("logs", "latest", "second").endswith("done\n")
    assert driven.kfnb("logs", "latest", "third") == "1\n"


def test_a_returning_machine_follows_the_run_that_continues(driven):
    start(driven, driven.notebook(*WORK))
    until_begun(driven, "second")
    os.kill(companion(driven), signal.SIGKILL)
    assert driven.status()["driver"] == "alive"
    let_go(driven)
    until_ended(driven, "succeeded")
    once(driven)
    assert len(drivers(driven)) == 1


def test_another_machine_sees_the_run_and_stops_it(driven, tmp_path):
    slow = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
    start(driven, driven.notebook(("step:fast", "x = 1"), ("step:slow", slow)))
    until_begun(driven, "slow")
    os.kill(companion(driven), signal.SIGKILL)
    other = another_machine(driven, tmp_path / "other")
    found = other.status()
    assert (found["status"], found["driver"]) == ("running", "alive")
    assert found["steps"]["fast"]["status"] == "succeeded"
    until(lambda: "begun" in other.kfnb("logs", "latest", "slow"), "the step's log", 180)
    other.kfnb("stop", "latest")
    assert other.status()["status"] == "cancelled"
    until(lambda: not jobs(driven) and not pods(driven), "nothing to be left", 180)
    assert driven.status()["status"] == "cancelled"


def test_another_machine_follows_and_stops_a_run_that_this_one_drives(desk, tmp_path):
    slow = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
    start(desk, desk.notebook(("step:slow", slow)), "--driver", "here")
    until_begun(desk, "slow")
    other = another_machine(desk, tmp_path / "other")
    found = other.status()
    assert (found["status"], found["driver"]) == ("running", "alive")
    assert "still executing" in other.kfnb("resume", "latest", code=2)
    until(lambda: "begun" in other.kfnb("logs", "latest", "slow"), "the step's log", 180)
    other.kfnb("stop", "latest")
    assert other.status()["status"] == "cancelled"
    until_ended(desk, "cancelled")
    until(lambda: not jobs(desk) and not pods(desk), "nothing to be left", 180)


def test_another_machine_continues_when_this_one_is_silent(desk, tmp_path):
    other = followed_when_its_driver_died(desk, tmp_path / "other")
    until(lambda: other.status()["driver"].startswith("lost since"), "it to count as lost", 180)
    let_go(desk)
    other.kfnb("resume", "latest")
    assert other.status()["status"] == "succeeded"
    once(other)
    # This one hears of it.
    assert desk.status()["status"] == "succeeded"


def test_another_machine_can_stop_a_run_whose_driver_was_killed(desk, tmp_path):
    other = followed_when_its_driver_died(desk, tmp_path / "other")
    other.kfnb("stop", "latest")
    assert other.status()["status"] == "cancelled"
    until(lambda: not jobs(desk) and not pods(desk), "nothing to be left", 180)


def test_a_run_that_ended_here_and_continues_on_another_machine_is_followed(desk, tmp_path):
    start(desk, desk.notebook(*WORK), "--driver", "here")
    until_begun(desk, "second")
    desk.kfnb("stop", "latest")
    assert desk.status()["status"] == "cancelled"
    other = another_machine(desk, tmp_path / "other")
    other.kfnb("resume", "latest", "--detach")
    until(lambda: other.status()["status"] == "running", "it to go on", 180)
    found = desk.status()
    assert (found["status"], found["driver"]) == ("running", "alive")
    let_go(desk)
    assert desk.kfnb("logs", "latest", "third", "-f") == "1\n"


def test_a_driver_that_may_nothing_says_why_and_its_run_can_be_stopped(desk):
    account = {"metadata": {"name": "kfnb-driver"}}
    desk.cluster.core().create_namespaced_service_account(desk.namespace, account)
    assert "kfnb-driver may not create" in desk.kfnb("doctor", *desk.options, code=4)
    said = desk.run(desk.notebook(*WORK), code=4)
    assert "the run's driver in the cluster failed" in said
    assert "no right to create ConfigMaps" in said
    assert said.count("kfnb doctor") == 1
    desk.kfnb("stop", "latest")
    assert desk.status()["status"] == "cancelled"
    assert len(drivers(desk)) <= 2
    until(lambda: not jobs(desk) and not pods(desk), "nothing to be left", 180)


def test_logs_of_a_run_driven_in_the_cluster_are_followed_completely(driven):
    source = (
        "import time\nfor n in range(8):\n    print('line', n, flush=True)\n    time.sleep(0.4)"
    )
    start(driven, driven.notebook(("step:one", source), ("step:two", "print('end', n)")))
    said = driven.kfnb("logs", "latest", "-f")
    lines = [f"one | line {n}" for n in range(8)]
    assert said.splitlines() == [*lines, "two | end 7"]


def test_a_run_that_can_never_continue_fails_without_another_try(driven):
    path = driven.notebook(("step:one", "x = 1"), ("step:two", "assert x == 2"))
    driven.run(path, code=1)
    files = driven.bucket.server.files()
    files.rm(f"{driven.bucket.name}/kfnb/manifests", recursive=True)
    said = driven.kfnb("resume", "latest", code=4)
    assert 'the values of step "one" are no longer in the store' in said
    assert len(drivers(driven)) == 2


def test_a_driver_here_says_what_that_means(desk):
    path = desk.notebook(("step:only", "x = 1"))
    said = desk.run(path)
    assert "KFNB-W711" in said
    assert "pauses while the machine sleeps" in said
    assert "KFNB-W711" not in desk.run(path, "--driver", "here")


def test_a_killed_driver_comes_back_and_nothing_runs_twice(driven):
    start(driven, driven.notebook(*WORK))
    until_begun(driven, "second")
    [pod] = driver_pods(driven)
    driven.cluster.core().delete_namespaced_pod(
        pod.metadata.name, driven.namespace, grace_period_seconds=0
    )
    let_go(driven)
    until_ended(driven, "succeeded")
    once(driven)
    assert len(told(driven, "DriverStarted")) == 2
    assert driven.kfnb("logs", "latest", "second").count("begun") == 1


def test_a_run_is_stopped_from_here_and_nothing_is_left(driven):
    start(driven, driven.notebook(("step:slow", "import time\nprint('begun')\ntime.sleep(600)")))
    until_begun(driven, "slow")
    driven.kfnb("stop", "latest")
    until_ended(driven, "cancelled")
    until(lambda: not jobs(driven) and not pods(driven), "nothing to be left", 180)


def test_a_failed_run_continues_in_the_cluster(driven):
    path = driven.notebook(
        ("step:one", "x = 1"),
        ("step:two", "import os\nprint('try', flush=True)\nassert os.path.exists('/kfnb/none'), x"),
    )
    driven.run(path, code=1)
    driven.kfnb("resume", "latest", code=1)
    found = driven.status()
    assert found["status"] == "failed"
    assert found["steps"]["one"]["attempts"] == 1
    assert found["steps"]["two"]["attempts"] == 2
    assert len(drivers(driven)) == 2
    assert "line 3: `" in driven.kfnb("status", "latest")


def test_a_driver_here_that_was_overtaken_leaves(driven):
    """It is stopped for a while, as by a closed laptop; another one goes on meanwhile."""
    start(driven, driven.notebook(*WORK), "--driver", "here")
    until_begun(driven, "second")
    lock, pid = driver_here(driven)
    run = lock.parent.name
    os.kill(pid, signal.SIGSTOP)
    an_hour_passes(driven)
    let_go(driven)
    try:
        other = Path(driven.folder.parent / "elsewhere")
        environment = {**os.environ, **driven.environment, "KFNB_HOME": str(other)}
        text = (
            "import sys; from kfnb.home import run_folder;"
            "from kfnb.runners.kubernetes.driver.mirror import fetch;"
            "from kfnb.runners.stores import store_of_run; import json;"
            "about = json.load(open(sys.argv[2]));"
            "fetch(run_folder(sys.argv[1]), store_of_run(about).remote)"
        )
        about = str(lock.with_name("run.json"))
        subprocess.run([sys.executable, "-c", text, run, about], env=environment, check=True)
        command = [sys.executable, "-m", "kfnb.runners", str(other / "runs" / run)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        before = {j.metadata.uid for j in jobs(driven)}
    finally:
        os.kill(pid, signal.SIGCONT)
    time.sleep(5)
    assert {j.metadata.uid for j in jobs(driven)} == before
    assert len(before) == 3
    log = lock.with_name("driver.log").read_text()
    assert "already being executed by another" in log, log
