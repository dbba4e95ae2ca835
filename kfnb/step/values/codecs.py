"""Codecs for types that pickle badly, found without importing anything for the others.

A codec stands in for the pickling of certain types wherever they are met, also
inside containers. Those of other packages register in the entry point group
``kfnb.codecs``; the entry points are read when a type of a package that is not known
here is met for the first time.
"""

from __future__ import annotations

import sys
from typing import Any, Protocol

OURS = {"polars": "kfnb.step.values.polars_codec"}
# Packages whose pickles are right and out of band already: not worth a look.
PLAIN = frozenset(
    {"__main__", "numpy", "pandas", "sklearn", "scipy", "pyarrow", "xgboost", "torch"}
)


class Codec(Protocol):
    """What an entry point of ``kfnb.codecs`` loads."""

    module: str
    """Top-level package of the types that it knows."""

    def reduce(self, value: Any) -> Any:
        """Give what ``__reduce__`` may give, or None: pickle it as usual."""


_codecs: dict[str, Codec | None] = {}
_others: dict[str, Any] | None = None


def reduce_by_codec(value: Any) -> Any:
    """Reduce a value by the codec of its package; None where there is none."""
    package = type(value).__module__.partition(".")[0]
    if package in PLAIN:
        return None
    if package not in _codecs:
        _codecs[package] = _find(package)
    codec = _codecs[package]
    return codec.reduce(value) if codec is not None else None


def _find(package: str) -> Codec | None:
    global _others  # noqa: PLW0603 (read once for the process)
    if package in sys.stdlib_module_names:
        return None
    if package in OURS:
        codec: Codec = __import__(OURS[package], fromlist=["CODEC"]).CODEC
        return codec
    if _others is None:
        from importlib.metadata import entry_points

        _others = {}
        for point in entry_points(group="kfnb.codecs"):
            if point.name not in OURS:
                loaded = point.load()
                _others[loaded.module] = loaded
    return _others.get(package)
