"""Every distinct text is parsed once, also over several reads of a notebook."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from kfnb.notebook import parsed_cell
from kfnb.notebook.parsed_cell import parse_cells, parse_code
from kfnb.notebook.transform import transform
from tests.notebook.build import Cell, notebook, pipeline


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often each text is parsed."""
    counts: Counter[str] = Counter()
    parse = ast.parse

    def counted(source: str, *args: object, **options: object) -> ast.AST:
        if len(source) > len("x12"):  # a name in a shell command, a part of a file
            counts[source] += 1
        return parse(source, *args, **options)  # type: ignore[call-overload,no-any-return]

    parsed_cell.forget_all()
    transform.cache_clear()
    monkeypatch.setattr(ast, "parse", counted)
    return counts


def book(changed: int = 0) -> list[Cell]:
    cells: list[Cell] = [("setup", "import numpy as np\nfrom pathlib import Path")]
    for number in range(20):
        cells += [
            (f"step:s{number}", f"%matplotlib inline\nx{number} = np.arange({number})\n"),
            (f"step:s{number}", f"open('a{number}.csv', 'w').write(str(x{number}))\n!ls {{x0}}"),
        ]
    return [*cells, ("step:end", f"print(x1, {changed})"), ("step:end", "%%time\ny = x2")]


def test_a_cell_is_parsed_once(parses: Counter[str]) -> None:
    pipeline(*book())
    assert parses
    assert [text for text, count in parses.items() if count > 1] == []


def test_a_notebook_of_which_one_cell_changed_parses_that_cell_only(parses: Counter[str]) -> None:
    pipeline(*book())
    parses.clear()
    pipeline(*book(changed=1))
    assert list(parses) == ["print(x1, 1)"]


def test_cells_with_the_same_text_have_nodes_of_their_own() -> None:
    first, second = parse_cells(notebook(("step:a", "x = []"), ("step:b", "x = []")).cells).values()
    assert first.body[0] is not second.body[0]
    assert first.statements() == second.statements()
    assert first.derived is second.derived


def test_what_does_not_parse_says_why_and_where() -> None:
    assert parse_code("x = 1\ny = (").error == ("'(' was never closed", 2)


def test_memory_is_bounded() -> None:
    parsed_cell.forget_all()
    kept = parse_code("x = 1")
    assert parse_code("x = 1") is kept
    for number in range(60):
        parse_code(f"y = {number}\n" + "# ...............\n" * 1000)
    assert parse_code("x = 1") is not kept
