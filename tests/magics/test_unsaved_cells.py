"""Unsaved changes of the pipeline's cells are reported, as far as a kernel can know them."""

from __future__ import annotations

import json
import os

import pytest

from kfnb.magics.unsaved_cells import UNSAVED, Executed, has_unsaved_changes
from kfnb.notebook.document import load

SAVED = 1_000_000.0
SHOW = Executed("%pipeline show", "c2", SAVED + 10)


@pytest.fixture
def unsaved_after(desk):
    """Check after some cells were executed in a notebook that was saved before."""
    path = desk.notebook(("", "x = 1"), ("", "y = 2\n"), ("", "%pipeline show"), ("skip", "x"))
    os.utime(path, (SAVED, SAVED))

    def check(*executed):
        return has_unsaved_changes(executed, load(path).cells, path)

    return check


def test_saved_cells_are_no_changes(unsaved_after):
    assert not unsaved_after(SHOW)
    saved = Executed("x = 1", "c0", SAVED + 1), Executed("y = 2", "c1", SAVED + 2)
    assert not unsaved_after(*saved, SHOW)


def test_a_cell_that_was_executed_with_another_text_is_a_change(unsaved_after):
    assert unsaved_after(Executed("x = 100", "c0", SAVED + 1), SHOW)


def test_a_cell_that_was_executed_before_the_notebook_was_saved_is_no_change(unsaved_after):
    """It was edited after that, and then saved: the file has what the editor has."""
    assert not unsaved_after(Executed("x = 0", "c0", SAVED - 1), SHOW)


def test_only_the_last_execution_of_a_cell_counts(unsaved_after):
    tried = [Executed("x = 100", "c0", SAVED + 1), Executed("x = 1", "c0", SAVED + 2)]
    assert not unsaved_after(*tried, SHOW)


def test_a_new_cell_is_a_change(unsaved_after):
    assert unsaved_after(Executed("z = 3", "new", SAVED + 1), SHOW)
    # Even with the text of another cell.
    assert unsaved_after(Executed("x = 1", "new", SAVED + 1), SHOW)


def test_cells_that_no_step_executes_are_no_changes(unsaved_after):
    assert not unsaved_after(Executed("%pipeline logs a", "c2", SAVED + 10))
    assert not unsaved_after(Executed("%load_ext kfnb\n# now\n%pipeline run", "new", SAVED + 10))
    assert not unsaved_after(Executed("x + 1", "c3", SAVED + 1), SHOW)  # tagged "skip"


def test_without_ids_of_the_file_cells_are_compared_by_their_text(unsaved_after):
    """VS Code has ids of its own."""
    show = Executed("%pipeline show", None, SAVED + 10)
    assert not unsaved_after(Executed("y = 2", None, SAVED + 1), show)
    assert unsaved_after(Executed("y = 200", None, SAVED + 1), show)


@pytest.mark.slow
def test_a_notebook_that_was_named_is_not_compared(kernel, desk):
    path = desk.notebook(("step:a", "x = 1"), ("skip", "%pipeline show"))
    show = f"%pipeline show --notebook {path.name}"
    kernel.ok(show, cellId="c1")
    kernel.ok("x = 7", cellId="c0")
    # Only the kernel's own notebook is open in an editor.
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
        assert UNSAVED in kernel.ok("%pipeline show", cellId="c2").text
        plain = json.loads(path.read_text())
        plain["cells"][0]["source"] = "x = 7"
        path.write_text(json.dumps(plain))
        assert "saved" not in kernel.ok("%pipeline show", cellId="c2").text
        assert "saved" not in kernel.ok("%pipeline show ", cellId="new").text
