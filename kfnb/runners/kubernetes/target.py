"""The target ``kubernetes``; its client is imported when a method needs the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kfnb.runners.kubernetes.options import TARGET as NAME
from kfnb.runners.kubernetes.options import TITLE, KubernetesOptions, collect_options
from kfnb.runners.target import Cleaning, Finding, Prepared, Workspace

if TYPE_CHECKING:
    from kfnb.home import RunFolder
    from kfnb.pipeline import Diagnostic, Pipeline
    from kfnb.store.blobs import Store

PARALLEL = 20
"""How many steps execute at once unless the run says otherwise: the cluster queues the others."""


class KubernetesTarget:
    """Runs in a workspace of a cluster: one Job for each attempt at a step."""

    title = TITLE
    options: type = KubernetesOptions
    is_remote = True

    def parallel(self) -> int:
        """Return :data:`PARALLEL`."""
        return PARALLEL

    def workspaces(self) -> list[Workspace]:
        """Return the contexts of the kubeconfig."""
        from kfnb.runners.kubernetes.api.client import contexts

        return [Workspace(*one) for one in contexts()]

    def check(self, pipeline: Pipeline, options: Mapping[str, Any]) -> tuple[Diagnostic, ...]:
        """Return which files the steps will miss in their pods."""
        from kfnb.runners.code_bundle import bundle

        return bundle(pipeline, {}, files=collect_options(pipeline, options).files).findings

    def prepare(
        self, pipeline: Pipeline, parameters: Mapping[str, Any], options: Mapping[str, Any]
    ) -> Prepared:
        """Merge and check the options, and bundle the code that the steps need."""
        from kfnb.runners.code_bundle import FILE, bundle
        from kfnb.runners.kubernetes.objects.manifests import check
        from kfnb.runners.options import given

        merged = collect_options(pipeline, options)
        check(merged, pipeline)
        code = bundle(pipeline, parameters, files=merged.files)
        # Only what the call said has to be typed again for another run like this one.
        facts = {NAME: merged.plain(), "said": given(options)}
        return Prepared(facts, {FILE: code.data} if code.data else {}, code.findings)

    def preview(
        self,
        pipeline: Pipeline,
        parameters: Mapping[str, Any],
        options: Mapping[str, Any],
        *,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """List the objects of a run's first attempts, as ``kubectl apply`` reads them."""
        from datetime import datetime, timezone

        from kfnb.runners.code_bundle import bundle
        from kfnb.runners.kubernetes.objects.manifests import check
        from kfnb.runners.kubernetes.objects.preview import objects
        from kfnb.runners.launch import new_id

        merged = collect_options(pipeline, options)
        check(merged, pipeline)
        return objects(
            merged,
            pipeline,
            run=new_id(pipeline.name, datetime.now(timezone.utc)),
            code=bundle(pipeline, parameters, files=merged.files),
            timeout=timeout,
        )

    def store(self, facts: Mapping[str, Any]) -> Store:
        """Open a run's store as this machine reaches it."""
        from kfnb.runners.kubernetes.store.store_access import store_of

        return store_of(KubernetesOptions.of_run(facts))

    def store_identity(self, facts: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return a store's address; a claim's name is unique in its workspace only."""
        options = KubernetesOptions.of_run(facts)
        is_claim = str(options.store or "").startswith("pvc:")
        workspace = (options.context, options.namespace) if is_claim else ()
        return options.store, options.store_endpoint, *workspace

    def drive(self, run: RunFolder, pipeline: Pipeline, facts: Mapping[str, Any]) -> str:
        """Drive the run, or follow its driver on another machine; return its final status."""
        from kfnb.runners.kubernetes.driver.roles import drive_or_follow

        return drive_or_follow(run, pipeline, facts)

    def mirror(self, run: RunFolder, facts: Mapping[str, Any]) -> None:
        """Bring the copy of a run up to date with its store."""
        from kfnb.runners.kubernetes.driver.mirror import mirror

        mirror(run, facts)

    def mirror_all(self, options: Mapping[str, Any]) -> set[str]:
        """Bring the newest runs of a store here; the ids of those that something drives now."""
        from kfnb.runners.kubernetes.driver.mirror import mirror_all

        return mirror_all(collect_options(None, options))

    def clean(
        self,
        options: Mapping[str, Any],
        *,
        keep: int | None,
        older_than: float | None,
        notebook: str | None,
        dry_run: bool,
    ) -> Cleaning:
        """Remove what ended runs left in a namespace and its store."""
        from kfnb.runners.kubernetes.api.client import connect
        from kfnb.runners.kubernetes.cleaning import clean
        from kfnb.runners.kubernetes.cleaning_report import sentences
        from kfnb.runners.kubernetes.store.store_access import store_of

        merged = collect_options(None, options)
        cluster = connect(context=merged.context, namespace=merged.namespace)
        remote = store_of(merged).remote if merged.store else None
        done = clean(
            cluster, remote, keep=keep, older_than=older_than, notebook=notebook, dry_run=dry_run
        )
        lines = sentences(done, has_store=remote is not None, dry_run=dry_run)
        return Cleaning({run: done.notebooks.get(run, "") for run in done.runs}, tuple(lines))

    def doctor(
        self, pipeline: Pipeline | None, options: Mapping[str, Any], *, fix: bool
    ) -> Iterator[Finding]:
        """Check a workspace's rights, accounts, store and images."""
        from kfnb.runners.kubernetes.doctor.checks import examine

        return examine(collect_options(pipeline, options), pipeline=pipeline, fix=fix)


TARGET = KubernetesTarget()
