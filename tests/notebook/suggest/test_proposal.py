"""How a notebook without tags is divided into steps."""

from __future__ import annotations

import pytest

from kfnb.errors import UsageError
from kfnb.notebook.authoring.grouping import declare
from kfnb.notebook.flow import infer
from kfnb.notebook.suggest.cell_facts import retagged
from kfnb.notebook.suggest.proposal import suggest
from tests.notebook.build import notebook
from tests.notebook.suggest.notebooks import NAMES, document, made

EXPECTED = {
    "tabular_classification": [
        "load the data", "prepare", "logistic regression", "random forest", "compare",
    ],
    "time_series": ["make the series", "smooth", "forecast", "compare"],
    "neural_network": ["data", "training", "evaluation"],
    "text_counts": ["read", "tokenise", "count", "pairs"],
    "statistics": ["samples", "t test", "bootstrap", "report"],
    "files_and_database": ["write", "database", "save"],
    "simulation": ["arrivals", "service", "results"],
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_proposal_covers_all_code_and_reads_without_errors(name):
    read = document(name)
    proposal = suggest(read)
    code = {cell.index for cell in read.cells if cell.type == "code"}
    assert set(proposal.tags) == code
    pipeline = infer(declare(retagged(read, proposal.tags)))
    assert pipeline.errors == ()
    assert list(pipeline.steps) == [step.name for step in proposal.steps]


@pytest.mark.parametrize("name", EXPECTED)
def test_headings_begin_and_name_steps(name):
    assert [step.name for step in suggest(document(name)).steps] == EXPECTED[name]


@pytest.mark.parametrize("name", NAMES)
def test_each_step_says_why_it_begins_there(name):
    for step in suggest(document(name)).steps:
        assert step.reason.endswith("."), step


def test_first_literals_become_parameters_and_later_ones_do_not():
    proposal = suggest(made("import math", "lr = 0.1\nn = 3", "x = math.sqrt(n)", "lr = 2"))
    assert proposal.parameters == (1,)
    assert proposal.setup == (0,)
    assert 3 in proposal.steps[-1].cells


def test_no_step_begins_where_a_value_cannot_be_saved():
    proposal = suggest(
        made(
            "import sqlite3",
            "## Open",
            "connection = sqlite3.connect('x.db')",
            "## Read",
            "rows = connection.execute('select 1').fetchall()",
            "## Sum",
            "total = sum(row[0] for row in rows)\nprint(total)",
        )
    )
    assert [step.cells for step in proposal.steps] == [(2, 4), (6,)]
    (gap,) = [gap for gap in proposal.boundaries if gap.cell == 4]
    assert "connection" in gap.why_not
    assert "cannot be saved" in gap.why_not


@pytest.mark.parametrize(
    "value",
    ["(n for n in range(9))", "open('f')", "threading.Lock()", "tempfile.TemporaryDirectory()"],
)
def test_generators_files_locks_and_temporary_folders_stay_with_their_step(value):
    proposal = suggest(
        made("import threading, tempfile", "## A", f"v = {value}\nw = 1", "## B", "print(v)")
    )
    assert [step.cells for step in proposal.steps] == [(2, 4)]


def test_no_step_begins_where_the_state_of_a_library_is_shared():
    cells = [
        "import numpy as np",
        "## Seed",
        "np.random.seed(1)",
        "## Draw",
        "x = np.random.rand()",
    ]
    proposal = suggest(made(*cells, "## Show", "print(x)"))
    assert [step.cells for step in proposal.steps] == [(2, 4), (6,)]
    (gap,) = [gap for gap in proposal.boundaries if gap.cell == 4]
    assert "random generator of numpy" in gap.why_not


def test_a_cell_that_only_shows_stays_with_what_it_shows():
    proposal = suggest(made("x = list([1])", "print(x)", "y = sum(x)", "print(y)"))
    for step in proposal.steps:
        assert (0 in step.cells) == (1 in step.cells)
        assert (2 in step.cells) == (3 in step.cells)


def test_cells_that_took_long_get_steps_of_their_own():
    took = {
        "execution": {
            "iopub.execute_input": "2026-01-01T10:00:00.000000Z",
            "shell.execute_reply": "2026-01-01T10:02:00.000000Z",
        }
    }
    proposal = suggest(
        made(
            "a = list(range(9))\nb = 1\nc = 2\nd = 3",
            ("e = sum(a)", took),
            "f = e\ng = f\nh = g\ni = h",
        )
    )
    assert [step.cells for step in proposal.steps] == [(0,), (1,), (2,)]
    assert "took 120 s" in proposal.steps[1].reason


def test_a_tagged_notebook_has_nothing_suggested():
    with pytest.raises(UsageError, match="declares steps already"):
        suggest(notebook(("step:a", "x = 1")))


def test_a_notebook_without_code_has_nothing_suggested():
    with pytest.raises(UsageError, match="no code"):
        suggest(made("# Title"))


def test_a_thousand_cells_are_divided():
    cells = [f"v{n} = v{n - 1} + 1" if n else "v0 = [0][0]" for n in range(400)]
    proposal = suggest(made(*cells))
    assert sum(len(step.cells) for step in proposal.steps) == 400
    assert len(proposal.steps) > 20
