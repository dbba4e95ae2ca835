"""The demo as Binder builds and starts it, without a container.

What repo2docker does with ``binder/``: a fresh environment, ``requirements.txt``, ``postBuild`` in
the checkout, all as a user without rights; then ``start`` before the command of the server.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.browser.conditions import ROOT

NOBODY = 65534
"""The user and the group of the demo, where the tests are those of root."""


@dataclass(frozen=True)
class Image:
    """``checkout`` is the folder that the server shows, ``user`` the home of its user."""

    base: Path
    as_root: bool

    @property
    def user(self) -> Path:
        return self.base / "user"

    @property
    def checkout(self) -> Path:
        return self.user / "kfnb"

    @property
    def binaries(self) -> Path:
        return self.base / "environment" / "bin"

    def options(self) -> dict[str, Any]:
        """Return how a process of the demo is started."""
        # What the machine says about proxies and certificates is needed, and nothing of ours.
        other = ("KFNB", "JUPYTER", "IPYTHON", "PYTHON", "VIRTUAL_ENV", "XDG")
        theirs = {k: v for k, v in os.environ.items() if not k.startswith(other)}
        path = f"{self.binaries}:/usr/local/bin:/usr/bin:/bin"
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if self.as_root else {}
        environment = {**theirs, "PATH": path, "HOME": str(self.user), "LANG": "C.UTF-8"}
        return {"cwd": self.checkout, "env": environment, **who}

    def processes(self) -> Iterator[psutil.Process]:
        """Find the processes of the demo, those too that were detached: its home is theirs."""
        for process in psutil.process_iter():
            try:
                if process.environ().get("HOME") == str(self.user):
                    yield process
            except psutil.Error:  # it has ended, or is another user's
                continue

    def end_processes(self) -> None:
        """Kill what still runs, as the end of a container does."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()

    def run(self, *command: str) -> None:
        done = subprocess.run(
            command,
            **self.options(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout[-3000:]}{done.stderr[-3000:]}"


@contextmanager
def built() -> Iterator[Image]:
    """Build the demo from what git knows of this checkout."""
    base = Path(tempfile.mkdtemp(prefix="kfnb-demo-"))
    try:
        image = Image(base, hasattr(os, "getuid") and os.getuid() == 0)
        copy_checkout(image.checkout)
        if image.as_root:
            base.chmod(0o755)
            for path in (base, image.user, *image.user.rglob("*")):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        image.run(_python(image), "-m", "venv", str(base / "environment"))
        requirements = ["-r", "binder/requirements.txt"]
        image.run("python", "-m", "pip", "install", "-q", "--no-cache-dir", *requirements)
        image.run("binder/postBuild")
        image.end_processes()
        # On Binder these may be read-only for the person who follows the link.
        _permit(base / "environment", "a-w")
        yield image
    finally:
        Image(base, False).end_processes()
        _permit(base / "environment", "u+w")
        shutil.rmtree(base, ignore_errors=True)


def _permit(folder: Path, mode: str) -> None:
    """Change the rights of all files of a folder; root's files are nobody's to write."""
    if not folder.exists():
        return
    if hasattr(os, "getuid") and os.getuid() == 0:
        subprocess.run(["chown", "-R", "root", str(folder)], check=True)
    subprocess.run(["chmod", "-R", mode, str(folder)], check=True)


def copy_checkout(folder: Path) -> None:
    """Copy what git knows, without anything that was built here."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    for name in map(os.fsdecode, listed.split(b"\0")):
        if name and (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)


def _python(image: Image) -> str:
    """Return a Python that the user of the demo may execute."""
    candidates: Sequence[str] = (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3")
    for program in candidates:
        asked = [
            os.path.realpath(program),
            "-c",
            "import ensurepip, sys; assert sys.version_info >= (3, 10)",
        ]
        options = {**image.options(), "cwd": "/"}
        try:
            if subprocess.run(asked, **options, check=False).returncode == 0:
                return asked[0]
        except OSError:
            continue
    raise AssertionError(
        "The user of the demo has no Python (on Debian: apt-get install python3-venv)."
    )
