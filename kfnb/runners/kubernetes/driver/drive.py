"""The role of the driver: it writes the run's store, and nothing else does.

It runs in a pod or on this machine; what it does is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kfnb.engine.core.event_types import Warning as WarningData
from kfnb.engine.driver import Driver
from kfnb.engine.journal.file_journal import Journal
from kfnb.engine.journal.segment_journal import SegmentJournal
from kfnb.home import RunFolder
from kfnb.pipeline import Pipeline
from kfnb.runners.kubernetes.api.lease import renewed
from kfnb.runners.kubernetes.driver.requests import Inbox, publish
from kfnb.runners.kubernetes.driver.run_context import opened
from kfnb.runners.kubernetes.options import KubernetesOptions
from kfnb.runners.kubernetes.store.store_access import store_of
from kfnb.store.remote_store import RemoteStore

PAUSES = "KFNB-W711"
"""The code of the warning that a run pauses while its driver's machine sleeps."""


def drive(
    run: RunFolder,
    pipeline: Pipeline,
    facts: Mapping[str, Any],
    *,
    store: RemoteStore | None = None,
) -> str:
    """Drive the run to its end; its final status.

    Parameters
    ----------
    store
        The run's store as a pod reaches it; by default as this machine does.

    Raises
    ------
    JournalBusy
        If another process here drives the run; JournalLost, if another driver took it over.
    UsageError, InfrastructureError
        As :func:`~kfnb.runners.kubernetes.driver.run_context.opened`.
    """
    options = KubernetesOptions.of_run(facts)
    in_pod = store is not None
    store = store or store_of(options)
    with SegmentJournal(run.journal, run.id, remote=store.remote) as journal:
        publish(run, store.remote)
        # With --driver here you chose this machine, so you need no warning.
        if not in_pod and options.driver == "auto":
            _warn_about_sleep(journal, options)
        inbox = Inbox(run, store.remote, journal.events)
        parts = opened(run, pipeline, facts, store=store, fence=journal.confirm)
        with parts as (runner, context, workspace):
            # A driver's pod is among what this removes. It records the run's end before that, and
            # is started again if it is killed before it has removed everything.
            remove = None if in_pod else workspace.remove
            context = replace(
                context, fetch_requests=inbox.take, attempts_survive=True, clean_up=remove
            )
            with renewed(workspace.cluster, run.id, workspace.owner(pipeline)):
                status = Driver(run, runner, journal, context=context).drive()
            if status == "cancelled" and in_pod:
                workspace.remove()
            return status


def _warn_about_sleep(journal: Journal, options: KubernetesOptions) -> None:
    """Warn, once for a run, that it pauses while this machine sleeps."""
    if any(isinstance(e.data, WarningData) and e.data.code == PAUSES for e in journal.events):
        return
    account = options.driver_service_account
    data = WarningData(
        code=PAUSES,
        message="This machine drives the run, so the run pauses while the machine sleeps: the "
        f'cluster has no service account "{account}" for a driver.',
        remedy=f"Create it with kfnb doctor {options.flags} --fix, or use --driver here to hide "
        "this warning.",
    )
    # If a crash loses the warning, the next driver gives it again.
    journal.append(data, durable=False)
