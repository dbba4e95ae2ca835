"""What is asked of a run from elsewhere, and what only its one driver may do."""

from __future__ import annotations

import pytest

from kfnb.engine.driver_requests import (
    Request,
    pending_requests,
    remove_request,
    send_request,
)
from kfnb.engine.journal.file_journal import JournalBusy
from kfnb.home import RunFolder
from kfnb.pipeline import Pipeline
from kfnb.runners.kubernetes.api.fenced_client import FencedClient
from kfnb.runners.kubernetes.driver.requests import POLL, Inbox, Outbox, publish, store_request
from kfnb.runners.kubernetes.objects.driver_job import driver_job
from kfnb.runners.kubernetes.options import KubernetesOptions
from kfnb.store.remote.folder import FolderRemote
from tests.engine.pretend_driver import event_of


@pytest.fixture
def remote(tmp_path):
    return FolderRemote(tmp_path / "store")


@pytest.fixture
def run(tmp_path):
    (tmp_path / "r").mkdir()
    return RunFolder(tmp_path / "r")


def test_a_request_of_another_machine_is_followed_once_and_removed(remote, run):
    store_request("r", Request("stop", {"by": "ada"}), remote)
    now = [0.0]
    inbox = Inbox(run, remote, (), now=lambda: now[0])
    inbox.take()
    (found,) = pending_requests(run)
    assert (found.type, found.data["by"]) == ("stop", "ada")
    now[0] += POLL
    inbox.take()
    assert len(pending_requests(run)) == 1
    remove_request(found)
    now[0] += POLL
    inbox.take()
    assert pending_requests(run) == []
    assert remote.list("runs/r/control/") == []


def test_a_request_that_a_killed_driver_recorded_is_not_followed_again(remote, run):
    store_request("r", Request("stop"), remote)
    inbox = Inbox(run, remote, ())
    inbox.take()
    (found,) = pending_requests(run)
    recorded = event_of("StopRequested", found.data)
    remove_request(found)
    Inbox(run, remote, (recorded,)).take()
    assert pending_requests(run) == []
    assert remote.list("runs/r/control/") == []


def test_the_store_is_not_asked_all_the_time(remote, run):
    now = [0.0]
    inbox = Inbox(run, remote, (), now=lambda: now[0])
    inbox.take()
    store_request("r", Request("stop"), remote)
    now[0] += POLL / 2
    inbox.take()
    assert pending_requests(run) == []


def test_a_request_made_here_is_sent_once_and_stays_until_its_event_is_known(remote, run):
    run.control.mkdir()
    send_request(run, Request("stop"))
    outbox = Outbox(run, remote)
    assert outbox.send(recorded=set(), has_ended=False)
    assert not outbox.send(recorded=set(), has_ended=False)
    [name] = outbox.unanswered
    assert remote.list("runs/r/control/") == [f"runs/r/control/{name}.json"]
    assert len(pending_requests(run)) == 1
    assert not outbox.send(recorded={name}, has_ended=False)
    assert (outbox.unanswered, pending_requests(run)) == (frozenset(), [])


def test_resuming_a_running_run_follows_it(remote, run):
    run.control.mkdir()
    send_request(run, Request("resume"))
    outbox = Outbox(run, remote)
    assert not outbox.send(recorded=set(), has_ended=False)
    assert pending_requests(run) == []
    send_request(run, Request("resume"))
    assert outbox.send(recorded=set(), has_ended=True)
    assert outbox.wants_more


def test_a_runs_files_are_in_the_store_once(remote, run):
    run.run.write_text("{}")
    publish(run, remote)
    run.run.write_text("other")
    publish(run, remote)
    assert remote.get("runs/r/run.json") == b"{}"
    assert remote.list("runs/") == ["runs/r/run.json"]


def test_a_driver_that_was_taken_over_changes_nothing_in_the_cluster(tmp_path):
    class Cluster:
        def __init__(self):
            self.did = []

        def create(self, kind, body):
            self.did.append(("create", kind))
            return body

        def get(self, kind, name):
            return {"kind": kind, "name": name}

        def delete(self, kind, name, *, uid=None):
            self.did.append(("delete", kind, name, uid))

    def lost():
        raise JournalBusy(tmp_path / "r" / "journal.jsonl", None)

    cluster = Cluster()
    late = FencedClient(cluster, lost)
    with pytest.raises(JournalBusy):
        late.create("Job", {})
    with pytest.raises(JournalBusy):
        late.delete("Job", "x")
    assert late.get("Job", "x") is not None
    assert cluster.did == []
    FencedClient(cluster, lambda: None).delete("Job", "x", uid="u")
    assert cluster.did == [("delete", "Job", "x", "u")]


def test_the_drivers_job_comes_back_has_its_token_and_no_secret_in_it():
    target = KubernetesOptions(
        image="i", store="s3://b/p", store_secret="s3", driver_service_account="d"
    )
    owner = {"metadata": {"name": "kfnb-r", "uid": "u"}}
    pipeline = Pipeline("nb", "", "python3", "python", (), (), {}, (), ())
    job = driver_job(target, pipeline, run="r", owner=owner)
    pod = job["spec"]["template"]["spec"]
    assert (pod["restartPolicy"], pod["automountServiceAccountToken"]) == ("OnFailure", True)
    assert pod["serviceAccountName"] == "d"
    assert "activeDeadlineSeconds" not in pod
    assert job["metadata"]["ownerReferences"][0]["uid"] == "u"
    (container,) = pod["containers"]
    assert container["command"] == [
        "python",
        "-m",
        "kfnb.runners.kubernetes.driver.driver_pod",
        "r",
    ]
    assert container["envFrom"] == [{"secretRef": {"name": "s3"}}]
    names = [one["name"] for one in container["env"]]
    assert not [name for name in names if name.startswith("AWS")]
