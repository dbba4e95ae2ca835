"""A private folder for the sockets of one kernel."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from kfnb.errors import InfrastructureError

PREFIX = "kfnb-"
"""How the names of such folders begin."""

_LONGEST_SOCKET = 100  # AF_UNIX paths end at 104 (macOS) or 108 bytes


def socket_folder() -> Path:
    """Make a private folder whose path is short enough for unix sockets in it."""
    error: OSError | None = None
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"):  # noqa: S108
        if len(parent) > _LONGEST_SOCKET - 20:
            continue
        try:
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        except OSError as refused:
            error = error or refused
    raise InfrastructureError(
        f"There is no folder for temporary files ({error}). Set TMPDIR to a short, writable path."
    )


def ipc_transport(folder: Path) -> dict[str, Any]:
    """Return the traits with which jupyter_client connects over sockets in ``folder``."""
    return {
        "connection_file": str(folder / "c.json"),
        "transport": "ipc",
        "ip": str(folder / "k"),
    }
