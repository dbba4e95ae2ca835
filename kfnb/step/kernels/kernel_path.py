"""Make kfnb importable in a kernel of another environment: a folder with links to packages."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

NEEDED = ("kfnb", "cloudpickle")


def needs_path(argv: list[str]) -> bool:
    """Whether a kernelspec's interpreter is another than this process's."""
    if not argv:
        return True
    if Path(argv[0]).name == argv[0]:  # jupyter_client replaces "python" with this interpreter.
        return not argv[0].startswith("python")
    return os.path.normcase(Path(argv[0]).absolute()) != os.path.normcase(sys.executable)


def make_path(folder: Path) -> Path:
    """Fill ``folder`` with links to the packages in :data:`NEEDED`, and nothing else.

    Copies where the system has no links.
    """
    folder.mkdir(exist_ok=True)
    for name in NEEDED:
        spec = importlib.util.find_spec(name)
        locations = list(spec.submodule_search_locations or ()) if spec else []
        target = folder / name
        if not locations or target.exists():
            continue
        try:
            target.symlink_to(locations[0], target_is_directory=True)
        except (OSError, NotImplementedError):
            shutil.copytree(locations[0], target, ignore=shutil.ignore_patterns("__pycache__"))
    return folder
