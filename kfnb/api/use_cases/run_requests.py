"""The request that a run was created for, so that the same request never starts a second run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from kfnb.api.run_lookup import facts, run_folders
from kfnb.home import RunFolder

REMEMBERED = timedelta(days=1)
"""How long a run is found by the key of its request."""


def request_facts(key: str, body: str) -> dict[str, Any]:
    """Return what a run's ``run.json`` says about its request.

    Parameters
    ----------
    key
        The client's key; only its hash is written.
    body
        A hash of what was requested.
    """
    return {"request": {"key": _hashed(key), "body": body}}


def run_of_request(key: str) -> tuple[RunFolder, str] | None:
    """Return the run that was created for a key, and the hash of what was requested then."""
    hashed = _hashed(key)
    # Ids begin with the time at which their runs were created, in UTC.
    oldest = f"{datetime.now(timezone.utc) - REMEMBERED:%Y%m%d-%H%M%S}"
    for folder in run_folders():
        if folder.id < oldest:
            return None
        request = facts(folder).get("request")
        if isinstance(request, Mapping) and request.get("key") == hashed:
            return folder, str(request.get("body"))
    return None


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
