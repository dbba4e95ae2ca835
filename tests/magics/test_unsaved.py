"""What was executed and is not saved is said, as far as a kernel can know it."""

from __future__ import annotations

import json
import os

import pytest

from kfnb.magics.unsaved_cells import Executed, unsaved
from kfnb.notebook.document import load

SAVED = 1_000_000.0
ASKS = Executed("%pipeline show", "c2", SAVED + 10)


@pytest.fixture
def asked(desk):
    path = desk.notebook(("", "x = 1"), ("", "y = 2\n"), ("", "%pipeline show"))
    os.utime(path, (SAVED, SAVED))

    def ask(*executed):
        return unsaved(executed, load(path).cells, path)

    return ask


def test_nothing_is_said_where_all_is_saved(asked):
    assert asked(ASKS) is None
    assert (
        asked(Executed("x = 1", "c0", SAVED + 1), Executed("y = 2", "c1", SAVED + 2), ASKS) is None
    )


def test_a_cell_that_was_executed_otherwise_than_it_is_saved(asked):
    said = asked(Executed("x = 100", "c0", SAVED + 1), ASKS)
    assert said.startswith("Not saved: cell 0 as executed here, not in nb.ipynb (saved at ")
    assert said.endswith("save the notebook, and ask again.")


def test_what_was_executed_before_it_was_saved_is_older_than_the_file(asked):
    """It was edited after it was executed, and then saved: the file is what the editor has."""
    assert asked(Executed("x = 0", "c0", SAVED - 1), ASKS) is None


def test_only_the_last_execution_of_a_cell_counts(asked):
    tried = [Executed("x = 100", "c0", SAVED + 1), Executed("x = 1", "c0", SAVED + 2)]
    assert asked(*tried, ASKS) is None


def test_new_cells(asked):
    said = asked(Executed("z = 3", "new", SAVED + 1), Executed("q = 3", "newer", SAVED + 1), ASKS)
    assert "Not saved: 2 new cells" in said


def test_front_ends_that_do_not_tell_ids(asked):
    """VS Code has ids of its own."""
    asks = Executed("%pipeline show", None, SAVED + 10)
    assert asked(Executed("y = 2", None, SAVED + 1), asks) is None
    assert "1 new cell " in asked(Executed("y = 200", None, SAVED + 1), asks)


def test_a_cell_that_asks_and_is_not_saved_itself(asked):
    said = asked(Executed("%pipeline run", "new", SAVED + 10))
    assert said.startswith("This cell is not saved in nb.ipynb")


@pytest.mark.slow
def test_in_a_kernel_it_is_said_beside_what_was_asked_for(kernel, desk):
    path = desk.notebook(("step:a", "x = 1"), ("skip", "%pipeline show"))
    show = f"%pipeline show --notebook {path.name}"
    kernel.ok(show, cellId="c1")
    kernel.ok("x = 7", cellId="c0")
    # Who names a notebook means the file: only the kernel's own is open in an editor.
    assert "saved" not in kernel.ok(show, cellId="c1").text


@pytest.mark.slow
def test_in_the_kernel_of_an_open_notebook(desk):
    from tests.magics.kernel import Kernel

    path = desk.notebook(
        ("step:a", "x = 1"), ("skip", "%load_ext kfnb"), ("skip", "%pipeline show")
    )
    environment = desk.environment(JPY_SESSION_NAME=str(path))
    with Kernel.started(desk.folder, environment) as kernel:
        kernel.ok("%load_ext kfnb", cellId="c1")
        assert "saved" not in kernel.ok("%pipeline show", cellId="c2").text
        kernel.ok("x = 7", cellId="c0")
        assert "Not saved: cell 0" in kernel.ok("%pipeline show", cellId="c2").text
        plain = json.loads(path.read_text())
        plain["cells"][0]["source"] = "x = 7"
        path.write_text(json.dumps(plain))
        assert "saved" not in kernel.ok("%pipeline show", cellId="c2").text
        assert "This cell is not saved" in kernel.ok("%pipeline show ", cellId="new").text
