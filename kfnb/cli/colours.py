"""Text with colours, for whoever can show them: terminals and notebooks, not pipes and files."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_BEGUN = re.compile(r"\x1b(\[[0-9;:]*)?\Z")


def writer() -> Callable[[str], object]:
    """Return what writes to stdout: without colours where that is a pipe or a file.

    ``FORCE_COLOR`` keeps them, as it does elsewhere.
    """
    out = sys.stdout
    # A notebook's stream is no terminal either, and shows colours.
    plain = isinstance(out, io.TextIOWrapper) and not out.isatty()
    if not plain or os.environ.get("FORCE_COLOR"):
        return out.write
    return Colourless(out.write).write


class Colourless:
    """Passes text on without the sequences that colour it, however it is cut into pieces."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._kept = ""

    def write(self, text: str) -> None:
        """Write a piece; the beginning of a sequence at its end waits for the next one."""
        text = _COLOUR.sub("", self._kept + text)
        begun = _BEGUN.search(text)
        self._kept = begun.group() if begun else ""
        self._write(text.removesuffix(self._kept) if self._kept else text)
