"""The cluster does what the tests of the Kubernetes target rely on."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import uuid
from dataclasses import replace

import nbformat
import pytest

from tests.cluster.binaries import folders
from tests.cluster.fixtures import Bucket, Cluster
from tests.cluster.jobs import ended, environment, job, pod_of, run, until
from tests.cluster.layout import NODE
from tests.cluster.node import Node

CONFIG = "/config/in.ipynb"


def test_the_node_is_ready(cluster: Cluster) -> None:
    def ready() -> bool:
        [node, *_] = cluster.core().list_node().items
        return any(c.type == "Ready" and c.status == "True" for c in node.status.conditions)

    until(ready, "a node that is ready")


def test_papermill_executes_a_notebook_where_only_restricted_pods_run(
    cluster: Cluster, namespace: str, step_image: str
) -> None:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(6 * 7)")])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    core = cluster.core()
    data = {"in.ipynb": nbformat.writes(book)}
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "nb"}, "data": data})
    body = job(
        "papermill",
        step_image,
        _sh(f"papermill --log-output {CONFIG} out.ipynb && kfnb --version"),
        env=environment({"HOME": "/work", "JUPYTER_PLATFORM_DIRS": "1"}),
        volumeMounts=[{"name": "nb", "mountPath": "/config"}],
        pod={"volumes": [{"name": "nb", "configMap": {"name": "nb"}}]},
    )
    log = run(cluster, namespace, body)
    assert "\n42\n" in log
    assert importlib.metadata.version("kfnb") in log


def test_a_restricted_namespace_refuses_what_is_not(cluster: Cluster, namespace: str) -> None:
    from kubernetes.client import ApiException

    body = job("root", cluster.busybox, ["true"])["spec"]["template"]
    del body["spec"]["securityContext"]
    with pytest.raises(ApiException, match="violates PodSecurity") as caught:
        cluster.core().create_namespaced_pod(namespace, {**body, "metadata": {"name": "root"}})
    assert caught.value.status == 403


def test_two_pods_share_what_is_in_a_claim(cluster: Cluster, namespace: str, claim: str) -> None:
    mounted = {
        "volumeMounts": [{"name": "store", "mountPath": "/store"}],
        "pod": {"volumes": [{"name": "store", "persistentVolumeClaim": {"claimName": claim}}]},
    }
    run(cluster, namespace, job("one", cluster.busybox, _sh("echo kept > /store/f"), **mounted))
    two = job("two", cluster.busybox, _sh("cat /store/f"), **mounted)
    assert run(cluster, namespace, two) == "kept\n"


def test_a_claim_of_a_class_without_provisioner_stays_unbound(
    cluster: Cluster, namespace: str, node: Node
) -> None:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "manual",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    core = cluster.core()
    core.create_namespaced_persistent_volume_claim(
        namespace, {"metadata": {"name": "c"}, "spec": spec}
    )
    until(lambda: core.list_namespaced_event(namespace).items, "an event that says why")
    assert core.read_namespaced_persistent_volume_claim("c", namespace).status.phase == "Pending"


def test_a_volume_is_deleted_with_its_claim(
    cluster: Cluster, namespace: str, claim: str, node: Node
) -> None:
    core = cluster.core()

    def bound() -> str | None:
        return core.read_namespaced_persistent_volume_claim(claim, namespace).spec.volume_name

    name = until(bound, "a bound claim")
    folder = node.layout.volumes / name
    assert folder.is_dir()
    core.delete_namespaced_persistent_volume_claim(claim, namespace)
    until(lambda: not folder.exists(), "a removed folder")


def test_a_pod_and_this_machine_see_the_same_bucket_at_different_addresses(
    cluster: Cluster, namespace: str, step_image: str, bucket: Bucket, s3_secret: str
) -> None:
    code = (
        "import s3fs, sys; fs = s3fs.S3FileSystem(endpoint_url=sys.argv[1]);"
        "print(fs.cat(sys.argv[2] + '/from-here').decode());"
        "fs.pipe(sys.argv[2] + '/from-pod', b'hello')"
    )
    files = bucket.server.files()
    files.pipe(f"{bucket.name}/from-here", b"good day")
    command = ["python3", "-c", code, bucket.server.pod_endpoint, bucket.url]
    secret = [{"secretRef": {"name": s3_secret}}]
    log = run(cluster, namespace, job("s3", step_image, command, envFrom=secret))
    assert log == "good day\n"
    assert files.cat(f"{bucket.name}/from-pod") == b"hello"


def test_an_s3_server_that_only_pods_reach_is_reached_through_the_api_server(
    cluster: Cluster, namespace: str, node: Node, hidden_s3: str
) -> None:
    kubectl = str(folders()["kube"] / "kubectl")
    there = ["--kubeconfig", str(cluster.kubeconfig), "-n", namespace]
    forward = [kubectl, *there, "port-forward", f"pod/{hidden_s3}", ":9000"]
    with subprocess.Popen(forward, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = process.stdout.readline()  # Forwarding from 127.0.0.1:41234 -> 9000
        port = said.split("->")[0].strip().rpartition(":")[2]
        assert cluster.s3
        files = replace(cluster.s3, client_endpoint=f"http://127.0.0.1:{port}").files()
        files.mkdir("bucket")
        files.pipe("bucket/key", b"value")
        assert files.cat("bucket/key") == b"value"
        process.terminate()
    address = f"{hidden_s3}.{namespace}.svc.cluster.local"
    code = _sh(f"nc -w 5 {address} 9000 < /dev/null && echo reached")
    assert run(cluster, namespace, job("pod", cluster.busybox, code)) == "reached\n"


def test_an_object_is_created_once(bucket: Bucket) -> None:
    files = bucket.server.files()
    files.pipe_file(f"{bucket.name}/k", b"1", mode="create")
    with pytest.raises(FileExistsError):
        files.pipe_file(f"{bucket.name}/k", b"2", mode="create")
    assert files.cat(f"{bucket.name}/k") == b"1"


def test_an_image_is_pulled_with_the_password_and_not_without(
    cluster: Cluster, namespace: str, node: Node, pull_secret: str
) -> None:
    image = node.push(node.images.busybox, f"private-{uuid.uuid4().hex[:8]}:1", private=True)
    core = cluster.core()
    refused = job("without", image, ["echo", "pulled"], imagePullPolicy="Always")
    cluster.batch().create_namespaced_job(namespace, refused)

    def reason() -> str | None:
        for pod in core.list_namespaced_pod(namespace, label_selector="app=without").items:
            for one in pod.status.container_statuses or ():
                if one.state.waiting and "Pull" in one.state.waiting.reason:
                    return str(one.state.waiting.message)
        return None

    assert "401" in until(reason, "a refused pull") or "authorization" in str(reason())
    allowed = job(
        "with",
        image,
        ["echo", "pulled"],
        imagePullPolicy="Always",
        pod={"imagePullSecrets": [{"name": pull_secret}]},
    )
    assert run(cluster, namespace, allowed) == "pulled\n"


def test_an_image_is_pulled_from_the_open_registry(
    cluster: Cluster, namespace: str, node: Node
) -> None:
    image = node.push(node.images.busybox, f"open-{uuid.uuid4().hex[:8]}:1")
    assert run(cluster, namespace, job("open", image, ["echo", "pulled"])) == "pulled\n"


def test_a_process_that_takes_too_much_memory_is_seen_as_oomkilled(
    cluster: Cluster, namespace: str, step_image: str
) -> None:
    resources = {"limits": {"memory": "64Mi"}, "requests": {"memory": "64Mi"}}
    body = job("big", step_image, ["python3", "-c", "b'x' * 10**9"], resources=resources)
    cluster.batch().create_namespaced_job(namespace, body)
    assert ended(cluster, namespace, "big") == "Failed"
    [status] = pod_of(cluster, namespace, "big").status.container_statuses
    assert (status.state.terminated.reason, status.state.terminated.exit_code) == ("OOMKilled", 137)


def test_a_pod_reaches_a_service_by_name(cluster: Cluster, namespace: str, node: Node) -> None:
    code = _sh("nslookup s3.storage.svc.cluster.local | grep -q 10.96 && echo found")
    assert run(cluster, namespace, job("dns", cluster.busybox, code)) == "found\n"


@pytest.mark.alone
@pytest.mark.parametrize("kill", [False, True], ids=["ended", "killed"])
def test_the_api_server_comes_back_with_what_it_knew(
    cluster: Cluster, namespace: str, node: Node, kill: bool
) -> None:
    cluster.batch().create_namespaced_job(
        namespace, job("through", cluster.busybox, ["sleep", "3"])
    )
    with node.without("kube-apiserver", kill=kill):
        assert not node.api.answers()
    assert ended(cluster, namespace, "through") == "Complete"


@pytest.mark.alone
def test_a_pod_continues_while_its_kubelet_is_down(
    cluster: Cluster, namespace: str, node: Node
) -> None:
    cluster.batch().create_namespaced_job(
        namespace, job("through", cluster.busybox, ["sleep", "2"])
    )
    until(lambda: _phase(cluster, namespace, "through") == "Running", "a running pod")
    with node.without("kubelet"):
        assert "kubelet" not in node.running()
        assert _phase(cluster, namespace, "through") == "Running"
    assert ended(cluster, namespace, "through") == "Complete"


def test_a_made_up_gpu_can_be_asked_for(cluster: Cluster, namespace: str, node: Node) -> None:
    patch = [{"op": "add", "path": "/status/capacity/kfnb.test~1gpu", "value": "1"}]
    core = cluster.core()
    core.patch_node_status(NODE, patch)
    try:
        limits = {"limits": {"kfnb.test/gpu": "1"}}
        assert (
            run(cluster, namespace, job("gpu", cluster.busybox, ["true"], resources=limits)) == ""
        )
    finally:
        core.patch_node_status(NODE, [{**patch[0], "op": "remove"}])


def test_a_process_is_named_that_does_not_exist(node: Node) -> None:
    with pytest.raises(ValueError, match="no process is called kublet; there are etcd, containerd"):
        node.stop("kublet")


def test_the_kubeconfig_names_one_context(cluster: Cluster, node: Node) -> None:
    config = json.loads(cluster.kubeconfig.read_text("utf-8"))
    assert config["current-context"] == NODE


def _phase(cluster: Cluster, namespace: str, name: str) -> str | None:
    pods = cluster.core().list_namespaced_pod(namespace, label_selector=f"app={name}").items
    return pods[0].status.phase if pods else None


def _sh(code: str) -> list[str]:
    return ["sh", "-c", code]
