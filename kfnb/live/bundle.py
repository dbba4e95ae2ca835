"""The files that the browser executes, built from ``labextension/`` when kfnb is installed."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent.with_name("widgets") / "static"
_NOT_BUILT = (
    "kfnb was installed from its sources without node, so it has no live views. Install node 20 "
    "or newer and install kfnb again, or install a released wheel."
)


@cache
def loader() -> str:
    """Return the small script that each view carries; it fetches the engine from the kernel."""
    return (STATIC / "loader.js").read_text("utf-8")


@cache
def engine() -> bytes:
    """Return the script that draws the views, sent once to each page."""
    return (STATIC / "engine.js").read_bytes()


@cache
def layout() -> bytes:
    """Return the script that lays graphs out: large, sent to a page that draws a graph."""
    return (STATIC / "layout.js").read_bytes()


@cache
def engine_hash() -> str:
    """Return the name under which pages cache the scripts; empty if they were not built."""
    if build_problem() is not None:
        return ""
    return hashlib.sha256(engine() + layout()).hexdigest()[:16]


@cache
def build_problem() -> str | None:
    """Return why there are no live views, in a sentence; None if there are."""
    try:
        loader()
        engine()
        layout()
    except OSError:
        try:
            return (STATIC / "missing.txt").read_text("utf-8").strip() or _NOT_BUILT
        except OSError:
            return _NOT_BUILT
    return None
