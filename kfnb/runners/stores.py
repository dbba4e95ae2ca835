"""Where a run's values are: on this machine, or in the store of the target that it runs on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kfnb.home import store_folder
from kfnb.store.blobs import Store


def store_of_run(about: Mapping[str, Any]) -> Store:
    """Open the store with a run's manifests and values.

    Parameters
    ----------
    about
        The content of the run's ``run.json``.

    Raises
    ------
    UsageError
        If what is needed to reach it is not installed or not configured.
    InfrastructureError
        If it cannot be reached.
    """
    if about.get("target", "local") == "local":
        return Store(store_folder())  # as it is: who only looks need not be able to write
    from kfnb.runners.kubernetes.api.config import TARGET, Target
    from kfnb.runners.kubernetes.store.store_access import store_of

    return store_of(Target.from_plain(about.get(TARGET) or {}))


def same_store(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two runs (what ``run.json`` says of them) keep their values in one store."""
    return _where(one) == _where(other)


def _where(about: Mapping[str, Any]) -> tuple[Any, ...]:
    target = about.get("target", "local")
    if target == "local":
        return ("local",)
    options = about.get(target) or {}
    claim = str(options.get("store") or "").startswith("pvc:")
    # A claim's name means another one in another workspace.
    workspace = (options.get("context"), options.get("namespace")) if claim else ()
    return target, options.get("store"), options.get("store_endpoint"), *workspace
