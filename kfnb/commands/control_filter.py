"""Removes from printed logs what would act on a terminal, and colours where there is none."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
# ECMA-48, 8.3: a control string begins with one of these and ends with ST; xterm also takes BEL.
_CONTROL_STRING = re.compile(
    "(?:\x1b[\\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)"
)
_INCOMPLETE = re.compile(
    "(?:\x1b[\\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*\x1b?\\Z|\x1b(?:\\[[0-9;:]*)?\\Z"
)
_SINGLE_CONTROLS = re.compile("[\x07\x90\x98\x9d\x9e\x9f]|\x1b[\\]PX^_]")
_LONGEST = 65_536
"""Characters of a control string without an end; a longer one is printed as text."""


def writer(*, raw: bool = False) -> Callable[[str], object]:
    """Return a function that writes to stdout.

    A terminal gets no control strings (which set its title or clipboard, or do worse) and no bells;
    a pipe or a file gets no colours either, unless ``FORCE_COLOR`` is set (https://force-color.org).

    Parameters
    ----------
    raw
        Write everything as it is.
    """
    out = sys.stdout
    # The stream of a notebook is not a TextIOWrapper; it is not a terminal but shows colours.
    if raw or not isinstance(out, io.TextIOWrapper):
        return out.write
    colours = out.isatty() or bool(os.environ.get("FORCE_COLOR"))
    return ControlFilter(out.write, colours=colours).write


class ControlFilter:
    """Passes text on without control strings and bells, even if one is split between two pieces."""

    def __init__(self, write: Callable[[str], object], *, colours: bool) -> None:
        self._write = write
        self._colours = colours
        self._pending = ""

    def write(self, text: str) -> None:
        """Write a piece; an incomplete sequence at its end waits for the next piece."""
        text = _CONTROL_STRING.sub("", self._pending + text)
        if not self._colours:
            text = _COLOUR.sub("", text)
        incomplete = _INCOMPLETE.search(text)
        self._pending = incomplete.group() if incomplete else ""
        text = text.removesuffix(self._pending) if self._pending else text
        if len(self._pending) > _LONGEST:
            text, self._pending = text + self._pending, ""
        self._write(_SINGLE_CONTROLS.sub("", text))
