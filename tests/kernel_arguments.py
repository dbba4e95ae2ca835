"""The arguments of a kernel that executes code when it starts, for processes that tests fork."""

from __future__ import annotations

import json
from pathlib import Path


def kernel_arguments(stem: Path, code: str) -> tuple[str, ...]:
    """Write a connection file of sockets in a folder; return the arguments of the kernel.

    Parameters
    ----------
    stem
        The path of the connection file and the sockets, without a suffix.
    """
    connection = {
        "transport": "ipc",
        "ip": f"{stem}.ipc",
        "key": "",
        "signature_scheme": "hmac-sha256",
    }
    ports = {f"{name}_port": 0 for name in ("shell", "iopub", "stdin", "control", "hb")}
    file = Path(f"{stem}.json")
    file.write_text(json.dumps({**connection, **ports}))
    return ("-f", str(file), "--HistoryManager.hist_file=:memory:", "-c", code)
