"""The links of ``%pipeline check`` lead to the cells."""

from __future__ import annotations

import pytest

from tests.browser.view import expect


@pytest.mark.parametrize("front", ["lab", "notebook"])
def test_a_link_leads_to_the_cell(desk, opened, shoot, front):
    between = [("skip", "# " + "\n# ".join(f"line {n}" for n in range(30)))] * 6
    path = desk.notebook(
        ("skip", "%load_ext kfnb"),
        ("step:train", "print(rowz)"),
        *between,
        ("skip", "%pipeline check"),
        name="a wrong one's.ipynb",
    )
    book = opened(path)
    book.run(0)
    out = book.run(len(between) + 2)
    expect(book.cell(1)).not_to_be_in_viewport()
    address, pages = book.page.url, len(book.page.context.pages)
    out.get_by_role("link", name="cell 1, line 1").click()
    if front == "lab":
        expect(book.cell(1)).to_be_in_viewport()
    else:
        # Notebook 7 has no command for such links: the text says which cell it is.
        book.page.wait_for_timeout(500)
        assert book.page.url == address
    shoot("there")
    # In the notebook that is open, not in another tab or page.
    assert len(book.page.context.pages) == pages
    assert book.page.locator(".jp-NotebookPanel").count() == 1
