"""Folders and variables that a step needs in a container, and its count of memory kills."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = "/kfnb"
"""The only folder that a pod writes to, unless ``KFNB_POD_ROOT`` names another."""

SITE = "site-packages"
"""The folder below it for packages that the notebook installs, with the usual name."""

MASKED = "KFNB_MASKED_PARAMETERS"
"""The variable with the run's masked parameters, which a Secret sets."""

_FOLDERS = {
    "HOME": "user",
    "TMPDIR": "tmp",
    "IPYTHONDIR": "user/.ipython",
    "JUPYTER_CONFIG_DIR": "user/.jupyter",
    "JUPYTER_DATA_DIR": "user/.local/share/jupyter",
    "JUPYTER_RUNTIME_DIR": "user/.local/share/jupyter/runtime",
    "MPLCONFIGDIR": "user/.config/matplotlib",
    "XDG_CACHE_HOME": "user/.cache",
    "XDG_CONFIG_HOME": "user/.config",
    "XDG_DATA_HOME": "user/.local/share",
    "XDG_STATE_HOME": "user/.local/state",
    "XDG_RUNTIME_DIR": "tmp/runtime",
    "KFNB_HOME": "home",
}


def pod_root() -> Path:
    """Return the folder to which a step in a pod writes."""
    return Path(os.environ.get("KFNB_POD_ROOT") or ROOT)


def make_home(root: Path) -> dict[str, str]:
    """Make the folders to which programs write, below ``root``; the variables that name them.

    The container's own file system may be read-only, and its user may have no name and no home.
    """
    environment = {name: str(root / folder) for name, folder in _FOLDERS.items()}
    site = root / SITE
    for folder in (*map(Path, environment.values()), site):
        folder.mkdir(parents=True, exist_ok=True)
    # The XDG specification demands that only its owner can enter this folder.
    Path(environment["XDG_RUNTIME_DIR"]).chmod(0o700)
    path = os.environ.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([str(site), *([path] if path else [])])
    # pip may install here by itself; Python only looks in it if it exists when Python starts.
    own = f"user/.local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    (root / own).mkdir(parents=True, exist_ok=True)
    # getpass.getuser() fails for a user id without a name unless one of these variables is set.
    name = os.environ.get("USER") or os.environ.get("LOGNAME") or "kfnb"
    environment["USER"] = environment["LOGNAME"] = name
    return environment


def memory_kills(group: Path = Path("/sys/fs/cgroup")) -> int:
    """Return how many processes of this container were killed because it ran out of memory."""
    # The first file is that of cgroup v2, the second that of v1.
    for path, word in (
        (group / "memory.events", "oom_kill"),
        (group / "memory" / "memory.oom_control", "oom_kill"),
    ):
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, number = line.partition(" ")
            if name == word and number.strip().isdecimal():
                return int(number)
    return 0
