"""Numbers of objects that stay the same when a notebook is read again."""

from __future__ import annotations

import ast
from itertools import count


class Numbering:
    """Gives each place in the source that makes an object its number.

    ``trees`` keeps the syntax trees alive whose nodes have numbers. A node of a new version of a
    cell can get the numbers of the node that it replaces.
    """

    def __init__(self) -> None:
        self.trees: list[object] = []
        self._numbers: dict[tuple[int | str, str], int] = {}
        self._replaced: dict[int, int] = {}
        self._next = count()

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, location: object, kind: str = "") -> int:
        """Give the number of what a syntax node, or something with a name, makes."""
        key = (location if location.__class__ is str else id(location), kind)
        number = self._numbers.get(key)
        if number is None:
            replaced = self._replaced.get(key[0]) if isinstance(key[0], int) else None
            number = next(self._next) if replaced is None else self.number_of(replaced, kind)
            self._numbers[key] = number
        return number

    def number_of(self, identity: int, kind: str) -> int:
        """Give the number of the node with this identity."""
        number = self._numbers.get((identity, kind))
        if number is None:
            number = self._numbers[identity, kind] = next(self._next)
        return number

    def replace(self, old: ast.AST, new: ast.AST) -> None:
        """Give ``new`` the numbers of ``old``, which is not executed any more."""
        self._replaced[id(new)] = self._replaced.get(id(old), id(old))
