"""What a notebook shows when it is opened again, and how much it grew."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.browser import books
from tests.browser.book import Book
from tests.browser.view import View, expect
from tests.waiting import PATIENCE

FRONTS = pytest.mark.parametrize("front", ["lab", "notebook"])
VIEWS, MOST = 10, 200_000


def ran(book: Book) -> int:
    """Launch a run, and see it end; the cell that shows it."""
    book.run(0)
    launch = book.add("%pipeline run --no-wait")
    book.save()
    View(book.run(launch)).drawn().wait_for_run("succeeded")
    # The picture that is saved comes right after what the view is told.
    expect(book.output(launch).locator(".kfnb-static")).to_contain_text(": succeeded")
    return launch


@FRONTS
def test_a_page_that_is_loaded_again_shows_the_run(desk, opened, shoot, front):
    path, gates = books.training(desk)
    gates.open(*books.STEPS)
    book = opened(path)
    launch = ran(book)
    View(book.output(launch)).open("metrics")
    book.save()
    book.open()
    view = View(book.output(launch)).ready()
    view.open("dag")
    view.drawn()
    assert view.statuses() == ["succeeded"] * 3
    view.open("metrics")
    assert view.chart.root.get_attribute("data-series") == "2"
    shoot("again")


def test_a_running_run_is_followed_after_the_page_is_loaded_again(desk, opened):
    path, gates = books.training(desk)
    book = opened(path)
    book.run(0)
    launch = book.add("%pipeline run --no-wait")
    book.save()
    View(book.run(launch)).drawn().wait_for("load", "running")
    book.save()
    book.open()
    view = View(book.output(launch)).drawn()
    gates.open(*books.STEPS)
    view.wait_for_run("succeeded")
    assert view.statuses() == ["succeeded"] * 3


@FRONTS
def test_without_a_kernel_the_saved_notebook_shows_what_was(desk, opened, jupyter, shoot, front):
    path, gates = books.training(desk)
    gates.open(*books.STEPS)
    book = opened(path)
    launch = ran(book)
    book.save()
    jupyter.close_kernels()
    book.open()
    shown = book.output(launch)
    for step in books.STEPS:
        expect(shown).to_contain_text(step)
    expect(shown).not_to_contain_text("Error displaying widget")
    shoot("no-kernel")


def test_without_a_kernel_saved_widget_state_is_enough(desk, opened, jupyter, shoot):
    jupyter.configure(widgets={"saveState": True})
    try:
        path, gates = books.training(desk)
        gates.open(*books.STEPS)
        book = opened(path)
        launch = ran(book)
        book.save()
        assert "widgets" in json.loads(path.read_text())["metadata"]
        jupyter.close_kernels()
        book.open()
        shown = book.output(launch)
        for step in books.STEPS:
            expect(shown).to_contain_text(step)
        expect(shown).to_contain_text("succeeded")
        shoot("saved-state")
    finally:
        jupyter.configure(widgets={})


def test_ten_views_are_small_in_the_saved_notebook(desk, opened, jupyter, shoot):
    jupyter.configure(widgets={"saveState": True})
    try:
        path, gates = books.training(desk, epochs=500)
        gates.open(*books.STEPS)
        book = opened(path)
        launch = ran(book)
        book.save()
        small = path.stat().st_size
        views = "\n".join(["display(PipelineView('latest'))"] * VIEWS)
        out = book.do(f"from kfnb.widgets import PipelineView\n{views}")
        expect(out.locator(".kfnb-view")).to_have_count(VIEWS)
        View(book.output(launch)).ready()
        book.page.wait_for_timeout(1000)
        book.save()
        grown = path.stat().st_size - small
        assert "widgets" in json.loads(path.read_text())["metadata"]
        assert grown < MOST, f"ten views: {grown} bytes"
    finally:
        jupyter.configure(widgets={})


@pytest.mark.parametrize("tool", ["nbconvert", "papermill"])
def test_ten_views_are_small_in_an_executed_notebook(desk, tool):
    views = "\n".join(["display(PipelineView(run))"] * VIEWS)
    path = desk.notebook(
        ("step:load", "rows = [1, 2]"),
        ("step:tell", "print(rows)"),
        (
            "skip",
            f"import kfnb\nfrom kfnb.widgets import PipelineView\nrun = kfnb.run('ten.ipynb')\n{views}",
        ),
        name="ten.ipynb",
    )
    before = path.stat().st_size
    executed = desk.folder / "executed.ipynb"
    words = {
        "nbconvert": ["nbconvert", "--to", "notebook", "--execute", path, "--output", executed],
        "papermill": ["papermill", "--no-progress-bar", path, executed],
    }
    subprocess.run(
        [sys.executable, "-m", *words[tool]],
        check=True,
        cwd=desk.folder,
        env=desk.environment(),
        timeout=PATIENCE * 4,
    )
    grown = executed.stat().st_size - before
    assert grown < MOST, f"ten views: {grown} bytes"
    shown = executed.read_text()
    assert shown.count('"image/svg+xml"') >= VIEWS
