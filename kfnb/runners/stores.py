"""The store with a run's manifests and values, on whatever target it executes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kfnb.runners.target import target_name, target_of
from kfnb.store.blobs import Store


def store_of_run(facts: Mapping[str, Any]) -> Store:
    """Open the store of a run.

    Parameters
    ----------
    facts
        The content of the run's ``run.json``.

    Raises
    ------
    UsageError
        If what is needed to open it is not installed or not configured.
    InfrastructureError
        If it cannot be reached.
    """
    return target_of(facts).store(facts)


def same_store(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two runs keep their values in one store."""
    if target_name(one) != target_name(other):
        return False
    target = target_of(one)
    return target.store_identity(one) == target.store_identity(other)
