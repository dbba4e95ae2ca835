"""Paths of the server's contents manager, and the files that they are.

A path is relative to the server's root, with ``/`` between its parts, as Jupyter's contents API has
it. Nothing outside of the root has one, and neither has a hidden file.
"""

from __future__ import annotations

import os
from pathlib import Path

from kfnb.server.problems import ProblemError


def file_of(path: str, root: str | None) -> Path:
    """Return the file of a path.

    Raises
    ------
    ProblemError
        If the path leads out of the root, or is hidden, or the server has no folder as its root.
    """
    if root is None:
        raise ProblemError(
            501,
            "The notebooks of this server are no files on its disk, so kfnb cannot read them here. "
            "Use kfnb in a terminal on the machine that has them.",
        )
    parts = path.strip("/").split("/")
    for part in parts:
        # os.sep and a drive's colon would start at another folder on Windows.
        bad = "\0" in part or os.sep in part or bool(os.path.splitdrive(part)[0])
        if not part or part.startswith(".") or bad:
            raise ProblemError(404, f"This server shows no file {path[:200]!r}.")
    return Path(root, *parts)


def path_of(file: str | os.PathLike[str] | None, root: str | None) -> str | None:
    """Return the path of a file; None if the server does not show it."""
    if file is None or root is None:
        return None
    # Runs record their notebook with links resolved.
    for base in (Path(root), Path(os.path.realpath(root))):
        try:
            below = Path(file).relative_to(base)
        except ValueError:
            continue
        hidden = any(part.startswith(".") for part in below.parts)
        return None if hidden else below.as_posix()
    return None
