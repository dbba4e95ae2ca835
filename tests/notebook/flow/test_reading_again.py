"""Reading a notebook again after edits gives what reading it for the first time gives."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kfnb.notebook import parsed_cell
from kfnb.notebook.effects.files import FileReader
from kfnb.notebook.flow.memory import notebook_walk
from kfnb.notebook.flow.memory.walk_memory import memories
from kfnb.pipeline import FileUse, Pipeline
from tests.fidelity.programs import notebooks
from tests.notebook.build import Cell, pipeline
from tests.notebook.flow.programs import definition, programs, statement
from tests.notebook.flow.test_work_budget import NAMES, functions

EXAMPLES = int(os.environ.get("KFNB_FLOW_EXAMPLES", "25"))


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    memories.forget()
    parsed_cell.forget_all()


def read_for_the_first_time(cells: Sequence[Cell]) -> Pipeline:
    forget()
    return pipeline(*cells)


@st.composite
def edited(draw: st.DrawFn, cells: list[Cell]) -> list[Cell]:
    """Change a cell: insert, replace or remove a line, or take the cell away or in again."""
    cells = list(cells)
    index = draw(st.integers(0, len(cells) - 1))
    tags, source = cells[index]
    lines = source.split("\n")
    at = draw(st.integers(0, len(lines) - 1))
    kind = draw(st.sampled_from(("append", "insert", "replace", "remove", "other", "swap")))
    new = draw(st.one_of(statement, definition, st.just("unused = 1"), st.just("# nothing")))
    if kind == "append":
        source += "\n" + new
    elif kind == "insert":
        source = new + "\n" + source
    elif kind == "replace":
        # Inside of a function this leaves the indentation right.
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
        source = "\n".join([*lines[:at], f"{indent}a = [b]", *lines[at + 1 :]])
    elif kind == "remove":
        source = "\n".join([*lines[:at], *lines[at + 1 :]])
    elif kind == "other":
        return [*cells[:index], *cells[index + 1 :]] if len(cells) > 2 else cells
    else:
        other = draw(st.integers(0, len(cells) - 1))
        cells[index], cells[other] = cells[other], cells[index]
        return cells
    cells[index] = (tags, source)
    return cells


def check(data: st.DataObject, cells: list[Cell]) -> None:
    versions = [cells]
    for _ in range(data.draw(st.integers(1, 3))):
        versions.append(data.draw(edited(versions[-1])))
    versions.append(versions[data.draw(st.integers(0, len(versions) - 1))])
    expected = [read_for_the_first_time(version) for version in versions]
    forget()
    for version, first in zip(versions, expected, strict=True):
        again = pipeline(*version)
        assert again == first, version


SETTINGS = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@SETTINGS
@given(st.data())
def test_random_programs_are_read_again_as_for_the_first_time(data: st.DataObject) -> None:
    check(data, data.draw(programs()))


@SETTINGS
@given(st.data())
def test_random_notebooks_are_read_again_as_for_the_first_time(data: st.DataObject) -> None:
    cells = data.draw(notebooks())
    check(data, [(" ".join(tags), source) for tags, source in cells])


@SETTINGS
@given(st.data())
def test_functions_and_classes_are_read_again_as_for_the_first_time(data: st.DataObject) -> None:
    calls = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6))
    cells: list[Cell] = [("setup", data.draw(functions()))]
    cells += [(f"step:s{n}", f"v{n} = {name}(table)\nv{n}.run()") for n, name in enumerate(calls)]
    most = data.draw(st.sampled_from((1_000, 300, 30)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kfnb.notebook.flow.interpreter.summaries.MOST_WORK", most)
        check(data, cells)


def walked_cells(before: Sequence[Cell], after: Sequence[Cell]) -> list[int]:
    """List the cells that are gone through when ``before`` was read and ``after`` is."""
    pipeline(*before)
    cells: list[int] = []
    original = notebook_walk.NotebookWalk._walked

    def walked(self: notebook_walk.NotebookWalk, visit: object, *arguments: object) -> object:
        cells.append(visit.cell)  # type: ignore[attr-defined]
        return original(self, visit, *arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notebook_walk.NotebookWalk, "_walked", walked)
        pipeline(*after)
    return cells


CELLS: list[Cell] = [
    ("setup", "import numpy as np\ndef work(x):\n    return [np.abs(x), x + base]"),
    ("parameters", "base = 1"),
    ("step:load", "data = [1, 2]\nother = {}"),
    ("step:clean", "data.append(3)"),
    ("step:fit", "model = work(data)"),
    ("step:score", "score = work(model)\nother['a'] = 1"),
    ("step:end", "print(score, other)"),
]


def replaced(cell: int, source: str) -> list[Cell]:
    return [(tags, source if n == cell else text) for n, (tags, text) in enumerate(CELLS)]


@pytest.mark.parametrize(
    ("cell", "source", "walked"),
    [
        (6, "print(score, other, 1)", [6]),
        (
            0,
            "import numpy as np\ndef work(x):\n    # new\n    return [np.abs(x), x + base]",
            [0, 4],
        ),
        (
            0,
            "import numpy as np\ndef work(x):\n    y = 2\n    return [np.abs(x), x + base]",
            [0, 4],
        ),
        (2, "data = [1, 2]\nother = {}\nunused = 1", [2]),
        (2, "data = [1, 2]\nother = {}\nscore = 2", [2, 5]),
        (3, "data.append(4)", [3]),
    ],
)
def test_only_cells_are_gone_through_that_a_change_reaches(
    cell: int, source: str, walked: list[int]
) -> None:
    assert walked_cells(CELLS, replaced(cell, source)) == walked


def test_a_notebook_that_did_not_change_is_not_gone_through() -> None:
    assert walked_cells(CELLS, CELLS) == []


def test_few_notebooks_are_remembered() -> None:
    for number in range(20):
        memories.keep(f"{number}.ipynb", memories.take(f"{number}.ipynb"))
    assert len(memories._memories) <= 8


def test_a_name_that_is_bound_elsewhere_is_no_history_any_more() -> None:
    cells: list[Cell] = [("step:a", "x = 1"), ("step:b", "print(_1)"), ("step:c", "!echo $name")]
    pipeline(*cells)
    bound: list[Cell] = [("step:a", "x = _1 = name = 1"), *cells[1:]]
    again = pipeline(*bound)
    assert again == read_for_the_first_time(bound)


def test_files_of_steps_that_did_not_change_are_not_looked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells: list[Cell] = [
        ("setup", "folder = 'data'\ndef name(n): return f'{folder}/{n}'"),
        *((f"step:s{n}", f"for i in range(3):\n    open(f'{n}-{{i}}', 'w')") for n in range(4)),
        ("step:end", "open('0-0')"),
    ]
    pipeline(*cells)
    read: list[int] = []
    original = FileReader.read

    def counted(self: FileReader, cell: int, body: Sequence[ast.stmt]) -> tuple[FileUse, ...]:
        read.append(cell)
        return original(self, cell, body)

    monkeypatch.setattr(FileReader, "read", counted)
    changed = [*cells[:2], (cells[2][0], cells[2][1] + "\nopen('x', 'w')"), *cells[3:]]
    again = pipeline(*changed)
    assert 2 in read
    assert set(read) <= {0, 2}
    monkeypatch.undo()
    assert again == read_for_the_first_time(changed)
