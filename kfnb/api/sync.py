"""Runs whose driver may not be on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from kfnb.api.run_lookup import facts
from kfnb.errors import KfnbError
from kfnb.home import RunFolder
from kfnb.runners import driver_state, has_succeeded
from kfnb.runners.target import find_target, target_of


def refreshed(run: RunFolder) -> RunFolder:
    """Bring the copy of a run that may go on without this machine up to date, and return it.

    If its target cannot be reached now, the copy stays as it is.
    """
    about = facts(run)
    target = target_of(about)
    if not target.is_remote or driver_state(run) == "alive" or has_succeeded(run):
        return run
    with contextlib.suppress(KfnbError):
        target.mirror(run, about)
    return run


def bring(target: str, options: Mapping[str, Any]) -> set[str]:
    """Bring the newest runs of a target's store here; return those that something drives now.

    Raises
    ------
    UsageError, InfrastructureError
        If the store is not configured, or cannot be read.
    """
    return find_target(target).mirror_all(options)
