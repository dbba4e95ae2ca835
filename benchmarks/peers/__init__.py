"""The other tools: a pinned environment for each, and the programs to execute in it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Pinned, so that a figure can be measured again with the same versions.
PINS = {
    "papermill": ["papermill==2.7.0", "ipykernel==7.4.0"],
    "kfp": ["kfp==2.17.0"],
    "ploomber": ["ploomber==0.23.3", "ipykernel==7.4.0"],
    "kale": ["kubeflow-kale==2.3.0"],
}
# The layout library of the other tools' user interfaces.
DAGRE = "@dagrejs/dagre@1.1.8"


def python(peer: str) -> Path:
    """Return the Python of a tool's environment, which is created in your cache on first use."""
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
    """Return the path of dagre's script, which is downloaded on first use."""
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
