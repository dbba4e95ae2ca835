"""Files into which kfnb's own output is redirected: no files of the notebook.

``kfnb run nb.ipynb > log.txt`` makes a file in the notebook's folder that grows while the
steps execute. The process that starts a driver puts such files into an environment variable,
which the steps inherit.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "KFNB_OWN_OUTPUT"

FileId = tuple[int, int]
"""Device and inode, which identify a file under any path."""


def described(descriptors: Iterable[int] = (1, 2)) -> str:
    """Return the regular files among this process's outputs as :data:`VARIABLE` has them."""
    files: dict[str, None] = {}
    for descriptor in descriptors:
        try:
            status = os.fstat(descriptor)
        except OSError:  # Closed, as in the process of a service.
            continue
        if stat.S_ISREG(status.st_mode):
            files[f"{status.st_dev}:{status.st_ino}"] = None
    return ",".join(files)


def own_output() -> frozenset[FileId]:
    """Return the files that the launching process has put into :data:`VARIABLE`."""
    pairs = re.findall(r"(\d+):(\d+)", os.environ.get(VARIABLE, ""))
    return frozenset((int(device), int(inode)) for device, inode in pairs)


def is_own_output(path: str | os.PathLike[str]) -> bool:
    """Whether ``path`` is one of these files."""
    own = own_output()
    if not own:
        return False
    try:
        return is_in(Path(path).stat(), own)
    except OSError:
        return False


def is_in(status: os.stat_result, own: frozenset[FileId]) -> bool:
    """Whether a file's status is that of one of ``own``."""
    return (status.st_dev, status.st_ino) in own
