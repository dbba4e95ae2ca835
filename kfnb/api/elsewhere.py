"""Runs whose driver is not on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from kfnb.api.find import facts
from kfnb.errors import KfnbError
from kfnb.home import RunFolder
from kfnb.runners import driver_state


def refreshed(run: RunFolder) -> RunFolder:
    """Bring a run up to date that goes on without this machine; what is here stays otherwise.

    Where its cluster cannot be asked now, it is as it was when it could be last.
    """
    about = facts(run)
    if about.get("target", "local") == "local" or not driver_state(run).startswith("lost"):
        return run
    from kfnb.runners.kubernetes.elsewhere import attend

    with contextlib.suppress(KfnbError):
        attend(run, about)
    return run


def bring(target: str, options: Mapping[str, Any]) -> int:
    """Have the newest runs of a target's store in this machine's list; how many came.

    Raises
    ------
    UsageError, InfrastructureError
        If its store is not said, or cannot be read.
    """
    if target == "local":
        return 0
    from kfnb.runners.kubernetes.elsewhere import bring as from_cluster

    return from_cluster(options)
