"""The kind of front end that shows this kernel's outputs, and its Jupyter server's root folder.

Jupyter's protocol does not name the front end, but its execute requests differ: JupyterLab and
Notebook 7 send ``deletedCells``, and nbclient (so papermill and nbconvert) does not allow stdin.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

FrontendKind = Literal["none", "program", "jupyter", "other"]
"""``none``: no kernel; ``program``: no widgets are drawn; ``jupyter``: JupyterLab, Notebook 7."""


def kind_of_frontend() -> FrontendKind:
    """Return which kind of front end requested the cell that is being executed."""
    kernel = _kernel()
    if kernel is None:
        return "none"
    request = _request(kernel)
    metadata, content = request.get("metadata") or {}, request.get("content") or {}
    if "deletedCells" in metadata:
        return "jupyter"
    unattended = content.get("allow_stdin") is False and "cellId" not in metadata
    # Voilà executes notebooks like nbclient, but shows them in a page afterwards.
    if unattended and not os.environ.get("SERVER_SOFTWARE", "").startswith("voila"):
        return "program"
    return "other"


def server_root() -> Path | None:
    """Return the root folder of this kernel's Jupyter server; None if it cannot be found."""
    # jupyter_client sets it to the server's process id, which is in the name of the file below.
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
    """Return a path relative to the server's root; None if the server does not show it.

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
    # Jupyter hides these unless configured otherwise.
    return None if any(part.startswith(".") for part in below.parts) else below.as_posix()


def _kernel() -> Any:
    """Return ipykernel's kernel, if this process is one."""
    import sys

    # Without IPython loaded this is no kernel, so there is no reason to import it.
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    return getattr(shell, "kernel", None)


def _request(kernel: Any) -> dict[str, Any]:
    """Return the request that is being answered."""
    try:
        request = kernel.get_parent("shell")
    except Exception:  # a kernel other than ipykernel may not have this method
        return {}
    return request if isinstance(request, dict) else {}
