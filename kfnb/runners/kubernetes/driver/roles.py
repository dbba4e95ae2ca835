"""Which role this machine's process has for a run: its driver, or a mirror of another one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from kfnb.engine.driver_requests import pending_requests
from kfnb.engine.journal.segment_journal import JournalLost
from kfnb.home import RunFolder
from kfnb.pipeline import Pipeline
from kfnb.runners.kubernetes.driver.drive import drive
from kfnb.runners.kubernetes.driver.mirror import follow, only_follower
from kfnb.runners.kubernetes.driver.remote_driver import (
    DriverGone,
    drives_in_cluster,
    is_driven_by_another_machine,
)
from kfnb.runners.kubernetes.driver.run_context import Workspace
from kfnb.runners.kubernetes.options import KubernetesOptions
from kfnb.runners.masked_values import held


def drive_or_follow(run: RunFolder, pipeline: Pipeline, facts: Mapping[str, Any]) -> str:
    """Drive the run, or follow its driver on another machine; return its final status.

    Raises
    ------
    JournalBusy, UsageError, InfrastructureError
        As :func:`~kfnb.runners.kubernetes.driver.drive.drive` and
        :func:`~kfnb.runners.kubernetes.driver.mirror.follow`.
    """
    if values := held(run):
        # Here and not in the driver, which may execute on another machine.
        Workspace(KubernetesOptions.of_run(facts), run).keep_masked(pipeline, values)
    in_cluster = drives_in_cluster(facts)
    if in_cluster or is_driven_by_another_machine(run, facts):
        with only_follower(run):
            try:
                return follow(run, pipeline, facts, in_cluster=in_cluster)
            except DriverGone as error:
                if all(request.type != "stop" for request in pending_requests(run)):
                    raise
                # A run that is to be stopped does not need its own driver for that.
                print(f"kfnb: {error} This machine stops the run.", file=sys.stderr, flush=True)
            # The follower's lock is still held, so that views do not take this for the end.
            return drive(run, pipeline, facts)
    try:
        return drive(run, pipeline, facts)
    except JournalLost as error:
        # The driver that has taken the run over continues it, so this process shows its progress.
        print(f"kfnb: {error}", file=sys.stderr, flush=True)
        with only_follower(run):
            return follow(run, pipeline, facts, in_cluster=False)
