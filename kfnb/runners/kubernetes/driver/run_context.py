"""What a driver needs for a run on a cluster: workspace, store, and the runner of its steps."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kfnb.engine.dispatch.step_orders import StepPaths
from kfnb.engine.runner import RunContext, Work
from kfnb.errors import UsageError
from kfnb.home import RunFolder
from kfnb.pipeline import Pipeline
from kfnb.runners.code_bundle import FILE
from kfnb.runners.kubernetes.api.client import ApiError, Cluster, connect
from kfnb.runners.kubernetes.api.fenced_client import FencedClient
from kfnb.runners.kubernetes.objects import manifests, names
from kfnb.runners.kubernetes.objects.claims import with_claim
from kfnb.runners.kubernetes.options import KubernetesOptions
from kfnb.runners.kubernetes.runner import KubernetesRunner, attempt_prefix
from kfnb.step.order import StepOrder
from kfnb.step.pod.input_download import unpack
from kfnb.store.remote import Remote
from kfnb.store.remote_store import RemoteStore


@contextmanager
def opened(
    run: RunFolder,
    pipeline: Pipeline,
    run_facts: Mapping[str, Any],
    *,
    store: RemoteStore,
    fence: Callable[[], None],
) -> Iterator[tuple[KubernetesRunner, RunContext, Workspace]]:
    """Connect to the run's cluster, and watch it until the end of the context.

    Parameters
    ----------
    store
        The run's store, as :func:`~kfnb.runners.kubernetes.store.store_access.store_of` opens it.
    fence
        Called before each change of the cluster; raises if another driver has taken over.

    Raises
    ------
    UsageError
        If the configuration is incomplete, or refers to something that does not exist.
    InfrastructureError
        If the cluster or the store cannot be reached.
    """
    target = KubernetesOptions.of_run(run_facts)
    workspace = Workspace(target, run)
    target = with_claim(workspace.cluster, target)
    code = workspace.code_key(store.remote)
    owner = workspace.owner(pipeline)
    workdir = _unpacked(run)

    def job(work: Work, order: StepOrder | None) -> Mapping[str, Any]:
        return manifests.job(
            target,
            pipeline,
            work,
            run=run.id,
            order=attempt_prefix(run.id, work) + "order.json",
            code=code,
            owner=owner,
            timeout=order.timeout if order else None,
            masked=bool(order and order.masked),
        )

    runner = KubernetesRunner(
        run,
        # A driver that was replaced may still read, but must not create or delete anything.
        write_client=FencedClient(workspace.cluster, fence),
        read_client=workspace.cluster,
        remote=store.remote,
        store=store,
        job=job,
        selector=names.selector(run.id),
    )
    root = Path(manifests.ROOT)
    context = RunContext(
        store=store,
        workdir=workdir,
        # Each pod downloads the files that it needs; this machine's folder is not used.
        restores=False,
        images={step: manifests.image_of(target, pipeline, step) for step in pipeline.steps},
        # These are the paths in the pods, which have no folders of this machine.
        inside=StepPaths(
            run=RunFolder(root / "home" / "runs" / run.id),
            store=root / "home" / "store",
            workdir=root / "work",
            kernel="python3",
        ),
    )
    try:
        yield runner, context, workspace
    finally:
        runner.close()


class Workspace:
    """The ConfigMap and the code bundle of one run."""

    def __init__(self, target: KubernetesOptions, run: RunFolder) -> None:
        self.target = target
        self.run = run
        self.cluster: Cluster = connect(context=target.context, namespace=target.namespace)
        self._owner: Mapping[str, Any] | None = None

    def owner(self, pipeline: Pipeline) -> Mapping[str, Any]:
        """Return the run's ConfigMap, which owns all its objects; create it if it is missing."""
        # Its uid must be in every Job, and does not change while the run lives.
        self._owner = self._owner or self._owned(pipeline)
        return self._owner

    def _owned(self, pipeline: Pipeline) -> Mapping[str, Any]:
        body = manifests.config_map(
            self.run.id,
            {"run": self.run.id, "pipeline": pipeline.name, "store": self.target.store or ""},
        )
        try:
            return self.cluster.create("ConfigMap", body)
        except ApiError as error:
            if error.status == 404:
                raise UsageError(
                    f'There is no namespace "{self.cluster.namespace}" in this cluster. Create it '
                    f"(kubectl create namespace {shlex.quote(self.cluster.namespace)}), or name "
                    "another one with --namespace."
                ) from error
            if error.status == 403:
                raise UsageError(
                    "You have no right to create ConfigMaps in the namespace "
                    f"{self.cluster.namespace}: {error}"
                ) from error
            # 409 means that it exists: an earlier driver of this run created it.
            if error.status != 409:
                raise
        owner = self.cluster.get("ConfigMap", body["metadata"]["name"])
        # Somebody else may have created an object with this name; the label says whose it is.
        if owner is None or owner["metadata"].get("labels", {}).get(names.RUN) != names.label_value(
            self.run.id
        ):
            raise UsageError(
                f'The ConfigMap "{body["metadata"]["name"]}" does not belong to this run. '
                "Delete it, or start a new run."
            )
        return owner

    def keep_masked(self, pipeline: Pipeline, values: Mapping[str, Any]) -> None:
        """Create the Secret with the run's masked parameters, which only its steps' pods read.

        Raises
        ------
        UsageError
            If you may not create it.
        """
        body = manifests.masked_parameters(self.run.id, values, self.owner(pipeline))
        try:
            self.cluster.create("Secret", body)
        except ApiError as error:
            if error.status == 403:
                raise UsageError(
                    f"Masked parameters ({', '.join(values)}) travel as a Secret, and you have no "
                    f"right to create Secrets in the namespace {self.cluster.namespace}. Ask for "
                    "it, or use --no-mask with each of these names."
                ) from error
            # 409 means that it exists: the run has been resumed.
            if error.status != 409:
                raise

    def remove(self) -> None:
        """Remove every object of the run, by deleting the ConfigMap that owns them."""
        self.cluster.delete("ConfigMap", names.object_name("kfnb", self.run.id))

    def code_key(self, remote: Remote) -> str:
        """Store the code bundle if it is not there; return its key, empty if there is no bundle."""
        try:
            data = (self.run.path / FILE).read_bytes()
        except FileNotFoundError:
            return ""
        key = f"code/{hashlib.sha256(data).hexdigest()[:32]}.tar"
        # The key is a hash of the content, so runs of unchanged code share one upload.
        if remote.size(key) != len(data):
            remote.put(key, data)
        return key


def _unpacked(run: RunFolder) -> Path:
    """Unpack the bundle's files as they were when the run began; return the folder."""
    folder = run.path / "workdir"
    folder.mkdir(exist_ok=True)
    if (run.path / FILE).exists():
        unpack(run.path / FILE, folder)
    return folder
