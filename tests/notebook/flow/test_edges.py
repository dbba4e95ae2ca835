"""Notebooks with all of their edges: steps that are independent, and steps that only look so.

``edges`` gives the edges as pairs of letters (``ab`` is a → b), ``hints`` the codes of the hints
that keep steps apart, and of warnings.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fidelity.corpus import Trap, read
from tests.notebook.build import pipeline

FOLDER = Path(__file__).parent / "edges"
NOTEBOOKS = [book for path in sorted(FOLDER.glob("*.nbs")) for book in read(path.read_text())]


def test_each_notebook_has_a_name_of_its_own() -> None:
    names = [book.name for book in NOTEBOOKS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("book", NOTEBOOKS, ids=lambda book: book.name)
def test_a_notebook_has_these_edges_and_no_other(book: Trap) -> None:
    found = pipeline(*book.cells)
    edges = {f"{e.source}{e.target}" for e in found.edges}
    assert edges == set(book.options["edges"].split()), [str(e) for e in found.edges]
    codes = {d.code for d in found.diagnostics if d.severity != "hint" or d.code == "KFNB-H113"}
    assert codes == set(book.options.get("hints", "").split()), [str(d) for d in found.diagnostics]
