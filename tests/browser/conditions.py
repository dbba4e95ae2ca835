"""What browser tests need from the machine, and what to say where it is not there."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = os.environ.get("KFNB_BROWSER") == "required"
"""Set by ``dev.py``: what is not there is a failure then, not a skip."""

ENGINE = ROOT / "kfnb" / "widgets" / "static" / "engine.js"
LAYOUT = ENGINE.with_name("layout.js")
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing gets to another machine. Routes would do that too, but switch the browser's cache off.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
_PACKAGES = ("playwright", "jupyterlab", "notebook", "nbconvert", "anywidget")
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def lacking(reason: str) -> None:
    """Skip the test, or fail it where the browser tests are required."""
    if REQUIRED:
        pytest.fail(f"KFNB_BROWSER=required, but {reason}", pytrace=False)
    pytest.skip(reason)


def need_packages() -> None:
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        lacking(f"{', '.join(missing)} not installed: pip install -e '.[browser]'")


def need_engine() -> None:
    if not ENGINE.is_file():
        lacking(f"{ENGINE.relative_to(ROOT)} is not built: python3 dev.py test --only web")


def chromium_program() -> str:
    """Find Chromium: ``CHROMIUM``, or on ``PATH``."""
    said = os.environ.get("CHROMIUM")
    found = said or next((p for p in map(shutil.which, _PROGRAMS) if p), None)
    if found is None or not Path(found).exists():
        lacking(
            f"CHROMIUM={said} is not there"
            if said
            else "Chromium is not on PATH (on Debian: apt-get install chromium); "
            "CHROMIUM=/path/to/it names another"
        )
    return str(found)
