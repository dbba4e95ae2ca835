"""The corpus of traps: small notebooks in a compact text form, many to a file.

``=== name: what is odd about it`` begins a notebook, ``--- tags`` a code cell
(``--- markdown`` a note). Between the heading and the first cell may stand

* ``expect: CODE``: ``check`` refuses it with this diagnostic, and no run starts;
* ``run: CODE or class``: the run fails, and says so;
* ``may: CODE``: the run may fail and say so, where the order of two steps is left to chance;
* ``open: what``: a defect that is known; the test fails when it is mended;
* ``allow: CODE``: outputs may differ or the run may fail, as this warning of reading says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Trap:
    name: str
    about: str
    cells: tuple[tuple[tuple[str, ...], str], ...]
    options: dict[str, str] = field(default_factory=dict)

    @property
    def expect(self) -> str | None:
        return self.options.get("expect")

    @property
    def allow(self) -> str | None:
        return self.options.get("allow")

    @property
    def may(self) -> str | None:
        return self.options.get("may")

    @property
    def run(self) -> str | None:
        return self.options.get("run")

    def notebook(self) -> dict[str, Any]:
        return notebook(self.cells)


def notebook(cells: tuple[tuple[tuple[str, ...], str], ...]) -> dict[str, Any]:
    made: list[dict[str, Any]] = []
    for number, (tags, source) in enumerate(cells):
        note = tags == ("markdown",)
        cell: dict[str, Any] = {
            "cell_type": "markdown" if note else "code",
            "id": f"cell-{number}",
            "metadata": {} if note or not tags else {"tags": list(tags)},
            "source": source,
        }
        if not note:
            cell |= {"execution_count": None, "outputs": []}
        made.append(cell)
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def traps() -> list[Trap]:
    found = [trap for path in sorted(FOLDER.glob("*.nbs")) for trap in read(path.read_text())]
    names = [trap.name for trap in found]
    assert len(names) == len(set(names)), "two traps of one name"
    return found


def read(text: str) -> Iterator[Trap]:
    for block in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        heading, _, rest = block.partition("\n")
        name, _, about = heading.partition(": ")
        before, *cells = re.split(r"^---(?: |$)", rest, flags=re.MULTILINE)
        options = dict(line.split(": ", 1) for line in before.splitlines() if line)
        made = []
        for cell in cells:
            tags, _, source = cell.partition("\n")
            made.append((_tags(tags), source.strip("\n")))
        yield Trap(name, about, tuple(made), options)


def _tags(line: str) -> tuple[str, ...]:
    """Tags are separated by spaces; a step's name may hold some."""
    found: list[str] = []
    for word in line.split():
        if found and ":" not in word and found[-1].startswith("step:"):
            found[-1] += " " + word
        else:
            found.append(word)
    return tuple(found)
