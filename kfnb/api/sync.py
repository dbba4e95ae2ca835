"""Runs whose driver is not on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from kfnb.api.run_lookup import facts
from kfnb.errors import KfnbError
from kfnb.home import RunFolder
from kfnb.runners import driver_state, has_succeeded


def refreshed(run: RunFolder) -> RunFolder:
    """Bring a run up to date that may go on without this machine; what is here stays otherwise.

    Where its cluster cannot be asked now, it is as it was when it could be last.
    """
    about = facts(run)
    local = about.get("target", "local") == "local"
    if local or driver_state(run) == "alive" or has_succeeded(run):
        return run
    from kfnb.runners.kubernetes.driver.mirror import attend

    with contextlib.suppress(KfnbError):
        attend(run, about)
    return run


def bring(target: str, options: Mapping[str, Any]) -> set[str]:
    """Have the newest runs of a target's store in this machine's list; those driven elsewhere.

    Raises
    ------
    UsageError, InfrastructureError
        If its store is not said, or cannot be read.
    """
    if target == "local":
        return set()
    from kfnb.runners.kubernetes.driver.mirror import bring as from_cluster

    return from_cluster(options)
