"""Diagnostics as HTML: with links to the cells, and nothing but text from the notebook."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kfnb
from kfnb.commands.notebooks import counted
from kfnb.magics.report import html
from kfnb.pipeline import Cell, Diagnostic, Pipeline

ALLOWED = {"div", "b", "span", "code", "a", "i"}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def made(source: str, message: str) -> tuple[Pipeline, Diagnostic]:
    pipeline = Pipeline(
        name="p", description="", kernel="python3", language="python",
        cells=(Cell(0, "c0", "code", source),), parameters=(), steps={}, edges=(), diagnostics=(),
    )  # fmt: skip
    return pipeline, Diagnostic("KFNB-E102", "error", message, f"{message}!", cell=0, line=1)


@given(st.text(), st.text(), st.text())
def test_whatever_a_notebook_holds_is_text(source, message, name):
    pipeline, found = made(source, message)
    page = Page(html(pipeline, [found], head=message, page=name))
    assert {tag for tag, _ in page.tags} <= ALLOWED
    attributes = {key for _, given in page.tags for key in given}
    assert attributes <= {"class", "style", "href"}
    (link,) = [given["href"] for tag, given in page.tags if tag == "a"]
    assert link.endswith("#cell-id=c0")
    assert not link.lower().startswith("javascript")


def test_links_lead_to_the_cell(desk):
    path = desk.notebook(("step:a", "\nprint(missing)"), name="a b's.ipynb")
    pipeline = kfnb.read(path)
    page = Page(html(pipeline, pipeline.diagnostics, head="2 < 3", page=path.name))
    (link,) = [given["href"] for tag, given in page.tags if tag == "a"]
    assert link == "a%20b%27s.ipynb#cell-id=c0"
    assert "line 2" in page.text
    assert "print(missing)" in page.text
    assert "2 < 3" in page.text
    # In an exported page the cells have these ids.
    assert 'href="#cell-id=c0"' in html(pipeline, pipeline.diagnostics)


def test_where_no_link_leads_to_a_cell_a_click_scrolls_there(desk):
    path = desk.notebook(("step:a", "x = 1"), ("step:b", "print(missing)"))
    pipeline = kfnb.read(path)
    page = Page(html(pipeline, pipeline.diagnostics, scrolls=True))
    (link,) = [given for tag, given in page.tags if tag == "a"]
    assert link["href"] == "#cell-id=c1"
    assert "querySelectorAll('.jp-Cell')[1]" in (link["onclick"] or "")


def test_what_the_cells_do_not_have_is_not_linked():
    pipeline, found = made("x", "said")
    import dataclasses

    for odd in ({"cell": 7}, {"cell": None, "line": None}, {"line": 99}):
        assert "said" in html(pipeline, [dataclasses.replace(found, **odd)])


@pytest.mark.parametrize(
    ("severities", "said"),
    [("", "no errors, no warnings"), ("e", "1 error, no warnings"), ("eww", "1 error, 2 warnings")],
)
def test_they_are_counted(severities, said):
    kinds = {"e": "error", "w": "warning"}
    assert counted([Diagnostic("C", kinds[s], "m", "r") for s in severities]) == said


@pytest.mark.slow
def test_in_a_kernel(kernel, desk):
    desk.notebook(("step:a", "print('<script>', missing)"), name="wrong.ipynb")
    shown = kernel.ok("%pipeline check --notebook wrong.ipynb", cellId="page")
    page = shown.form("text/html")
    assert 'href="wrong.ipynb#cell-id=c0"' in page
    # Where nobody looks, the page that is made of it has the cells itself.
    assert 'href="#cell-id=c0"' in kernel.ok("%pipeline check").form("text/html")
    assert "<script" not in page
    assert "KFNB-E102" in shown.form("text/plain")
