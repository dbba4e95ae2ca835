"""Requests to a run's driver: small files in the run's folder, the oldest first."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfnb.engine.wakeup import wake_driver
from kfnb.home import RunFolder
from kfnb.store import disk


@dataclass(frozen=True, slots=True)
class Request:
    """Something a person asked of a run: ``stop`` or ``resume``, with details."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None


def send_request(run: RunFolder, request: Request) -> None:
    """Leave a request for the run's driver, durably, and wake it.

    Raises
    ------
    InfrastructureError
        If the run's folder cannot be written.
    """
    # Sorted names give the order of the requests; the pid keeps two processes from using one name.
    name = f"{time.time_ns():020d}-{os.getpid()}.json"
    with disk.writing(run.control):
        disk.private_folders(run.control)
        data = json.dumps({"type": request.type, "data": dict(request.data)}).encode()
        disk.replace(run.control / name, data)
    wake_driver(run)


def pending_requests(run: RunFolder) -> list[Request]:
    """List what was asked and is not done, oldest first."""
    try:
        # Files with another suffix are requests that are being written.
        paths = sorted(p for p in run.control.iterdir() if p.suffix == ".json")
    except OSError:
        return []
    requests = []
    for path in paths:
        # A damaged request must not keep the driver from carrying out the others.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            plain = json.loads(path.read_bytes())
            requests.append(Request(str(plain["type"]), dict(plain.get("data") or {}), path))
    return requests


def remove_request(request: Request) -> None:
    """Remove a request that was carried out."""
    if request.path is not None:
        with contextlib.suppress(FileNotFoundError):
            request.path.unlink()
