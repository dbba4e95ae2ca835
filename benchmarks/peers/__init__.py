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
# What the user interfaces of peers lay their graphs out with, from the npm registry.
DAGRE = "@dagrejs/dagre@1.1.8"


def python(peer: str) -> Path:
    """Return the Python of the peer's environment, made on first use in the user's cache."""
    key = hashlib.sha256(repr((sys.version, PINS[peer])).encode()).hexdigest()[:12]
    folder = _cache() / f"{peer}-{key}"
    interpreter = folder / "bin" / "python"
    if not (folder / "ready").exists():
        print(f"making the environment of {peer} ({', '.join(PINS[peer])})", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(interpreter), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *PINS[peer]], check=True)
        (folder / "ready").touch()
    return interpreter


def dagre() -> str:
    """Return dagre's script for a page, fetched on first use."""
    folder = _cache() / DAGRE.rpartition("/")[2]
    script = folder / "node_modules" / "@dagrejs" / "dagre" / "dist" / "dagre.min.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run([*npm, "--prefix", str(folder), DAGRE], check=True)
    return script.read_text()


def _cache() -> Path:
    top = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return top / "kfnb-dev" / "peers"


def program(name: str) -> Path:
    """Return the path of a program that is executed in a peer's environment."""
    return HERE / f"{name}.py"
