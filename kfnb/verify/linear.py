"""Execute a notebook from top to bottom in one kernel, as the reference for a pipeline.

``python -m kfnb.verify.linear SPEC.json`` does it in a separate process, because importing nbclient
costs 1.5 CPU-seconds if Jupyter Server is installed.
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
        The kernelspec's name; if empty, that of the notebook.
    timeout
        Seconds for each cell; None for no limit.
    environment
        Variables in addition to this process's. ``PYTHONHASHSEED`` is 0 unless it is set, as in
        a step.

    Returns
    -------
    dict
        The notebook with outputs up to the first cell that raises, including that.
    """
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    # A copy, because nbclient writes the outputs into the notebook that it executes.
    node = nbformat.from_dict(json.loads(json.dumps(notebook)))
    name = kernel or node.metadata.get("kernelspec", {}).get("name", "python3")
    # Another process could take a free TCP port before the kernel binds it; sockets in a folder are
    # ours.
    sockets = tempfile.mkdtemp(prefix="kfnb-")
    transport = {"transport": "ipc", "ip": f"{sockets}/k"}
    try:
        client = NotebookClient(
            node,
            km=AsyncKernelManager(kernel_name=name, **transport),
            timeout=timeout,
            # A history in a file would be shared, and locked, by all kernels of this user.
            extra_arguments=["--HistoryManager.hist_file=:memory:"],
            resources={"metadata": {"path": str(folder)}},
        )
        client.owns_km = True  # makes the client shut the kernel down
        variables = {"PYTHONHASHSEED": "0", **os.environ, **(environment or {})}
        with contextlib.suppress(CellExecutionError):  # the cell's outputs have the error
            client.execute(env=variables)
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
    done: dict[str, Any] = json.loads(nbformat.writes(node))
    return done


def main(spec_path: str) -> None:
    """Execute what a JSON file describes, and write the result to the file that it names."""
    # Prevents jsonschema from building parsers at import that validation here does not need.
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
