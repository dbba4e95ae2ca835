"""Whether something of a Job still goes on."""

from __future__ import annotations

import pytest

from kfnb.runners.kubernetes.watch.job_predicates import has_started, may_still_execute
from kfnb.runners.kubernetes.watch.pod_events import View

ENDED = {"terminated": {"exitCode": 1}}
RUNS = {"running": {}}
WAITS = {"waiting": {"reason": "ImagePullBackOff"}}


def view(*pods, conditions=(), gone=()):
    job = {"metadata": {"uid": "job"}, "status": {"conditions": list(conditions)}}
    return View(job, pods, (), frozenset(gone))


def pod(*states, phase="Running", uid="pod"):
    statuses = [{"state": state} for state in states]
    return {"metadata": {"uid": uid}, "status": {"phase": phase, "containerStatuses": statuses}}


@pytest.mark.parametrize(
    ("states", "phase", "expected"),
    [
        ((RUNS,), "Running", True),
        ((WAITS,), "Pending", True),
        ((ENDED, RUNS), "Running", True),
        ((), "Pending", True),
        ((ENDED,), "Running", False),
        ((ENDED,), "Failed", False),
    ],
)
def test_a_pod_is_live_until_its_last_container_has_ended(states, phase, expected):
    """Kubernetes says the phase a moment after the containers' states."""
    assert may_still_execute(view(pod(*states, phase=phase))) is expected


def test_a_job_without_pods_is_live_until_it_has_ended_or_is_gone():
    assert may_still_execute(view())
    assert not may_still_execute(view(conditions=[{"type": "Failed"}]))
    assert not may_still_execute(view(gone=["job"]))


def test_there_is_a_log_as_soon_as_a_container_executes():
    assert has_started(pod(RUNS))
    assert has_started(pod(ENDED))
    assert not has_started(pod(WAITS))
