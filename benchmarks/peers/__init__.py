"""The peers: pinned environments of their own, and the programs that are run in them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# One line each, so that a figure can be made again with what it was made with.
PINS = {
    "papermill": ["papermill==2.7.0", "ipykernel==7.4.0"],
    "kfp": ["kfp==2.17.0"],
    "ploomber": ["ploomber==0.23.3", "ipykernel==7.4.0"],
    "kale": ["kubeflow-kale==2.3.0"],
}


def python(peer: str) -> Path:
    """Return the Python of the peer's environment, made on first use in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "kfnb-dev" / "peers"
    key = hashlib.sha256(repr((sys.version, PINS[peer])).encode()).hexdigest()[:12]
    folder = cache / f"{peer}-{key}"
    interpreter = folder / "bin" / "python"
    if not (folder / "ready").exists():
        print(f"making the environment of {peer} ({', '.join(PINS[peer])})", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(interpreter), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *PINS[peer]], check=True)
        (folder / "ready").touch()
    return interpreter


def program(name: str) -> Path:
    """Return the path of a program that is executed in a peer's environment."""
    return HERE / f"{name}.py"
