"""Parts of the cluster end and come back under a run: it takes longer, and nothing else."""

from __future__ import annotations

import pytest

from tests.cluster.jobs import until
from tests.cluster.layout import NODE
from tests.kubernetes.runs import WAIT, jobs, let_go, start, told, until_begun, until_ended

pytestmark = pytest.mark.alone


def run_of_two(desk):
    start(desk, desk.notebook(("step:only", WAIT + "x = 1"), ("step:next", "print(x)")))
    until_begun(desk)


def is_whole(desk):
    steps = until_ended(desk, "succeeded")["steps"]
    assert {s["attempts"] for s in steps.values()} == {1}
    assert len(jobs(desk)) == 2
    assert desk.kfnb("logs", "latest", "only") == "begun\n"
    assert desk.kfnb("logs", "latest", "next") == "1\n"


def test_a_kubelet_that_stops_while_a_step_ends(desk, node):
    """What the step has published is seen without it; what it reports comes from the store."""
    run_of_two(desk)
    with node.without("kubelet"):
        let_go(desk)
        files = desk.bucket.server.files()
        where = f"{desk.bucket.name}/kfnb/manifests"
        until(lambda: files.exists(where) and files.find(where), "the manifest", 180)
    is_whole(desk)


@pytest.mark.parametrize("kill", [False, True], ids=["ended", "killed"])
def test_an_api_server_that_is_restarted(desk, node, kill):
    run_of_two(desk)
    with node.without("kube-apiserver", kill=kill):
        assert not node.api.answers()
        let_go(desk)
    is_whole(desk)
    assert not told(desk, "AttemptFailed")


def test_a_node_that_is_lost_to_a_step(desk, node):
    """As far as one node can show it: it throws out its pods, as a node that is gone has them."""
    run_of_two(desk)
    core = desk.cluster.core()
    taint = {"key": "kfnb.test/lost", "effect": "NoExecute"}
    core.patch_node(NODE, {"spec": {"taints": [taint]}})
    try:
        until(lambda: told(desk, "AttemptFailed"), "the end of the attempt", 180)
    finally:
        let_go(desk)
        core.patch_node(NODE, {"spec": {"taints": None}})
    [failed] = [event["data"] for event in told(desk, "AttemptFailed")]
    assert failed["class"] == "infrastructure"
    assert NODE in failed["summary"]
    steps = until_ended(desk, "succeeded")["steps"]
    assert [s["attempts"] for s in steps.values()] == [2, 1]
