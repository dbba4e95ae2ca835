"""The links of ``%pipeline check`` and of a view lead to the cells."""

from __future__ import annotations

import pytest

from tests.browser.view import View, expect


def far_apart(desk, source, command, *, name):
    """Write a notebook whose step and whose last cell, with a command, are far apart."""
    between = [("skip", "# " + "\n# ".join(f"line {n}" for n in range(30)))] * 6
    cells = [("skip", "%load_ext kfnb"), ("step:train", source), *between, ("skip", command)]
    return desk.notebook(*cells, name=name), len(cells) - 1


def expect_to_lead_to_the_step(book, link, shoot):
    expect(book.cell(1)).not_to_be_in_viewport()
    link.click()
    expect(book.cell(1)).to_be_in_viewport()
    shoot("there")


@pytest.mark.parametrize("front", ["lab", "notebook"])
def test_a_link_leads_to_the_cell(desk, opened, front, shoot):
    path, last = far_apart(desk, "print(rowz)", "%pipeline check", name="a wrong one's.ipynb")
    book = opened(path)
    book.run(0)
    out = book.run(last)
    pages = len(book.page.context.pages)
    expect_to_lead_to_the_step(book, out.get_by_role("link", name="line 1"), shoot)
    # In the notebook that is open, not in another tab or page.
    assert len(book.page.context.pages) == pages
    if front == "lab":
        assert book.page.locator(".jp-NotebookPanel").count() == 1


@pytest.mark.parametrize("front", ["lab", "notebook"])
def test_a_location_in_a_view_leads_to_the_cell(desk, opened, front, shoot):
    path, last = far_apart(desk, "print('trained')", "%pipeline show", name="far.ipynb")
    book = opened(path)
    book.run(0)
    view = View(book.run(last)).drawn()
    view.node("train").click()
    shoot("location")
    location = view.detail.get_by_role("button", name="print('trained')")
    expect_to_lead_to_the_step(book, location, shoot)
