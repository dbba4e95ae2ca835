"""Codecs for types that pickle badly, found without importing anything for the others.

A codec replaces the pickling of certain types, also inside containers. Codecs of other packages
are entry points of the group ``kfnb.codecs``, with the name of the top-level package whose types
they handle. Entry points are read when a type of an unknown package occurs for the first time.
"""

from __future__ import annotations

import sys
from typing import Any, Protocol

OURS = {"polars": "kfnb.step.values.polars_codec"}
# Packages whose pickles are correct and out of band already, so they need no codec.
PLAIN = frozenset(
    {"__main__", "numpy", "pandas", "sklearn", "scipy", "pyarrow", "xgboost", "torch"}
)


class Codec(Protocol):
    """What an entry point of ``kfnb.codecs`` loads."""

    def reduce(self, value: Any) -> Any:
        """Return what ``__reduce__`` may return; None if the value is to be pickled as usual."""


_codecs: dict[str, Codec | None] = {}
_others: dict[str, Any] | None = None


def codec_of(kind: type) -> Codec | None:
    """Return the codec of a type's package, or None."""
    package = kind.__module__.partition(".")[0]
    if package in PLAIN:
        return None
    if package not in _codecs:
        _codecs[package] = _find(package)
    return _codecs[package]


def _find(package: str) -> Codec | None:
    global _others  # noqa: PLW0603 (read once for the process)
    if package in sys.stdlib_module_names:
        return None
    if package in OURS:
        codec: Codec = __import__(OURS[package], fromlist=["CODEC"]).CODEC
        return codec
    if _others is None:
        from importlib.metadata import entry_points

        _others = {point.name: point for point in entry_points(group="kfnb.codecs")}
    point = _others.get(package)
    loaded: Codec | None = point.load() if point is not None else None
    return loaded
