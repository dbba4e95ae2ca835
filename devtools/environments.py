"""Virtual environments for development, kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
UNUSED_FOR = 14 * 86400
"""Seconds after which an environment that nobody used is removed."""

_output: ContextVar[IO[bytes] | None] = ContextVar("output", default=None)
making = threading.RLock()
"""Held while something is made that several parts of the tests use; two may run side by side."""


def cache_folder() -> Path:
    """Return the folder of the environments.

    It is ``KFNB_DEV_CACHE`` where that is set, otherwise ``kfnb-dev`` in the user's cache.
    """
    chosen = os.environ.get("KFNB_DEV_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "kfnb-dev"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "kfnb-dev"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "kfnb-dev"


def environment(name: str, extras: str, *, lowest: bool = False) -> Path:
    """Return the Python of a virtual environment with this checkout; make it if needed.

    The checkout is installed in editable form, so an environment depends on
    ``pyproject.toml``, the interpreter and the path of the checkout, and on nothing else.

    Parameters
    ----------
    name
        The beginning of the folder's name.
    extras
        The extras of kfnb to install, separated by commas.
    lowest
        Install the lowest versions that ``pyproject.toml`` allows.
    """
    with making:
        return _environment(name, extras, lowest=lowest)


def _environment(name: str, extras: str, *, lowest: bool) -> Path:
    key = hashlib.sha256()
    for part in (sys.version, sys.prefix, str(ROOT), extras, str(lowest)):
        key.update(part.encode() + b"\0")
    key.update((ROOT / "pyproject.toml").read_bytes())
    folder = cache_folder() / f"{name}-{key.hexdigest()[:16]}"
    binaries = folder / ("Scripts" if os.name == "nt" else "bin")
    python = binaries / ("python.exe" if os.name == "nt" else "python")
    if (folder / "ready").exists():
        (folder / "ready").touch()
        return python
    log(f"making an environment with kfnb[{extras}] (once)")
    _remove_unused(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        run([sys.executable, "-m", "venv", str(folder)], quiet=True)
    except subprocess.CalledProcessError:
        raise SystemExit(
            "dev.py: this Python cannot make virtual environments; on Debian and Ubuntu: "
            "apt-get install python3-venv"
        ) from None
    wanted = ["-e", f"{ROOT}[{extras}]"]
    if lowest:
        bounds = folder / "lowest.txt"
        bounds.write_text(lower_bounds())
        wanted += ["--constraint", str(bounds)]
    _install(python, wanted)
    (folder / "ready").touch()
    return python


def _install(python: Path, wanted: Sequence[str]) -> None:
    """Install with uv, which needs a tenth of pip's time, or with pip if uv cannot."""
    pip = [str(python), "-m", "pip", "install", "-q"]
    uv = [str(python.with_name("uv")), "pip", "install", "-q", "--python", str(python)]
    try:
        run([*pip, "uv"])
        run([*uv, "--compile-bytecode", *wanted])
    except (OSError, subprocess.CalledProcessError):
        log("uv did not install it, so pip does")
        run([*pip, *wanted])


def _remove_unused(name: str) -> None:
    """Remove environments of this name that are incomplete or that nobody has used for long."""
    for folder in cache_folder().glob(f"{name}-*"):
        ready = folder / "ready"
        if not ready.exists() or time.time() - ready.stat().st_mtime > UNUSED_FOR:
            shutil.rmtree(folder, ignore_errors=True)


def lower_bounds() -> str:
    """Return the lowest versions that ``pyproject.toml`` allows, as constraints for pip."""
    listed = re.findall(r'"([\w.-]+)>=([\w.]+)[",;]', (ROOT / "pyproject.toml").read_text())
    return "".join(f"{name}=={version}\n" for name, version in listed if name != "hatchling")


# The tests start thousands of processes, each of which would compile kfnb again if none may write
# what it compiled.
_SETTINGS = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONDONTWRITEBYTECODE": ""}


def log(text: str) -> None:
    """Print a line of ``dev.py`` itself."""
    line = f"dev.py: {text}" if text else ""
    output = _output.get()
    if output is None:
        print(line, file=sys.stderr, flush=True)
    else:
        output.write(f"{line}\n".encode())
        output.flush()


@contextmanager
def written_to(output: IO[bytes]) -> Iterator[None]:
    """Write what this thread logs and what its commands print to a file."""
    token = _output.set(output)
    try:
        yield
    finally:
        _output.reset(token)


def run(command: Sequence[str], *, quiet: bool = False, cwd: Path = ROOT, **env: str) -> None:
    """Run a command; raises `subprocess.CalledProcessError` if it fails."""
    output = _output.get()
    subprocess.run(
        command,
        check=True,
        cwd=cwd,
        env={**os.environ, **_SETTINGS, **env},
        stdin=None if output is None else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if quiet else output,
        stderr=output,
    )
