"""A notebook as HTML, opened from a file where there is no kernel and no network."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.browser import books
from tests.browser.test_reopening import ran


def exported(desk, path, *words):
    """Export a notebook as HTML."""
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", *words, path],
        check=True,
        cwd=desk.folder,
        env=desk.environment(),
        timeout=120,
    )
    return path.with_suffix(".html")


def test_a_saved_notebook_shows_the_picture(desk, opened, page, shoot, guard):
    path, gates = books.training(desk)
    gates.open(*books.STEPS)
    book = opened(path)
    ran(book)
    book.save()
    page.goto(exported(desk, path).as_uri())
    svg = page.locator(".jp-OutputArea-output svg").last
    svg.wait_for()
    for step in books.STEPS:
        assert svg.get_by_text(step).count()
    svg.scroll_into_view_if_needed()
    shoot("html")
    guard.left[:] = [url for url in guard.left if not _nbconverts_own(url)]


def test_a_notebook_that_nbconvert_executed_shows_the_picture(desk, page, shoot, guard, jupyter):
    path = desk.notebook(
        ("skip", "%load_ext kfnb"),
        ("step:load", "rows = [1, 2]"),
        ("step:tell", "print(rows)"),
        ("skip", "%pipeline show"),
        ("skip", "%pipeline run --wait"),
        name="executed.ipynb",
    )
    page.goto(exported(desk, path, "--execute").as_uri())
    pictures = page.locator(".jp-RenderedSVG img")
    assert pictures.count() == 2
    widths = pictures.evaluate_all("all => all.map(one => one.naturalWidth)")
    assert min(widths) > 50, "a picture that no browser can read"
    shoot("executed-html")
    ours = [url for url in guard.left if not _nbconverts_own(url)]
    assert ours == []
    guard.left.clear()


def _nbconverts_own(url: str) -> bool:
    """What nbconvert's template asks for itself, whatever is in the notebook."""
    return any(name in url for name in ("require.min.js", "MathJax", "mathjax", "mermaid"))


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
