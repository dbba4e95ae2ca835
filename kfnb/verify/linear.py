"""Execute a notebook from top to bottom in one kernel, as a person does: the reference.

``python -m kfnb.verify.linear SPEC.json`` does it in a process of its own, so that
whoever asks does not import nbclient (1.5 CPU-seconds with a Jupyter server about).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def execute(
    notebook: Mapping[str, Any],
    *,
    folder: str | Path,
    kernel: str = "",
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Execute all code cells in order and return the notebook with their outputs.

    Parameters
    ----------
    notebook
        The notebook's JSON; not changed.
    folder
        The kernel's working directory.
    kernel
        The kernelspec's name; the notebook's own where empty.
    timeout
        Seconds for each cell; None waits for ever.
    environment
        Variables beside this process's; ``PYTHONHASHSEED`` is 0 unless something sets it,
        as in a step.

    Returns
    -------
    dict
        Outputs up to and including the first cell that raises.
    """
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    node = nbformat.from_dict(json.loads(json.dumps(notebook)))
    name = kernel or node.metadata.get("kernelspec", {}).get("name", "python3")
    sockets = tempfile.mkdtemp(prefix="kfnb-")
    transport = {"transport": "ipc", "ip": f"{sockets}/k"}
    try:
        client = NotebookClient(
            node,
            km=AsyncKernelManager(kernel_name=name, **transport),
            timeout=timeout,
            extra_arguments=["--HistoryManager.hist_file=:memory:"],
            resources={"metadata": {"path": str(folder)}},
        )
        client.owns_km = True  # so that it ends the kernel
        variables = {"PYTHONHASHSEED": "0", **os.environ, **(environment or {})}
        with contextlib.suppress(CellExecutionError):  # it is among the cell's outputs
            client.execute(env=variables)
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
    done: dict[str, Any] = json.loads(nbformat.writes(node))
    return done


def main(spec_path: str) -> None:
    """Read what to execute from a JSON file and write the result where it says."""
    # Without it, importing nbformat builds parsers that nothing here needs.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    spec = json.loads(Path(spec_path).read_text(encoding="utf-8"))
    result = execute(
        spec["notebook"],
        folder=spec["folder"],
        kernel=spec.get("kernel", ""),
        timeout=spec.get("timeout"),
    )
    Path(spec["result"]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
