"""Names that ``%pipeline load`` and ``%pipeline debug`` bring into a live kernel."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from kfnb.notebook.authoring.magic import split_words
from kfnb.pipeline import Cell

_LINE = re.compile(r"[^\S\n]*%pipeline[^\S\n]+(load|debug)\b([^\n]*)")
_TAKES = frozenset(("--run", "--notebook"))


def bringing(
    name: str, cells: Iterable[Cell], names_of: Callable[[str, str], Collection[str]]
) -> tuple[int, str] | None:
    """Find the last of some cells that brings a name, and with which command.

    Parameters
    ----------
    names_of
        Gives, for a command and a step, the names that the command brings if none is said.
    """
    found = None
    for cell in cells:
        for match in _LINE.finditer(cell.source) if cell.type == "code" else ():
            if name in _names(match[1], split_words(match[2]), names_of):
                found = cell.index, f"%pipeline {match[1]}"
    return found


def _names(
    command: str, words: list[str], names_of: Callable[[str, str], Collection[str]]
) -> Collection[str]:
    said: list[str] = []
    while words:
        word = words.pop(0)
        flag, equals, value = word.partition("=")
        if flag == "--as":
            return {value if equals else words[0] if words else ""}
        if flag in _TAKES and not equals:
            words[:1] = []
        elif not word.startswith("-"):
            said.append(word)
    text = " ".join(said)
    # The names of steps may have dots too; those of variables have none.
    last = {text.rpartition(".")[2]} if command == "load" else set()
    return {*last, *names_of(command, text)}
