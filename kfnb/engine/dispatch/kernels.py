"""Kernels by name: whether one is installed, which interpreter it starts, what is installed there.

Looked up in the folders that Jupyter documents, without importing Jupyter: this
stands in the way of every run.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kfnb.errors import UsageError

_NATIVE = re.compile(r"python(3(\.\d+)?)?(\.exe)?")
_METADATA = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(-py[\d.]+)?\.(dist|egg)-info")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The program that a kernel starts, with what tells it from another version of itself."""

    path: str
    version: str
    prefix: str = ""

    def plain(self) -> dict[str, str]:
        """Return the part of a cache key."""
        return {"path": self.path, "version": self.version}


def require_kernel(name: str) -> None:
    """Refuse a kernel that is not installed.

    Raises
    ------
    UsageError
        With the names of those that are.
    """
    if (missing := missing_kernel(name)) is not None:
        what, remedy = missing
        raise UsageError(f"{what[:1].upper()}{what[1:]}. {remedy}")


def missing_kernel(name: str) -> tuple[str, str] | None:
    """Say that a kernel is not installed, and what to do; None if it is."""
    if find_kernel(name) is not None:
        return None
    try:  # other providers of kernelspecs are known only to Jupyter
        from jupyter_client.kernelspec import KernelSpecManager

        known = KernelSpecManager().find_kernel_specs()
    except Exception:  # a broken Jupyter installation must not hide the sentence below
        known = dict.fromkeys(installed_kernels(), "")
    if name in known:
        return None
    names = ", ".join(f'"{k}"' for k in sorted(known)) or "none"
    return (
        f'the notebook asks for the kernel "{name}", which is not installed (installed: {names})',
        "Install it, or choose another kernel in the notebook and save it.",
    )


def find_kernel(name: str) -> Path | None:
    """Find the folder of a kernel's ``kernel.json``, or None."""
    # The name comes from the notebook, and must not lead out of Jupyter's folders.
    if not name or "/" in name or "\\" in name:
        return None
    for folder in _kernel_folders():
        # Jupyter compares names of kernels without regard to case.
        for candidate in (name, name.lower()):
            if (folder / candidate / "kernel.json").is_file():
                return folder / candidate
    if name == "python3" and _ipykernel_here():
        return Path(sys.prefix)
    return None


def installed_kernels() -> list[str]:
    """Names of the kernels in Jupyter's folders."""
    names = {p.parent.name for f in _kernel_folders() for p in f.glob("*/kernel.json")}
    if _ipykernel_here():
        names.add("python3")
    return sorted(names)


@cache
def interpreter(name: str) -> Interpreter:
    """Tell which program the kernel ``name`` starts, without starting it."""
    folder = find_kernel(name)
    argv: list[Any] = []
    if folder is not None and (folder / "kernel.json").is_file():
        try:
            argv = json.loads((folder / "kernel.json").read_text("utf-8")).get("argv") or []
        except (OSError, ValueError, AttributeError):
            argv = []
    program = str(argv[0]) if argv else sys.executable
    if _NATIVE.fullmatch(program):  # jupyter_client starts its own interpreter for these
        program = sys.executable
    path = Path(program)
    real = path.resolve()
    try:
        found_stat = real.stat()
        build = f"{found_stat.st_size:x}.{found_stat.st_mtime_ns:x}"
    except OSError:
        build = "missing"
    prefix = path.parent.parent
    return Interpreter(
        path=str(real), version=f"{_version(path, prefix)} ({build})", prefix=str(prefix)
    )


def packages(name: str) -> dict[str, str]:
    """Versions of what is installed where the kernel ``name`` imports from, by normalised name."""
    versions: dict[str, str] = {}
    for folder in _import_folders(interpreter(name)):
        try:
            stamp = folder.stat().st_mtime_ns
        except OSError:
            continue
        for dist, version in _listed(str(folder), stamp).items():
            # Python imports a package from the first folder that has it.
            versions.setdefault(dist, version)
    return versions


def normalise(dist: str) -> str:
    """Normalise a distribution's name as the packaging standards do."""
    return re.sub(r"[-_.]+", "-", dist).lower()


# Installing a package changes its folder's time, which is the stamp, and so makes a new entry.
@cache
def _listed(folder: str, _stamp: int) -> dict[str, str]:
    versions = {}
    for entry in os.scandir(folder):
        match = _METADATA.fullmatch(entry.name)
        if match:
            versions[normalise(match["name"])] = match["version"]
    return versions


@cache
def _import_folders(python: Interpreter) -> list[Path]:
    prefix = Path(python.prefix)
    if prefix.resolve() == Path(sys.prefix).resolve():
        return [Path(p) for p in sys.path if p and Path(p).is_dir()]
    # dist-packages is Debian's folder, local/ is where its pip installs, Lib is that of Windows.
    patterns = (
        "lib/python3*/site-packages",
        "lib/python3*/dist-packages",
        "local/lib/python3*/dist-packages",
        "Lib/site-packages",
    )
    return [folder for pattern in patterns for folder in sorted(prefix.glob(pattern))]


def _version(program: Path, prefix: Path) -> str:
    if prefix.resolve() == Path(sys.prefix).resolve():
        return sys.version.split()[0]
    try:
        text = (prefix / "pyvenv.cfg").read_text("utf-8")
    except OSError:
        text = ""
    written = re.search(r"^version(?:_info)?\s*=\s*(\S+)", text, re.MULTILINE)
    if written:
        return written[1]
    named = re.search(r"python(3\.\d+)", program.resolve().name)
    return named[1] if named else program.name


def _kernel_folders() -> Iterator[Path]:
    """Folders of kernelspecs, in Jupyter's order (jupyter_core.paths, jupyter_path)."""
    tops = [Path(p) for p in os.environ.get("JUPYTER_PATH", "").split(os.pathsep) if p]
    data = os.environ.get("JUPYTER_DATA_DIR")
    if data:
        tops.append(Path(data))
    elif sys.platform == "darwin":
        tops.append(Path.home() / "Library" / "Jupyter")
    else:
        shared = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        tops.append(Path(shared) / "jupyter")
    tops.append(Path(sys.prefix) / "share" / "jupyter")
    tops += [Path("/usr/local/share/jupyter"), Path("/usr/share/jupyter")]
    for top in tops:
        yield top / "kernels"


def _ipykernel_here() -> bool:
    """Whether this interpreter has ipykernel: Jupyter then offers it as ``python3``."""
    from importlib.util import find_spec

    return find_spec("ipykernel") is not None
