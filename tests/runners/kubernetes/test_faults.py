"""An API server that fails: the run goes on, nothing is lost, and nothing happens twice."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from kfnb.runners.kubernetes import job_creation
from kfnb.runners.kubernetes.api import calls
from kfnb.runners.kubernetes.api.backoff import CAP
from kfnb.runners.kubernetes.api.transport import TRIES, ApiError
from kfnb.runners.kubernetes.watch import list_watch
from kfnb.runners.kubernetes.watch.list_watch import Watcher
from kfnb.runners.launch import request_stop
from kfnb.step.pod.retry import ENDED_ON_REQUEST
from kfnb.store import Failure, failed_key
from tests.cluster.jobs import until
from tests.runners.bench import Make, events, statuses
from tests.runners.kubernetes.scripted import Clock
from tests.runners.kubernetes.server import ApiServer
from tests.runners.kubernetes.world import RUNNING, Node, connected, pod_name, world
from tests.runners.kubernetes.wrongs import Answer, Lost, Says, line, now, refusal
from tests.waiting import PATIENCE

CHAIN = {
    "a": Make("", outputs=["x"]),
    "b": Make("", inputs={"x": "a"}, outputs=["y"]),
    "c": Make("", inputs={"y": "b"}),
}
ONE = {"a": Make("", outputs=["x"])}
GONE = line("ERROR", refusal(410, "too old resource version", "Expired"))
MINE = {"run": "r"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "home"))


def thing(name: str, **status_: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": MINE}, "status": status_}


def watching(server: ApiServer, folder: Path) -> Watcher:
    watcher = Watcher(connected(server.kubeconfig(folder)), "run=r")
    watcher.start()
    assert watcher.wait(PATIENCE)
    return watcher


def seen(watcher: Watcher, job: str) -> Any:
    found = watcher.view(job).job
    return None if found is None else found["status"]


# 1, 2: 410


@pytest.mark.parametrize(
    "fault", [Says(GONE), Answer(410), Answer(410, message="gone")], ids=["mid-watch", "on", "on2"]
)
def test_no_transition_is_lost_to_410(tmp_path: Path, fault: Any) -> None:
    with ApiServer() as server:
        server.put("jobs", thing("kept"))
        server.put("jobs", thing("goes"))
        server.order("WATCH", "jobs", fault)
        watcher = watching(server, tmp_path)
        until(lambda: not server.ordered(), "the 410")
        # Between the end of the watch and the next list.
        server.put("jobs", thing("kept", active=1))
        server.put("jobs", thing("new"))
        server.remove("jobs", "goes")
        server.forget()
        until(lambda: seen(watcher, "kept") == {"active": 1}, "what changed")
        until(lambda: watcher.jobs() == {"kept", "new"}, "what came and went")
        assert watcher.view("goes").gone
        # It is watched again, not only listed.
        server.put("jobs", thing("kept", active=2))
        until(lambda: seen(watcher, "kept") == {"active": 2}, "what changed later")
        watcher.stop()


# 3: a socket that is silent


def test_a_silent_socket_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_watch, "WATCH", 1.0)
    monkeypatch.setattr(calls, "_SLACK", 0.0)
    with ApiServer() as server:
        server.put("jobs", thing("a"))
        server.order("WATCH", "jobs", Says(silent=True))
        watcher = watching(server, tmp_path)
        until(lambda: not server.ordered(), "the silence")
        server.put("jobs", thing("a", active=1))
        until(lambda: seen(watcher, "a") == {"active": 1}, "what changed in silence")
        first, second = server.asked("WATCH", "jobs")[:2]
        # Nobody lists everything again because of it.
        assert len(server.asked("GET", "jobs")) == 1
        assert second.query["resourceVersion"] == first.query["resourceVersion"]
        watcher.stop()


def test_a_run_whose_watches_are_silent_from_the_start_does_not_wait_for_them(
    tmp_path: Path,
) -> None:
    """A step that seems not to start is looked for beside the watch."""
    with world(tmp_path, ONE) as made:
        for plural in ("jobs", "pods"):
            made.server.order("WATCH", plural, Says(silent=True))
        assert made.drive() == "succeeded"
        assert len(made.server.asked("WATCH", "pods")) == 1
        assert not events(made.run, "Warning")


# 4: a server that closes at once


def test_a_server_that_closes_at_once_a_thousand_times_is_asked_once_a_second(
    tmp_path: Path,
) -> None:
    clock = Clock()
    begun: list[float] = []
    with ApiServer() as server:
        server.put("jobs", thing("a"))
        server.order("WATCH", "jobs", *[Says()] * 1000)
        cluster = connected(server.kubeconfig(tmp_path))
        plainly = cluster.list_watch

        def noted(kind: str, **more: Any) -> Any:
            begun.append(clock.now())
            if not server.ordered():
                clock.stopped = True
            return plainly(kind, **{**more, "timeout": 1.0})

        cluster.list_watch = noted  # type: ignore[method-assign]
        watcher = Watcher(cluster, "run=r", clock=clock)
        watcher.follow("Job")
        assert len(begun) == 1001
        gaps = [b - a for a, b in itertools.pairwise(begun)]
        assert min(gaps) >= 1
        assert max(gaps) < 1.5
        assert len(server.asked("GET", "jobs")) <= 5
        assert seen(watcher, "a") == {}
        watcher.stop()


# 5: events that are cut


@pytest.mark.parametrize("cut", [1, 20, -2])
def test_an_event_that_is_cut_comes_again(tmp_path: Path, cut: int) -> None:
    with ApiServer() as server:
        made = server.put("jobs", thing("a"))
        later = {**made, "status": {"active": 1}}
        server.order("WATCH", "jobs", Says(line("MODIFIED", later)[:cut]))
        watcher = watching(server, tmp_path)
        until(lambda: not server.ordered(), "the cut")
        server.put("jobs", later)
        until(lambda: seen(watcher, "a") == {"active": 1}, "the whole event")
        assert len(server.asked("GET", "jobs")) == 1
        watcher.stop()


# 6, 7: refusals that pass


FAULTS = [
    ("GET", "jobs", Answer(503)),
    ("GET", "pods", Answer(500)),
    ("WATCH", "jobs", Answer(503)),
    ("WATCH", "pods", Answer(429, {"Retry-After": "0"})),
    ("POST", "jobs", Answer(503)),
    ("POST", "jobs", Answer(429, {"Retry-After": "0"})),
    ("POST", "jobs", Answer(504, done=True)),
    ("POST", "jobs", Lost(done=False)),
    ("POST", "jobs", Lost()),
    ("WATCH", "jobs", Says(GONE)),
    ("WATCH", "pods", Says(b'{"type":"MOD')),
    ("GET", "pods/log", Answer(503)),
    ("GET", "pods/log", Lost(done=False)),
]


@pytest.mark.parametrize(
    ("method", "plural", "fault"),
    FAULTS,
    ids=[f"{m}-{p}-{n}" for n, (m, p, _) in enumerate(FAULTS)],
)
def test_a_run_survives_what_passes(tmp_path: Path, method: str, plural: str, fault: Any) -> None:
    with world(tmp_path, CHAIN) as made:
        made.server.order(method, plural, fault, fault)
        assert made.drive() == "succeeded"
        assert not events(made.run, "AttemptFailed")
        assert len(made.server.objects("jobs")) == len(CHAIN)


def test_retry_after_is_honoured_and_not_for_ever(tmp_path: Path) -> None:
    waits: list[float] = []
    with ApiServer() as server:
        cluster = connected(server.kubeconfig(tmp_path), sleep=waits.append)
        for seconds in ("7", "999999"):
            server.order("GET", "jobs", Answer(429, {"Retry-After": seconds}))
        cluster.list("Job")
        assert waits == [7, CAP]
        # The watch waits as long, without holding anything else up.
        clock = Clock()
        server.order("WATCH", "jobs", Answer(429, {"Retry-After": "11"}), Says())
        watcher = Watcher(connected(server.kubeconfig(tmp_path)), "run=r", clock=clock)
        real = clock.wait

        def wait(seconds: float) -> bool:
            clock.stopped = not server.ordered()
            return real(seconds)

        clock.wait = wait  # type: ignore[method-assign]
        watcher.follow("Job")
        assert max(clock.waits) >= 11
        watcher.stop()


# 8, 9: whose Job is it


def test_a_creation_whose_reply_is_lost_makes_one_job(tmp_path: Path) -> None:
    with world(tmp_path, ONE) as made:
        made.server.order("POST", "jobs", Lost())
        assert made.drive() == "succeeded"
        assert len(made.server.asked("POST", "jobs")) == 2
        assert len(made.server.objects("jobs")) == 1
        assert len(events(made.run, "AttemptStarted")) == 1


@pytest.mark.parametrize("labels", [{}, {"app.kubernetes.io/managed-by": "kfnb"}])
def test_a_foreign_job_with_our_name_is_reported(tmp_path: Path, labels: dict[str, str]) -> None:
    with world(tmp_path, ONE) as made:
        name = f"a-{made.run.id}-1"
        made.server.put("jobs", {"metadata": {"name": name, "labels": labels}})
        assert made.drive() == "failed"
        [failed] = events(made.run, "AttemptFailed")
        assert failed.data.kind == "configuration"
        assert f"kubectl delete job {name}" in failed.data.summary
        # It is somebody's: nobody touches it.
        assert made.server.objects("jobs")[name]["metadata"]["labels"] == labels
        assert not made.server.asked("DELETE", "jobs")


# 12, 14, 15: what goes away


def first_time(act: Any) -> Any:
    """Do something to the first attempt of a step, and execute the others."""

    def once(node: Node, job: dict[str, Any]) -> None:
        (act if job["metadata"]["name"].endswith("-1") else Node.execute)(node, job)

    return once


def deleted_by_hand(node: Node, job: dict[str, Any]) -> None:
    node.pod(job, "Running", RUNNING)
    node.api.remove("pods", pod_name(job))
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    node.api.put("jobs", {**job, "status": {"failed": 1, "conditions": [failed]}})


def evicted(node: Node, job: dict[str, Any]) -> None:
    pod = node.pod(job, "Running", RUNNING)
    said = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."}
    node.api.put("pods", {**pod, "status": said})
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    node.api.put("jobs", {**job, "status": {"failed": 1, "conditions": [failed]}})


def node_lost(node: Node, job: dict[str, Any]) -> None:
    """As the taint manager leaves it: marked, then removed without a word of its container."""
    pod = node.pod(job, "Running", RUNNING)
    disrupted = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint",
    }
    about = {**pod["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    state = {**pod["status"], "conditions": [disrupted]}
    node.api.put("pods", {**pod, "metadata": about, "status": state})
    node.api.remove("pods", pod_name(job))
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    node.api.put("jobs", {**job, "status": {"failed": 1, "conditions": [failed]}})


def asked_to_end(node: Node, job: dict[str, Any]) -> None:
    """A step that is asked to end cannot know by whom: it calls itself cancelled."""
    node.pod(job, "Running", RUNNING)
    order = node.order(job)
    said = Failure(kind="cancelled", summary="cancelled", log="a blob")
    key = failed_key(order.run, order.step_id, order.attempt)
    node.remote.create(key, said.to_json())
    node.end(job, 3, reason="Error", message=f'{{"batch":4}}\n{ENDED_ON_REQUEST}\n')


@pytest.mark.parametrize("act", [deleted_by_hand, evicted, node_lost, asked_to_end])
def test_a_pod_removed_by_the_cluster_is_an_infrastructure_failure_and_is_retried(
    tmp_path: Path, act: Any
) -> None:
    with world(tmp_path, ONE, acts={"a": first_time(act)}) as made:
        assert made.drive() == "succeeded"
        [failed] = events(made.run, "AttemptFailed")
        assert failed.data.kind == "infrastructure"
        assert [e.attempt for e in events(made.run, "AttemptStarted")] == [1, 2]


@pytest.mark.parametrize("pods", ["watched", "a watch behind the Job's"])
def test_reasons_that_only_events_have_are_requested(tmp_path: Path, pods: str) -> None:
    """A kubelet's eviction leaves no trace in a pod whose step ends when it is asked to."""

    def evicted_for_its_disk(node: Node, job: dict[str, Any]) -> None:
        about = node.pod(job, "Running", RUNNING)["metadata"]
        event = {
            "metadata": {"name": "evicted"},
            "reason": "Evicted",
            "message": "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi.",
            "involvedObject": {"kind": "Pod", "name": about["name"], "uid": about["uid"]},
        }
        node.api.put("events", event)
        asked_to_end(node, job)

    with world(tmp_path, ONE, acts={"a": evicted_for_its_disk}) as made:
        if pods != "watched":
            made.server.order("WATCH", "pods", Says(silent=True))
        assert made.drive() == "failed"
        [failed] = events(made.run, "AttemptFailed")
        assert failed.data.kind == "disk"
        assert "2Mi" in failed.data.summary
        assert failed.data.log == "a blob"


def ended_and_removed(node: Node, job: dict[str, Any]) -> None:
    """All that a TTL of zero leaves: the store."""
    node.publish(job)
    node.api.logs.pop(pod_name(job))
    node.api.remove("jobs", job["metadata"]["name"])


def removed_in_the_middle(node: Node, job: dict[str, Any]) -> None:
    node.pod(job, "Running", RUNNING)
    node.api.remove("jobs", job["metadata"]["name"])


def test_where_the_job_is_gone_the_manifest_decides(tmp_path: Path) -> None:
    with world(tmp_path, CHAIN, acts=dict.fromkeys("abc", ended_and_removed)) as made:
        assert made.drive() == "succeeded"
        assert statuses(made.run) == dict.fromkeys("abc", "succeeded")
        assert not events(made.run, "AttemptFailed")
        assert len(made.server.asked("POST", "jobs")) == 3


def test_a_job_that_is_gone_without_a_manifest_is_tried_again(tmp_path: Path) -> None:
    with world(tmp_path, ONE, acts={"a": first_time(removed_in_the_middle)}) as made:
        assert made.drive() == "succeeded"
        [failed] = events(made.run, "AttemptFailed")
        assert failed.data.kind == "infrastructure"


def test_a_run_whose_configmap_was_deleted_makes_nothing_more(tmp_path: Path) -> None:
    """What is made without an owner would be collected at once."""

    def deleted(node: Node, job: dict[str, Any]) -> None:
        node.pod(job, "Running", RUNNING)
        [owner] = job["metadata"]["ownerReferences"]
        node.api.remove("configmaps", owner["name"])
        node.api.remove("jobs", job["metadata"]["name"])

    with world(tmp_path, ONE, acts={"a": deleted}) as made:
        assert made.drive() == "failed"
        assert len(made.server.asked("POST", "jobs")) == 1
        _, failed = events(made.run, "AttemptFailed")
        assert failed.data.kind == "configuration"
        assert "Somebody deleted the run's" in failed.data.summary
        assert f"kfnb resume {made.run.id}" in failed.data.summary


# 20, 21, 22


def test_a_job_that_cannot_create_pods_is_reported(tmp_path: Path) -> None:
    said = 'pods "a-" is forbidden: error looking up service account lab/nobody: serviceaccount "nobody" not found'

    def refused(node: Node, job: dict[str, Any]) -> None:
        about = {"kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"]}
        event = {
            "metadata": {"name": "e1"},
            "type": "Warning",
            "reason": "FailedCreate",
            "message": f"Error creating: {said}",
            "involvedObject": about,
        }
        node.api.put("events", event)

    with world(tmp_path, ONE, acts={"a": refused}) as made:
        assert made.drive() == "failed"
        [failed] = events(made.run, "AttemptFailed")
        assert failed.data.kind == "configuration"
        assert "nobody" in failed.data.summary
        assert not made.server.objects("jobs")


def test_a_running_sidecar_delays_nothing(tmp_path: Path) -> None:
    def with_a_sidecar(node: Node, job: dict[str, Any]) -> None:
        node.publish(job)
        ended = {"terminated": {"exitCode": 0, "finishedAt": "2026-01-01T00:00:00Z"}}
        node.pod(job, "Running", ended, {"name": "proxy", "state": RUNNING})

    with world(tmp_path, CHAIN, acts=dict.fromkeys("abc", with_a_sidecar)) as made:
        assert made.drive() == "succeeded"
        assert statuses(made.run) == dict.fromkeys("abc", "succeeded")


def test_a_run_that_is_stopped_before_its_pod_is_there_leaves_nothing(tmp_path: Path) -> None:
    with world(tmp_path, ONE, acts={"a": lambda *_: None}) as made:
        made.server.created = lambda _: request_stop(made.run)
        assert made.drive() == "cancelled"
        made.cluster.delete("ConfigMap", made.owner["metadata"]["name"])
        assert not made.server.objects("jobs")
        made.server.created = None
        # What a driver that knows nothing of it creates afterwards is collected.
        body = {
            "metadata": {
                "name": "late",
                "ownerReferences": [{"uid": made.owner["metadata"]["uid"]}],
            }
        }
        made.cluster.create("Job", body)
        assert not made.server.objects("jobs")


def test_stopping_a_run_repeats_until_an_unreachable_cluster_is_back(
    tmp_path: Path,
) -> None:
    def hangs(node: Node, job: dict[str, Any]) -> None:
        node.pod(job, "Running", RUNNING)
        request_stop(made.run)

    with world(tmp_path, ONE, acts={"a": hangs}) as made:
        made.server.order("DELETE", "jobs", *[Answer(429, {"Retry-After": "0"})] * 2 * TRIES)
        assert made.drive() == "cancelled"
        assert not made.server.ordered()
        assert not made.server.objects("jobs")


def busy(times: int) -> list[Answer]:
    """The server is away for so many creations, each of which is repeated."""
    return [Answer(429, {"Retry-After": "0"})] * times * TRIES


def test_a_server_that_is_away_for_long_costs_no_attempt(tmp_path: Path) -> None:
    with world(tmp_path, ONE) as made:
        made.server.order("POST", "jobs", *busy(2), Lost())
        assert made.drive() == "succeeded"
        assert len(made.server.objects("jobs")) == len(events(made.run, "AttemptStarted")) == 1
        assert not events(made.run, "AttemptFailed")
        [warning] = events(made.run, "Warning")
        assert "The API server is unavailable, so the step has no Job yet" in warning.data.message


def test_a_server_that_never_comes_back_fails_the_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_creation, "LONGEST_OUTAGE", 0.0)
    with world(tmp_path, ONE) as made:
        made.server.order("POST", "jobs", *busy(1))
        assert made.drive() == "succeeded"
        [failed] = events(made.run, "AttemptFailed")
        assert failed.data.kind == "infrastructure"


def test_a_job_that_is_rejected_after_the_server_was_away_is_a_mistake(tmp_path: Path) -> None:
    with world(tmp_path, ONE) as made:
        made.server.order("POST", "jobs", *busy(1), Answer(422, message="it is too long"))
        assert made.drive() == "failed"
        [failed] = events(made.run, "AttemptFailed")
        assert failed.data.kind == "configuration"
        assert "rejected the step's Job: it is too long" in failed.data.summary


def test_a_run_that_is_stopped_while_the_server_is_away_leaves_nothing(tmp_path: Path) -> None:
    """The reply to the creation was lost, so that the driver does not know the Job."""

    def hangs(node: Node, job: dict[str, Any]) -> None:
        node.pod(job, "Running", RUNNING)
        request_stop(made.run)

    with world(tmp_path, ONE, acts={"a": hangs}) as made:
        made.server.order("POST", "jobs", Lost(), *busy(20))
        assert made.drive() == "cancelled"
        assert made.server.asked("DELETE", "jobs")
        assert not made.server.objects("jobs")


def test_a_step_that_waits_for_its_store_is_reported_while_it_waits(tmp_path: Path) -> None:
    """Nothing of its pod changes meanwhile."""

    def waits(node: Node, job: dict[str, Any]) -> None:
        node.pod(job, "Running", RUNNING)
        words = "kfnb: waiting for the store: The store s3://b does not answer."
        node.api.logs[pod_name(job)] = f"{now()[:-1]}.000000001Z {words}\n".encode()
        threading.Thread(target=may_still_execute, args=(node, job)).start()

    def may_still_execute(node: Node, job: dict[str, Any]) -> None:
        with contextlib.suppress(AssertionError):
            until(lambda: events(made.run, "Warning"), "what is said of it")
        node.execute(job)

    with world(tmp_path, ONE, acts={"a": waits}) as made:
        assert made.drive() == "succeeded"
        [warning] = events(made.run, "Warning")
        assert warning.data.code == "KFNB-W710"
        assert "waits for the store: The store s3://b does not answer" in warning.data.message
        assert "--store-endpoint" in warning.data.remedy


def test_what_came_live_is_not_asked_for_again(tmp_path: Path) -> None:
    def ends(node: Node, job: dict[str, Any]) -> None:
        node.publish(job)
        node.pod(job, "Running", RUNNING)
        node.pod(job, "Succeeded", {"terminated": {"exitCode": 0, "finishedAt": now()}})

    with world(tmp_path, CHAIN, acts=dict.fromkeys("abc", ends)) as made:
        asked: list[str] = []
        plainly = made.remote.list

        def noted(prefix: str) -> list[str]:
            asked.append(prefix)
            return plainly(prefix)

        made.remote.list = noted  # type: ignore[method-assign]
        assert made.drive() == "succeeded"
        assert not [prefix for prefix in asked if "events/" in prefix]
        assert [e.step for e in events(made.run, "StepSucceeded")] == ["a", "b", "c"]


def test_a_server_that_ends_connections_while_they_are_made_is_asked_again(tmp_path: Path) -> None:
    """As the port of one that is being started does; that is no matter of certificates."""
    waits: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    connection.recv(1)
                    connection.close()

        threading.Thread(target=refuse, daemon=True).start()
        with ApiServer() as server:
            path = server.kubeconfig(tmp_path)
        address = f"https://127.0.0.1:{listening.getsockname()[1]}"
        path.write_text(path.read_text().replace(server.url, address))
        with pytest.raises(ApiError) as caught:
            connected(path, sleep=waits.append).list("Job")
        assert caught.value.passing
        assert "certificate authority" not in str(caught.value)
        assert len(waits) == TRIES - 1
        listening.shutdown(socket.SHUT_RDWR)
