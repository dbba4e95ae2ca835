"""Removes colours from text that goes to a pipe or a file."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_INCOMPLETE = re.compile(r"\x1b(\[[0-9;:]*)?\Z")


def writer() -> Callable[[str], object]:
    """Return a function that writes to stdout, without colours if that is a pipe or a file.

    ``FORCE_COLOR`` keeps the colours (https://force-color.org).
    """
    out = sys.stdout
    # The stream of a notebook is not a TextIOWrapper; it is not a terminal but shows colours.
    plain = isinstance(out, io.TextIOWrapper) and not out.isatty()
    if not plain or os.environ.get("FORCE_COLOR"):
        return out.write
    return ColourFilter(out.write).write


class ColourFilter:
    """Passes text on without colour sequences, even if a sequence is split between two pieces."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._pending = ""

    def write(self, text: str) -> None:
        """Write a piece; an incomplete sequence at its end waits for the next piece."""
        text = _COLOUR.sub("", self._pending + text)
        incomplete = _INCOMPLETE.search(text)
        self._pending = incomplete.group() if incomplete else ""
        self._write(text.removesuffix(self._pending) if self._pending else text)
