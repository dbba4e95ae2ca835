"""Measure runs on the tests' Kubernetes cluster, and bare Jobs that call papermill.

Requests to the API server pass through the tests' proxy, which counts them and notes their times.
The node notes the time of each line that a container prints.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tests.cluster.fixtures import RESTRICTED, S3
from tests.cluster.layout import S3_INSIDE, S3_KEY, S3_SECRET
from tests.cluster.node import Node, up
from tests.kubernetes.proxy import Proxy

from . import notebooks
from .measure import cost

Figure = tuple[str, float, str, str]
CHAIN, WIDE = 10, 20
KFNB = [sys.executable, "-m", "kfnb.cli.main"]


@dataclass(frozen=True)
class Workspace:
    """A namespace and a bucket of the cluster, and the proxy before its API server."""

    node: Node
    core: Any
    batch: Any
    namespace: str
    s3: S3
    bucket: str
    proxy: Proxy
    options: list[str] = field(default_factory=list)
    environment: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def workspace(folder: Path) -> Iterator[Workspace]:
    """Yield a new namespace of the cluster, which is started if it does not run."""
    from kubernetes import client, config

    node, started = up(lambda text: print(f"cluster: {text}", file=sys.stderr))
    api = config.new_client_from_config(str(node.layout.kubeconfig))
    core, batch = client.CoreV1Api(api), client.BatchV1Api(api)
    name = f"bench-{uuid.uuid4().hex[:8]}"
    s3 = S3(S3_INSIDE, f"http://127.0.0.1:{node.ports['s3']}", S3_KEY, S3_SECRET)
    s3.files().mkdir(name)
    core.create_namespace({"metadata": {"name": name, "labels": RESTRICTED}})
    core.create_namespaced_secret(
        name, {"metadata": {"name": "s3"}, "stringData": s3.environment()}
    )
    time.sleep(1)  # Kubernetes creates the namespace's service account a moment later
    try:
        with Proxy(node.layout.kubeconfig) as proxy:
            options = [
                *("--on", "kubernetes", "--namespace", name, "--image", node.images.step.name),
                *("--store", f"s3://{name}/kfnb", "--store-secret", "s3"),
                *("--store-endpoint", s3.pod_endpoint),
                *("--store-client-endpoint", s3.client_endpoint),
            ]
            environment = {
                **s3.environment(),
                "KUBECONFIG": str(proxy.kubeconfig(folder)),
                "KFNB_HOME": str(folder / "home"),
                "KFNB_CONFIG": str(folder / "none.toml"),
            }
            yield Workspace(node, core, batch, name, s3, name, proxy, options, environment)
    finally:
        core.delete_namespace(name)
        s3.files().rm(name, recursive=True)
        if started:
            from tests.cluster.node import down

            down()


def figures(folder: Path) -> Iterator[Figure]:
    """Yield the rows of the table: who, how much, unit and note."""
    with workspace(folder) as space:
        yield from _chain(space, folder)
        yield from _wide(space, folder)
    from .driver import figures as of_the_driver

    yield from of_the_driver(folder)


def _chain(space: Workspace, folder: Path) -> Iterator[Figure]:
    book = notebooks.chain(folder / "chain.ipynb", CHAIN)
    offset = time.time() - time.monotonic()
    with _pods(space) as seen:
        spent = _run(space, book, folder)
    note = f"chain of {CHAIN}"
    yield "kfnb", spent.wall / CHAIN, "s wall a step", note
    requests = [r for r in space.proxy.requests if r.plural not in ("configmaps", "version")]
    yield "kfnb", len(requests) / CHAIN, "API requests a step", note
    pods = space.core.list_namespaced_pod(space.namespace).items
    times = [_times(space, pod, seen) for pod in pods]
    times.sort(key=lambda one: one["made"])
    posted = sorted(r.at + offset for r in requests if (r.method, r.plural) == ("POST", "jobs"))
    assert len(times) == len(posted) == CHAIN, (len(times), len(posted))
    gaps = [after - one["committed"] for one, after in zip(times, posted[1:], strict=False)]
    yield "kfnb", statistics.median(gaps), "s commit to next POST", f"{note}, median"
    yield "kfnb", max(gaps), "s commit to next POST", f"{note}, worst"
    for one, at in zip(times, posted, strict=True):
        one["posted"] = at
    parts = (
        ("pod made and scheduled", "posted", "scheduled"),
        ("container started", "scheduled", "started"),
        ("Python, inputs, papermill and kernel", "started", "cell"),
        ("user code", "cell", "done"),
        ("outputs, kernel's end, commit", "done", "committed"),
    )
    for what, begin, end in parts:
        spans = [one[end] - one[begin] for one in times]
        yield "kfnb", statistics.mean(spans), "s of a step", f"{note}: {what}"
    whole = _bare(space, CHAIN, together=False, book=notebooks.plain(folder / "plain", 1)[0])
    yield "a bare Job", whole / CHAIN, "s wall a step", "papermill alone, no values; one by one"


def _wide(space: Workspace, folder: Path) -> Iterator[Figure]:
    book = notebooks.wide(folder / "wide.ipynb", WIDE, 0)
    before = len(space.proxy.requests)
    spent = _run(space, book, folder)
    note = f"{WIDE} at once"
    yield "kfnb", spent.wall / WIDE, "s wall a step", note
    yield "kfnb", (len(space.proxy.requests) - before) / WIDE, "API requests a step", note
    whole = _bare(space, WIDE, together=True, book=notebooks.plain(folder / "plain", 1)[0])
    yield "a bare Job", whole / WIDE, "s wall a step", f"papermill alone, no values; {note}"


def _run(space: Workspace, book: Path, folder: Path) -> Any:
    command = [*KFNB, "run", book, *space.options, "--no-cache"]
    return cost(command, cwd=folder, env=space.environment)


@contextmanager
def _pods(space: Workspace) -> Iterator[dict[str, float]]:
    """Note when each pod was seen to be scheduled; its status has only whole seconds."""
    from kubernetes import watch

    seen: dict[str, float] = {}
    watcher = watch.Watch()

    def follow() -> None:
        listing = space.core.list_namespaced_pod
        with contextlib.suppress(Exception):  # it is cut off at the end
            for event in watcher.stream(listing, space.namespace, timeout_seconds=300):
                pod = event["object"]
                if pod.spec.node_name:
                    seen.setdefault(pod.metadata.name, time.time())

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        watcher.stop()


def _times(space: Workspace, pod: Any, seen: Mapping[str, float]) -> dict[str, float]:
    """Return when each stage of a pod was reached, in seconds since the epoch."""
    name = pod.metadata.name
    log = space.core.read_namespaced_pod_log(name, space.namespace, timestamps=True)
    times = {"made": pod.metadata.creation_timestamp.timestamp(), "scheduled": seen[name]}
    # Times are cut to whole seconds, which loses half a second on average.
    state = pod.status.container_statuses[0].state
    times["started"] = (state.terminated or state.running).started_at.timestamp() + 0.5
    for line in log.split("\n"):  # splitlines treats the separator of signals as the end of a line
        stamp, _, text = line.partition(" ")
        # The last signal follows the batch that says that the result is published.
        if text.startswith("\x1e") and json.loads(text[1:]).get("last"):
            times["committed"] = _moment(stamp)
    runs = Path(space.environment["KFNB_HOME"]) / "runs"
    step = pod.metadata.labels["kfnb.dev/step"]
    (reported,) = runs.glob(f"*/steps/{step}/*/events.jsonl")
    for event in map(json.loads, reported.read_text("utf-8").splitlines()):
        if event["type"] == "CellStarted":
            times["cell"] = event["time"]
        elif event["type"] == "CellFinished":
            times["done"] = event["time"]
    return times


def _moment(stamp: str) -> float:
    whole, _, rest = stamp.rstrip("Z").partition(".")
    moment = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return moment.timestamp() + float(f"0.{rest or 0}")


def _bare(space: Workspace, count: int, *, together: bool, book: Path) -> float:
    """Return the seconds until all Jobs that call papermill are complete."""
    config = f"nb-{uuid.uuid4().hex[:6]}"
    data = {"in.ipynb": book.read_text()}
    space.core.create_namespaced_config_map(
        space.namespace, {"metadata": {"name": config}, "data": data}
    )
    from tests.cluster.jobs import environment, job

    def make(number: int) -> str:
        body = job(
            f"{config}-{number}",
            space.node.images.step.name,
            ["papermill", "--no-progress-bar", "/config/in.ipynb", "out.ipynb"],
            env=environment({"HOME": "/work", "JUPYTER_PLATFORM_DIRS": "1"}),
            volumeMounts=[{"name": "nb", "mountPath": "/config"}],
            pod={"volumes": [{"name": "nb", "configMap": {"name": config}}]},
        )
        space.batch.create_namespaced_job(space.namespace, body)
        return f"{config}-{number}"

    def wait(name: str) -> None:
        while not space.batch.read_namespaced_job(name, space.namespace).status.succeeded:
            time.sleep(0.05)

    began = time.perf_counter()
    if together:
        for name in [make(number) for number in range(count)]:
            wait(name)
    else:
        for number in range(count):
            wait(make(number))
    return time.perf_counter() - began
