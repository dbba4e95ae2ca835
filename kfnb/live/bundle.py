"""The files that the browser executes, built from ``labextension/`` when kfnb was installed."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent.with_name("widgets") / "static"
_NOT_BUILT = (
    "The live views were not built when kfnb was installed from its sources. Install node 20 or "
    "newer and kfnb again, or a released wheel."
)


@cache
def loader() -> str:
    """Return the few lines that each view carries: they fetch the engine from the kernel."""
    return (STATIC / "loader.js").read_text("utf-8")


@cache
def engine() -> bytes:
    """Return what draws the views: about a megabyte, sent once to each page."""
    return (STATIC / "engine.js").read_bytes()


@cache
def engine_hash() -> str:
    """Return what names the engine; empty if it was not built."""
    if missing() is not None:
        return ""
    return hashlib.sha256(engine()).hexdigest()[:16]


@cache
def missing() -> str | None:
    """Say why there is no live view; None if there is one."""
    try:
        loader()
        engine()
    except OSError:
        try:
            return (STATIC / "missing.txt").read_text("utf-8").strip() or _NOT_BUILT
        except OSError:
            return _NOT_BUILT
    return None
