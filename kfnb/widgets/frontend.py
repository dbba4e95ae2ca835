"""Who looks at this kernel's outputs, and where its Jupyter server's files begin.

Jupyter's protocol does not say what a front end is. What tells is the request that is being
answered: JupyterLab and Notebook 7 send ``deletedCells`` with a cell, and what executes a
notebook without a person (nbclient, so papermill and nbconvert) allows no questions.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

Front = Literal["none", "program", "jupyter", "other"]
"""``none``: no kernel; ``program``: nobody draws widgets; ``jupyter``: JupyterLab, Notebook 7."""


def front() -> Front:
    """Tell what kind of front end asked for the cell that is executed."""
    kernel = _kernel()
    if kernel is None:
        return "none"
    request = _request(kernel)
    metadata, content = request.get("metadata") or {}, request.get("content") or {}
    if "deletedCells" in metadata:
        return "jupyter"
    alone = content.get("allow_stdin") is False and "cellId" not in metadata
    # Voilà executes as nbclient does, and shows a page afterwards.
    if alone and not os.environ.get("SERVER_SOFTWARE", "").startswith("voila"):
        return "program"
    return "other"


def server_root() -> Path | None:
    """Return the folder that this kernel's Jupyter server shows; None if it cannot be known."""
    parent = os.environ.get("JPY_PARENT_PID")
    if not parent or _kernel() is None:
        return None
    from jupyter_core.paths import jupyter_runtime_dir

    try:
        plain = json.loads((Path(jupyter_runtime_dir()) / f"jpserver-{parent}.json").read_bytes())
        return Path(plain["root_dir"]).resolve()
    except (OSError, ValueError, KeyError, TypeError):
        return None


def linked(path: Path, root: Path | None) -> str | None:
    """Return a path as the server knows it; None where the server does not show it.

    >>> linked(Path("/home/ada/runs/1/a.ipynb"), Path("/home/ada"))
    'runs/1/a.ipynb'
    >>> linked(Path("/tmp/a.ipynb"), Path("/home/ada")) is None
    True
    >>> linked(Path("/home/ada/.local/a.ipynb"), Path("/home/ada")) is None
    True
    """
    if root is None:
        return None
    try:
        below = path.relative_to(root)
    except ValueError:
        return None
    # Jupyter shows nothing that is hidden unless it was told to.
    return None if any(part.startswith(".") for part in below.parts) else below.as_posix()


def _kernel() -> Any:
    """Return ipykernel's kernel, if this process is one."""
    import sys

    # Whoever has not loaded IPython is in no kernel: it is not loaded to learn that.
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    return getattr(shell, "kernel", None)


def _request(kernel: Any) -> dict[str, Any]:
    """Return the message that is being answered."""
    try:
        found = kernel.get_parent("shell")
    except Exception:  # another kernel than ipykernel, with another idea of requests
        return {}
    return found if isinstance(found, dict) else {}
