"""Runs on the API server of the tests: real client, runner and driver; a node that only pretends.

For every Job the node makes a pod that starts, publishes the step's outputs and ends, unless a
test says what it does instead.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfnb.engine.core.settings import Settings
from kfnb.engine.dispatch.step_orders import StepPaths
from kfnb.engine.driver import Driver
from kfnb.engine.journal.file_journal import Journal
from kfnb.engine.runner import RunContext, Work
from kfnb.home import RunFolder
from kfnb.pipeline import Pipeline
from kfnb.runners.kubernetes.api.calls import Cluster
from kfnb.runners.kubernetes.api.transport import Transport
from kfnb.runners.kubernetes.objects import manifests, names
from kfnb.runners.kubernetes.options import KubernetesOptions
from kfnb.runners.kubernetes.runner import KubernetesRunner, attempt_prefix
from kfnb.runners.launch import create_run
from kfnb.runners.target import Prepared
from kfnb.step.order import StepOrder
from kfnb.store import Bundle, Manifest, Output, hash_bytes, manifest_key
from kfnb.store.remote.folder import FolderRemote
from kfnb.store.remote_store import open_remote_store
from tests.runners.bench import make_pipeline, quick
from tests.runners.kubernetes.server import ApiServer
from tests.runners.kubernetes.wrongs import Plain, now

TARGET = KubernetesOptions(image="registry.example.org/team/step:1", store="pvc:work")
RUNNING: Plain = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
Act = Callable[["Node", Plain], object]


class Node:
    """What becomes of Jobs: ``acts`` maps a step's name to what is done instead of executing it."""

    def __init__(self, remote: FolderRemote, acts: Mapping[str, Act] | None = None) -> None:
        self.remote = remote
        self.acts = dict(acts or {})
        self.server: ApiServer | None = None

    def __call__(self, made: Plain) -> None:
        """Take a Job that was created."""
        if made["kind"] == "Job":
            step = made["metadata"]["annotations"][names.NAME]
            self.acts.get(step, Node.execute)(self, made)

    def execute(self, job: Plain) -> None:
        """Have a pod start, publish and end."""
        self.publish(job)
        self.pod(job, "Running", RUNNING)
        self.end(job)

    def pod(self, job: Plain, phase: str, state: Plain | None, *others: Plain) -> Plain:
        """Have the Job's pod in a state; the pod."""
        owned = job["metadata"]["name"]
        labels = {**job["metadata"]["labels"], "batch.kubernetes.io/job-name": owned}
        owner = {"kind": "Job", "name": owned, "uid": job["metadata"]["uid"]}
        statuses = [{"name": "step", "state": state}] if state else []
        body = {
            "metadata": {
                "name": pod_name(job),
                "uid": f"uid-{pod_name(job)}",
                "labels": labels,
                "ownerReferences": [owner],
            },
            "spec": job["spec"]["template"]["spec"],
            "status": {
                "phase": phase,
                "containerStatuses": [*statuses, *others],
                "conditions": [{"type": "Ready", "status": str(phase == "Running")}],
            },
        }
        return self.api.put("pods", body)

    def publish(self, job: Plain) -> None:
        """Leave a manifest with every output that was ordered, and a last batch that says so."""
        order = self.order(job)
        value = b"a value"
        blob = hash_bytes(value)
        self.remote.put(f"blobs/{blob[:2]}/{blob}", value)
        manifest = Manifest(
            run=order.run,
            step=order.step,
            attempt=order.attempt,
            started=time.time(),
            finished=time.time(),
            outputs={n: Output(bundle=n, type="str", hash=blob) for n in order.outputs},
            bundles={n: Bundle(blobs=(blob,), names=(n,)) for n in order.outputs},
        )
        self.remote.create(manifest_key(order.run, order.step_id), manifest.to_json())
        said = {"n": 1, "time": time.time(), "type": "Result", "data": {"ok": True}}
        [container] = job["spec"]["template"]["spec"]["containers"]
        [key] = [e["value"] for e in container["env"] if e["name"] == "KFNB_ORDER"]
        uid = f"uid-{pod_name(job)}"
        self.remote.put(
            f"{key.rpartition('/')[0]}/events/{uid}/000000.jsonl", json.dumps(said).encode() + b"\n"
        )
        self.api.logs[pod_name(job)] = (
            f"{now()[:-1]}.000000001Z ".encode() + b'\x1e{"batch":0,"last":true}\n'
        )

    def end(self, job: Plain, code: int = 0, **about: Any) -> None:
        """End the Job's pod, and the Job."""
        ended = {"terminated": {"exitCode": code, "finishedAt": now(), **about}}
        self.pod(job, "Failed" if code else "Succeeded", ended)
        condition = {"type": "Failed" if code else "Complete", "status": "True"}
        self.api.put("jobs", {**job, "status": {"conditions": [condition]}})

    def order(self, job: Plain) -> StepOrder:
        """Read what a Job's pod is told."""
        [container] = job["spec"]["template"]["spec"]["containers"]
        [key] = [e["value"] for e in container["env"] if e["name"] == "KFNB_ORDER"]
        data = self.remote.get(key)
        assert data is not None
        return StepOrder.from_json(data)

    @property
    def api(self) -> ApiServer:
        assert self.server is not None
        return self.server


def pod_name(job: Plain) -> str:
    return f"{job['metadata']['name']}-p"


@dataclass
class World:
    """A server, a node, a store, and one run."""

    folder: Path
    server: ApiServer
    remote: FolderRemote
    cluster: Cluster
    run: RunFolder
    pipeline: Pipeline
    owner: Plain = field(default_factory=dict)

    def runner(self, cluster: Cluster | None = None) -> KubernetesRunner:
        """Make what executes the run's attempts."""
        client = cluster or self.cluster

        def job(work: Work, order: StepOrder | None) -> Mapping[str, Any]:
            return manifests.job(
                TARGET,
                self.pipeline,
                work,
                run=self.run.id,
                order=attempt_prefix(self.run.id, work) + "order.json",
                code="",
                owner=self.owner,
                timeout=order.timeout if order else None,
            )

        return KubernetesRunner(
            self.run,
            write_client=client,
            read_client=client,
            remote=self.remote,
            store=open_remote_store(self.folder / "cache", self.remote),
            job=job,
            selector=names.selector(self.run.id),
        )

    def drive(self) -> str:
        """Drive the run in this process; its status."""
        runner = self.runner()
        root = self.folder / "pod"
        inside = StepPaths(RunFolder(root / "run" / self.run.id), root / "store", root, "python3")
        context = RunContext(
            open_remote_store(self.folder / "cache", self.remote),
            self.folder,
            restores=False,
            inside=inside,
        )
        with Journal(self.run.journal, self.run.id) as journal:
            try:
                return Driver(self.run, runner, journal, context=context).drive()
            finally:
                runner.close()


@contextmanager
def world(
    folder: Path,
    steps: Mapping[str, Any],
    *,
    acts: Mapping[str, Act] | None = None,
    settings: Settings | None = None,
) -> Iterator[World]:
    """Make a run of fake steps (``tests.runners.bench``) and all that it needs."""
    remote = FolderRemote(folder / "remote")
    node = Node(remote, acts)
    with ApiServer(created=node) as server:
        node.server = server
        pipeline = make_pipeline(folder, steps)
        run = create_run(
            pipeline, settings=settings or quick(), target="kubernetes", prepared=Prepared()
        )
        kubeconfig = server.kubeconfig(folder)
        cluster = connected(kubeconfig)
        owner = cluster.create("ConfigMap", manifests.config_map(run.id, {}))
        yield World(folder, server, remote, cluster, run, pipeline, dict(owner))


def connected(kubeconfig: Path, *, sleep: Callable[[float], object] = time.sleep) -> Cluster:
    """Connect as a command with this kubeconfig does.

    In a process of its own it would say ``KUBECONFIG``, which the official client reads once.
    """
    from kubernetes import client, config

    configuration = client.Configuration()
    config.load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
    configuration.retries = False
    return Cluster(Transport(client.ApiClient(configuration), sleep=sleep), "lab")
