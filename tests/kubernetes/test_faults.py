"""What happens to pods and Jobs of a real cluster is told from what a step does."""

from __future__ import annotations

import os
import signal
import uuid

import pytest

from tests.cluster.jobs import job, until
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
    until_said,
)


def stopped(desk, others=()):
    """Stop the run; nothing of it is left, only what others have in its namespace."""
    desk.kfnb("stop", "latest")
    until_ended(desk, "cancelled")
    until(
        lambda: not jobs(desk) and [p.metadata.name for p in pods(desk)] == list(others),
        "nothing to be left",
    )
    maps = desk.cluster.core().list_namespaced_config_map(desk.namespace).items
    assert [m.metadata.name for m in maps] == ["kube-root-ca.crt"]


def delete(core, pod):
    core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace, grace_period_seconds=0)


def evict(core, pod):
    metadata = {"name": pod.metadata.name, "namespace": pod.metadata.namespace}
    body = {"metadata": metadata, "deleteOptions": {"gracePeriodSeconds": 0}}
    core.create_namespaced_pod_eviction(pod.metadata.name, pod.metadata.namespace, body)


@pytest.mark.parametrize("take_away", [delete, evict])
def test_a_pod_that_is_removed_is_an_infrastructure_failure_and_is_retried(desk, take_away):
    start(desk, desk.notebook(("step:only", UNTIL_ATTEMPT.format(2))))
    until_begun(desk)
    [pod] = pods(desk)
    take_away(desk.cluster.core(), pod)
    status = until_ended(desk, "succeeded")
    assert [e["data"]["class"] for e in told(desk, "AttemptFailed")] == ["infrastructure"]
    assert status["steps"]["only"]["attempts"] == 2


def test_a_step_tagged_once_is_executed_again_only_when_a_person_resumes_the_run(desk):
    """Its pod was lost after its first cell began, so what it did outside may have happened."""
    path = desk.notebook(
        ("step:only once retries:3", UNTIL_ATTEMPT.format(2)), ("step:after", "print(x)")
    )
    start(desk, path)
    until_begun(desk)
    [pod] = pods(desk)
    delete(desk.cluster.core(), pod)
    status = until_ended(desk, "failed")
    assert [e["data"]["class"] for e in told(desk, "AttemptFailed")] == ["infrastructure"]
    assert len(told(desk, "AttemptStarted")) == status["steps"]["only"]["attempts"] == 1
    assert status["steps"]["after"]["status"] == "skipped"
    desk.kfnb("resume", "latest")
    until(lambda: len(told(desk, "RunFinished")) == 2, "the end of the resumed run", 180)
    status = desk.status()
    assert status["status"] == "succeeded"
    assert status["steps"]["only"]["attempts"] == 2


def test_a_job_that_a_ttl_removed_before_anybody_looked(desk):
    """What the step has published decides; nothing is executed again."""
    start(desk, desk.notebook(("step:only", WAIT + "x = 1"), ("step:next", "print(x)")))
    until_begun(desk)
    [lock] = desk.folder.parent.glob("home/runs/*/driver.lock")
    os.kill(int(lock.read_text()), signal.SIGKILL)
    let_go(desk)
    until(lambda: any(j.status.succeeded for j in jobs(desk)), "the Job's end", 180)
    [first] = jobs(desk)
    desk.cluster.batch().delete_namespaced_job(
        first.metadata.name, desk.namespace, propagation_policy="Foreground"
    )
    until(lambda: not jobs(desk), "the Job to be gone", 180)
    desk.kfnb("resume", "latest")
    assert until_ended(desk, "succeeded")["steps"]["only"]["attempts"] == 1
    [left] = jobs(desk)
    assert left.metadata.name.startswith("next-")
    assert desk.kfnb("logs", "latest", "only") == "begun\n"


def test_a_step_that_writes_more_than_its_disk_fails_with_that_reason(desk):
    source = (
        "import time\nprint('begun', flush=True)\n"
        "open('big', 'wb').write(bytes(60 << 20))\ntime.sleep(120)"
    )
    start(desk, desk.notebook(("step:only limit:ephemeral-storage:20Mi", source)))
    until_ended(desk, "failed")
    failed = told(desk, "AttemptFailed")[0]["data"]
    assert failed["class"] == "disk"
    assert "20Mi" in failed["summary"] + failed["traceback"]


def test_an_image_that_is_pushed_late_is_still_used(desk, node):
    """The registry has it only after the kubelet was refused."""
    name = f"late-{uuid.uuid4().hex[:8]}:1"
    address = node.push(node.images.busybox, f"other-{uuid.uuid4().hex[:8]}:1").rpartition("/")[0]
    path = desk.notebook((f"step:only image:{address}/{name}", "x = 1"))
    start(desk, path)
    until_said(desk, name)
    node.push(node.images.step, name)
    # The node waits longer and longer before it tries again.
    assert until_ended(desk, "succeeded")["steps"]["only"]["attempts"] == 1
    assert not told(desk, "AttemptFailed")


def test_a_missing_service_account_is_reported_at_once(desk):
    metadata = {"kfnb": {"targets": {"kubernetes": {"service_account": "nobody"}}}}
    start(desk, desk.notebook(("step:only", "x = 1"), **metadata))
    status = until_ended(desk, "failed")
    until_said(desk, "service account", "nobody")
    assert status["steps"]["only"]["attempts"] == 1
    until(lambda: not jobs(desk), "the Job to be gone", 180)


@pytest.fixture
def full(desk):
    """The name of a pod that takes up all that the namespace's quota allows."""
    core = desk.cluster.core()
    spec = {"hard": {"pods": "1"}}
    core.create_namespaced_resource_quota(
        desk.namespace, {"metadata": {"name": "few"}, "spec": spec}
    )
    until(
        lambda: core.read_namespaced_resource_quota("few", desk.namespace).status.hard, "the quota"
    )
    body = job("holds-the-place", desk.cluster.busybox, ["sleep", "1000"])["spec"]["template"]
    core.create_namespaced_pod(desk.namespace, {**body, "metadata": {"name": "holds-the-place"}})
    return "holds-the-place"


def test_a_full_quota_is_reported_and_the_step_waits(desk, full):
    start(desk, desk.notebook(("step:only", "x = 1")))
    until_said(desk, "few", "quota")
    desk.cluster.core().delete_namespaced_pod(full, desk.namespace, grace_period_seconds=0)
    assert until_ended(desk, "succeeded")["steps"]["only"]["attempts"] == 1
    assert not told(desk, "AttemptFailed")


def test_a_run_that_is_stopped_before_it_has_a_pod_leaves_nothing(desk, full):
    start(desk, desk.notebook(("step:only", "x = 1")))
    until(lambda: jobs(desk), "the Job", 180)
    stopped(desk, others=[full])
    desk.cluster.core().delete_namespaced_resource_quota("few", desk.namespace)
    assert [p.metadata.name for p in pods(desk)] == [full]


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("secret:s3:no-such-key:TOKEN", ("s3", "no-such-key")),
        ("secret:s3-other:key:TOKEN", ("s3-other",)),
    ],
)
def test_a_secret_that_lacks_something_is_permanent(desk, tag, words):
    start(desk, desk.notebook((f"step:only {tag}", "x = 1")))
    assert until_ended(desk, "failed")["steps"]["only"]["attempts"] == 1
    assert '"class": "configuration"' in until_said(desk, *words)


def test_a_claim_that_is_not_bound_is_reported(desk):
    claim = {
        "metadata": {"name": "unbound"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "no-such-class",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    desk.cluster.core().create_namespaced_persistent_volume_claim(desk.namespace, claim)
    volume = {"name": "data", "mount": "/data", "claim": "unbound"}
    start(desk, desk.notebook(("step:only", "x = 1"), kfnb={"volumes": [volume]}))
    until_said(desk, "unbound")
    stopped(desk)
