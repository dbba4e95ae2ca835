"""Values on a volume of the cluster, which this machine reaches through a pod only."""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import subprocess
import sys
from functools import partial

from kfnb.runners.kubernetes.api.calls import Cluster
from kfnb.runners.kubernetes.api.transport import Transport
from kfnb.runners.kubernetes.store.store_access import _behind
from tests.cluster.jobs import until
from tests.kubernetes import runs
from tests.kubernetes.conftest import Desk
from tests.kubernetes.test_driver import GRANT
from tests.kubernetes.test_stores import look, pipeline, seen


@dataclasses.dataclass
class OnAClaim(Desk):
    """A desk whose runs keep their values on a claim."""

    store: str = "pvc:work/some/path"
    more: tuple[str, ...] = ()

    @property
    def options(self) -> list[str]:
        place = ("--on", "kubernetes", "--namespace", self.namespace, "--image", self.image)
        return [*place, "--store", self.store, *self.more]


def on_a_claim(desk, **said):
    plain = {f.name: getattr(desk, f.name) for f in dataclasses.fields(Desk)}
    return OnAClaim(**plain, **said)


def claims(desk):
    return desk.cluster.core().list_namespaced_persistent_volume_claim(desk.namespace).items


def readers(desk):
    return [p for p in runs.pods(desk) if p.metadata.labels.get("kfnb.dev/part") == "reader"]


def test_values_on_a_claim_that_is_made_are_at_hand(desk):
    desk = on_a_claim(desk, more=("--storage-size", "2Gi"))
    path = pipeline(desk)
    desk.run(path)
    (claim,) = claims(desk)
    assert claim.metadata.name == "work"
    assert claim.spec.resources.requests == {"storage": "2Gi"}
    assert claim.spec.access_modes == ["ReadWriteMany"]
    seen(look(desk))
    # Whoever looks next goes through the same pod.
    (reader,) = readers(desk)
    assert desk.kfnb("logs", "latest", "make").strip().endswith("made")
    assert [r.metadata.uid for r in readers(desk)] == [reader.metadata.uid]
    assert not reader.spec.automount_service_account_token
    # The token is on this machine, for its user only, and nowhere in the cluster.
    (known,) = desk.folder.parent.glob("home/remote/*/reader/reader.json")
    assert known.stat().st_mode & 0o077 == 0
    token = json.loads(known.read_text())["token"]
    assert token not in str([*runs.pods(desk), *runs.jobs(desk)])
    assert token not in "".join(
        p.read_text() for p in desk.folder.parent.glob("home/runs/*/*.json*")
    )


def test_pods_of_a_claim_of_one_node_are_put_together(desk, claim):
    desk = on_a_claim(desk, store=f"pvc:{claim}")
    desk.run(pipeline(desk))
    seen(look(desk))
    (made,) = claims(desk)
    assert made.spec.access_modes == ["ReadWriteOnce"]
    of_steps = [p for p in runs.pods(desk) if "kfnb.dev/step" in p.metadata.labels]
    assert len(of_steps) == 4
    for pod in [*of_steps, *readers(desk)]:
        assert pod.metadata.labels["kfnb.dev/claim"] == claim
        (term,) = pod.spec.affinity.pod_affinity.required_during_scheduling_ignored_during_execution
        assert term.label_selector.match_labels == {"kfnb.dev/claim": claim}
        assert term.topology_key == "kubernetes.io/hostname"
    assert len({p.spec.node_name for p in of_steps}) == 1


def test_a_claim_without_a_volume_is_explained(desk):
    desk = on_a_claim(desk, more=("--storage-class", "there-is-none"))
    said = desk.run(pipeline(desk), code=4)
    assert "the PersistentVolumeClaim work has no volume" in said
    assert f"kubectl -n {desk.namespace} describe pvc work" in said
    until(lambda: not runs.jobs(desk) or None, "the reader's Job to go", 180)


def test_a_claim_that_only_one_pod_may_use_is_refused(desk):
    spec = {
        "accessModes": ["ReadWriteOncePod"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    body = {"metadata": {"name": "work"}, "spec": spec}
    desk.cluster.core().create_namespaced_persistent_volume_claim(desk.namespace, body)
    said = on_a_claim(desk).run(pipeline(desk), code=2)
    assert "ReadWriteOncePod" in said
    assert "ReadWriteMany" in said


def test_a_reader_that_is_gone_is_made_again(desk):
    desk = on_a_claim(desk)
    path = desk.notebook(
        ("step:only", "import time\nprint('begun', flush=True)\ntime.sleep(8)\nx = 1"),
        ("step:after", "print(x)"),
    )
    runs.start(desk, path)
    runs.until_begun(desk)
    (reader,) = readers(desk)
    core = desk.cluster.core()
    core.delete_namespaced_pod(reader.metadata.name, desk.namespace, grace_period_seconds=0)
    runs.until_ended(desk, "succeeded")
    assert reader.metadata.uid not in [r.metadata.uid for r in readers(desk)]


def test_a_driver_in_the_cluster_is_on_the_node_of_its_claim(desk, claim):
    environment = {**os.environ, **desk.environment}
    command = [sys.executable, "-c", GRANT, desk.namespace]
    subprocess.run(command, env=environment, check=True)
    desk = on_a_claim(desk, store=f"pvc:{claim}")
    desk.run(pipeline(desk))
    seen(look(desk))
    (driver,) = [p for p in runs.pods(desk) if p.metadata.labels.get("kfnb.dev/part") == "driver"]
    assert driver.metadata.labels["kfnb.dev/claim"] == claim
    (term,) = driver.spec.affinity.pod_affinity.required_during_scheduling_ignored_during_execution
    assert term.label_selector.match_labels == {"kfnb.dev/claim": claim}


MAKE_BUCKET = """
import sys, s3fs
from kfnb.runners.kubernetes.api.client import connect
tunnel = connect(namespace=sys.argv[1]).port_forward(sys.argv[2], 9000)
s3fs.S3FileSystem(endpoint_url=f"http://{tunnel.address}").mkdir("hidden")
"""


class Hidden(Desk):
    """A desk whose object store has no address outside of the cluster."""

    @property
    def options(self) -> list[str]:
        place = ("--on", "kubernetes", "--namespace", self.namespace, "--image", self.image)
        store = ("--store", "s3://hidden/kfnb", "--store-secret", "s3")
        inside = ("--store-endpoint", f"http://hidden-s3.{self.namespace}:9000")
        return [*place, *store, *inside, "--store-client-endpoint", "service:hidden-s3:9000"]


def test_a_bucket_that_only_the_api_server_leads_to(desk, hidden_s3):
    hidden = Hidden(**{f.name: getattr(desk, f.name) for f in dataclasses.fields(Desk)})
    environment = {**os.environ, **hidden.environment}
    command = [sys.executable, "-c", MAKE_BUCKET, hidden.namespace, hidden_s3]
    subprocess.run(command, env=environment, check=True)
    hidden.run(pipeline(hidden))
    seen(look(hidden))
    assert "This machine can use the store" in hidden.kfnb("doctor", *hidden.options)


def test_the_way_to_a_service_leads_on_when_its_pod_is_replaced(desk, hidden_s3):
    core = desk.cluster.core()
    cluster = Cluster(Transport(desk.cluster.client()), desk.namespace)
    find = partial(_behind, cluster, hidden_s3, 9000)
    tunnel = cluster.port_forward(*find(), again=find)
    try:
        assert answers(tunnel)
        body = cluster.get("Pod", hidden_s3)
        spec = {key: body["spec"][key] for key in ("containers", "volumes")}
        spec["volumes"] = [one for one in spec["volumes"] if "projected" not in one]
        for container in spec["containers"]:
            kept = [one for one in container["volumeMounts"] if one["name"] == "data"]
            container["volumeMounts"] = kept
        about = {"name": "another-s3", "labels": {"app": hidden_s3}}
        core.create_namespaced_pod(desk.namespace, {"metadata": about, "spec": spec})
        core.delete_namespaced_pod(hidden_s3, desk.namespace, grace_period_seconds=0)

        def replaced():
            names = [pod.metadata.name for pod in runs.pods(desk)]
            if names != ["another-s3"]:
                return False
            states = runs.pods(desk)[0].status.container_statuses  # None until it is scheduled
            return bool(states) and states[0].ready

        until(replaced, "the other pod", 180)
        assert answers(tunnel)
    finally:
        tunnel.close()


def answers(tunnel):
    """Whether an S3 server is at the end of a tunnel: it wants a signature."""
    connection = http.client.HTTPConnection("127.0.0.1", tunnel.port, timeout=30)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 403
    finally:
        connection.close()
