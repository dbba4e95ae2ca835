"""Names that ``%pipeline load`` and ``%pipeline debug`` bind in a live kernel."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from kfnb.notebook.authoring.magic import split_words
from kfnb.pipeline import Cell

_LINE = re.compile(r"[^\S\n]*%pipeline[^\S\n]+(load|debug)\b([^\n]*)")
_TAKES = frozenset(("--run", "--notebook"))


def loading_command(
    name: str, cells: Iterable[Cell], names_of: Callable[[str, str], Collection[str]]
) -> tuple[int, str] | None:
    """Find the last cell that loads a name into a live kernel, and the command that it uses.

    Parameters
    ----------
    names_of
        Returns, for a command and a step, the names that the command binds if it names none.
    """
    command = None
    for cell in cells:
        for match in _LINE.finditer(cell.source) if cell.type == "code" else ():
            if name in _names(match[1], split_words(match[2]), names_of):
                command = cell.index, f"%pipeline {match[1]}"
    return command


def _names(
    command: str, words: list[str], names_of: Callable[[str, str], Collection[str]]
) -> Collection[str]:
    target: list[str] = []
    while words:
        word = words.pop(0)
        flag, equals, value = word.partition("=")
        if flag == "--as":
            return {value if equals else words[0] if words else ""}
        if flag in _TAKES and not equals:
            # The flag's value is not a part of the step's name.
            words[:1] = []
        elif not word.startswith("-"):
            target.append(word)
    text = " ".join(target)
    # A step's name may contain dots, a variable's name does not.
    last = {text.rpartition(".")[2]} if command == "load" else set()
    return {*last, *names_of(command, text)}
