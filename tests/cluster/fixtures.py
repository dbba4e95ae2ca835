"""What tests on a Kubernetes cluster use; every test that asks for `cluster` gets its marker.

Without options the cluster of this package is used: found running, or started and, after the
last test, ended. ``--cluster KUBECONFIG`` names any other (kind, k3d, minikube);
``--cluster-image`` the step image that its nodes have or can pull, ``--cluster-s3`` the
addresses of an S3 server, for pods and for this machine (its keys in ``AWS_*``).

Where no cluster can be had, tests are skipped with the reason; ``KFNB_CLUSTER=required`` turns
that into a failure.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.cluster.layout import CACHE, RUNNING, S3_INSIDE, S3_KEY, S3_SECRET
from tests.cluster.machine import Unable, check
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, BatchV1Api, CoreV1Api

    from tests.cluster.node import Node

SESSION = "KFNB_CLUSTER_SESSION"
"""Names this session, to workers of pytest-xdist too: who started the cluster ends it."""
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@dataclass(frozen=True)
class S3:
    """An S3 server under both of its addresses."""

    pod_endpoint: str
    client_endpoint: str
    key: str
    secret: str = field(repr=False)

    def files(self) -> Any:
        """Return it as this machine sees it, by fsspec; nothing is remembered between calls."""
        import s3fs

        return s3fs.S3FileSystem(
            key=self.key,
            secret=self.secret,
            endpoint_url=self.client_endpoint,
            use_listings_cache=False,
            skip_instance_cache=True,
        )

    def environment(self) -> dict[str, str]:
        """Return the variables by which a process finds key and secret."""
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@dataclass(frozen=True)
class Bucket:
    """A bucket of one test."""

    name: str
    server: S3

    @property
    def url(self) -> str:
        return f"s3://{self.name}"


@dataclass(frozen=True)
class Cluster:
    """The cluster of this session."""

    kubeconfig: Path
    busybox: str
    """Image with a shell and nothing else."""
    step_image: str | None
    """Image with Python, papermill and kfnb."""
    s3: S3 | None
    node: Node | None
    """For faults: our own cluster, whose parts can be stopped. None for another cluster."""

    def client(self) -> ApiClient:
        from kubernetes import config

        return config.new_client_from_config(str(self.kubeconfig))

    def core(self) -> CoreV1Api:
        from kubernetes import client

        return client.CoreV1Api(self.client())

    def batch(self) -> BatchV1Api:
        from kubernetes import client

        return client.BatchV1Api(self.client())


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cluster", "a Kubernetes cluster (tests/cluster)")
    group.addoption("--cluster", metavar="KUBECONFIG", help="use this cluster, not one of our own")
    group.addoption("--cluster-image", metavar="IMAGE", help="the step image there")
    group.addoption(
        "--cluster-busybox",
        metavar="IMAGE",
        default="busybox:1",
        help="an image with a shell there",
    )
    group.addoption(
        "--cluster-s3", metavar="URL", nargs=2, help="S3 there: address for pods, address from here"
    )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ[SESSION] = uuid.uuid4().hex


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)
    # Those for which all others have to wait come last.
    items.sort(key=lambda item: item.get_closest_marker("alone") is not None)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the cluster if this session, in whichever of its processes, started it."""
    if not hasattr(config, "workerinput"):
        note = RUNNING.root / "session"
        if note.exists() and note.read_text("ascii") == os.environ.get(SESSION):
            from tests.cluster.node import down

            down()


@pytest.fixture(autouse=True)
def _turn(request: pytest.FixtureRequest) -> Iterator[None]:
    """Any number of tests may use the cluster at once, of all sessions; a test ``alone`` may not.

    Takes the lock before a test's other fixtures do anything with the cluster.
    """
    if "cluster" not in request.fixturenames:
        yield
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    alone = request.node.get_closest_marker("alone") is not None
    with (CACHE / "users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Cluster:
    """The cluster that this session's tests run on."""
    try:
        import kubernetes  # noqa: F401
    except ModuleNotFoundError:
        _cannot("the tests on a cluster need kfnb[cluster]: python3 dev.py test --only cluster")
    other = pytestconfig.getoption("--cluster")
    return _other(pytestconfig, Path(other)) if other else _own(pytestconfig)


def _own(config: pytest.Config) -> Cluster:
    capture = config.pluginmanager.getplugin("capturemanager")
    try:
        check()
        from tests.cluster.node import up

        with capture.global_and_fixture_disabled():  # the first time it takes minutes
            node, started = up(lambda text: print(f"cluster: {text}", file=sys.stderr))
    except Unable as reason:
        _cannot(str(reason))
    if started:
        (node.layout.root / "session").write_text(os.environ[SESSION], "ascii")
    return Cluster(
        node.layout.kubeconfig,
        busybox=node.images.busybox.name,
        step_image=node.images.step.name,
        s3=S3(S3_INSIDE, f"http://127.0.0.1:{node.ports['s3']}", S3_KEY, S3_SECRET),
        node=node,
    )


def _other(config: pytest.Config, kubeconfig: Path) -> Cluster:
    if not kubeconfig.is_file():
        raise pytest.UsageError(f"--cluster: there is no file {kubeconfig}")
    addresses = config.getoption("--cluster-s3")
    keys = [os.environ.get(name, "") for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    return Cluster(
        kubeconfig,
        busybox=config.getoption("--cluster-busybox"),
        step_image=config.getoption("--cluster-image"),
        s3=S3(*addresses, *keys) if addresses else None,
        node=None,
    )


def _cannot(reason: str) -> NoReturn:
    if os.environ.get("KFNB_CLUSTER") == "required":
        pytest.fail(f"KFNB_CLUSTER=required, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def node(cluster: Cluster) -> Iterator[Node]:
    """Our own node, for tests that stop parts of it; all of them run again afterwards."""
    if cluster.node is None:
        pytest.skip("only the cluster of tests/cluster lets its parts be stopped")
    before = cluster.node.running()
    yield cluster.node
    for name in before:
        if name not in cluster.node.running():
            cluster.node.start(name)


@pytest.fixture
def step_image(cluster: Cluster) -> str:
    """The name, for pods, of an image with kfnb."""
    if cluster.step_image is None:
        pytest.skip("--cluster-image names no step image")
    return cluster.step_image


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh namespace in which only what the restricted Pod Security Standard allows runs."""
    from kubernetes.client import ApiException

    short = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
    name = f"{short}-{uuid.uuid4().hex[:6]}"
    core = cluster.core()
    core.create_namespace({"metadata": {"name": name, "labels": RESTRICTED}})
    deadline = time.monotonic() + PATIENCE
    while True:
        # Pods are refused until the controller has made the default service account.
        try:
            core.read_namespaced_service_account("default", name)
            break
        except ApiException as error:
            if error.status != 404 or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    yield name
    core.delete_namespace(name)


@pytest.fixture
def bucket(cluster: Cluster) -> Iterator[Bucket]:
    """An empty bucket, removed with what is in it."""
    if cluster.s3 is None:
        pytest.skip("--cluster-s3 names no S3 server")
    made = Bucket(f"test-{uuid.uuid4().hex[:12]}", cluster.s3)
    files = cluster.s3.files()
    files.mkdir(made.name)
    yield made
    files.rm(made.name, recursive=True)


@pytest.fixture
def s3_secret(cluster: Cluster, namespace: str, bucket: Bucket) -> str:
    """The name of a Secret with the ``AWS_*`` variables that pods need for `bucket`."""
    metadata = {"name": "s3"}
    body = {"metadata": metadata, "stringData": bucket.server.environment()}
    cluster.core().create_namespaced_secret(namespace, body)
    return "s3"


@pytest.fixture
def hidden_s3(cluster: Cluster, namespace: str, node: Node) -> str:
    """The name of a pod and Service, port 9000, with an S3 server that only pods reach.

    From this machine the way is the API server's port-forward. Its keys are those of `cluster.s3`.
    """
    name, about = "hidden-s3", {"name": "hidden-s3", "labels": {"app": "hidden-s3"}}
    keys = {"ROOT_ACCESS_KEY": S3_KEY, "ROOT_SECRET_KEY": S3_SECRET}
    container = {
        "name": "s3",
        "image": node.images.s3.name,
        "imagePullPolicy": "Never",
        "env": [{"name": one, "value": value} for one, value in keys.items()],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "readinessProbe": {"tcpSocket": {"port": 9000}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    volumes = [{"name": "data", "emptyDir": {}}]
    core = cluster.core()
    pod = {"metadata": about, "spec": {"containers": [container], "volumes": volumes}}
    core.create_namespaced_pod(namespace, pod)
    service = {"selector": {"app": name}, "ports": [{"port": 9000}]}
    core.create_namespaced_service(namespace, {"metadata": about, "spec": service})
    deadline = time.monotonic() + PATIENCE
    while True:
        status = core.read_namespaced_pod_status(name, namespace).status
        if any(one.ready for one in status.container_statuses or ()):
            return name
        assert time.monotonic() < deadline, status
        time.sleep(0.1)


@pytest.fixture
def claim(cluster: Cluster, namespace: str) -> str:
    """The name of a claim of the cluster's default storage class."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    body = {"metadata": {"name": "store"}, "spec": spec}
    cluster.core().create_namespaced_persistent_volume_claim(namespace, body)
    return "store"


@pytest.fixture
def pull_secret(cluster: Cluster, namespace: str, node: Node) -> str:
    """The name of a Secret with the password of the private registry."""
    body = {
        "metadata": {"name": "registry"},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": json.dumps(node.login)},
    }
    cluster.core().create_namespaced_secret(namespace, body)
    return "registry"
