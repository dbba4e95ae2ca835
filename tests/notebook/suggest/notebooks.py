"""Untagged notebooks of the kinds that people write, each a text file with cells after ``# %%``."""

from __future__ import annotations

import json
from pathlib import Path

from kfnb.notebook.document import Document, parse

FOLDER = Path(__file__).parent / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))


def content(name: str) -> dict:
    """Return a notebook as its file would have it."""
    cells = []
    for number, part in enumerate((FOLDER / f"{name}.txt").read_text().split("# %%")[1:]):
        head, _, body = part.partition("\n")
        source = body.strip("\n")
        note = "[markdown]" in head
        if note:
            source = "\n".join(
                line.removeprefix("#").removeprefix(" ") for line in source.split("\n")
            )
        cells.append(
            {
                "cell_type": "markdown" if note else "code",
                "id": f"cell-{number}",
                "metadata": {},
                "source": source,
            }
            | ({} if note else {"execution_count": None, "outputs": []})
        )
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def document(name: str) -> Document:
    return parse(json.dumps(content(name)).encode(), path=Path(f"{name}.ipynb"))


def made(*cells: str | tuple[str, dict]) -> Document:
    """Make an untagged notebook; a cell that begins with ``##`` or ``# `` and a capital is a heading."""
    listed = []
    for number, given in enumerate(cells):
        source, metadata = (given, {}) if isinstance(given, str) else given
        note = source.startswith(("# ", "## ", "### "))
        listed.append(
            {
                "cell_type": "markdown" if note else "code",
                "id": f"cell-{number}",
                "metadata": metadata,
                "source": source,
            }
            | ({} if note else {"execution_count": None, "outputs": []})
        )
    book = {"cells": listed, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return parse(json.dumps(book).encode(), path=Path("notebook.ipynb"))
