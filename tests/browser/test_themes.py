"""Light and dark, and never by colour alone."""

from __future__ import annotations

import pytest

from tests.browser import books
from tests.browser.view import CONTRAST, View


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_status_is_readable_and_distinct(desk, opened, jupyter, page, shoot, theme):
    jupyter.configure(theme={"theme": f"JupyterLab {theme.title()}"})
    try:
        path = desk.notebook(
            ("skip", "%load_ext kfnb"),
            ("step:first", f"a = {len(theme)}"),
            ("step:broken", "b = a / 0"),
            ("step:never", "c = b"),
            ("step:long", "import time\ntime.sleep(600)\nd = 1"),
            ("step:waiting", "print(d)"),
        )
        book = opened(path)
        book.run(0)
        launch = book.add("%pipeline run --no-wait")
        book.save()
        view = View(book.run(launch)).drawn()
        view.wait_for("broken", "failed")
        view.wait_for("long", "running")
        assert view.root.get_attribute("data-theme") == theme
        contrasts = view.nodes.evaluate_all(f"nodes => nodes.map({CONTRAST})")
        assert min(contrasts) >= 4.5, contrasts
        said = view.nodes.evaluate_all("nodes => nodes.map(n => n.getAttribute('aria-label'))")
        statuses = ["succeeded", "failed", "skipped", "running", "pending"]
        for label, status in zip(said, statuses, strict=True):
            assert status in label.lower()
        view.node("broken").click()
        shoot("dag")
        for tab in ("table", "metrics", "logs"):
            view.open(tab)
            shoot(tab)
    finally:
        jupyter.configure(theme={"theme": "JupyterLab Light"})


def test_a_theme_that_changes_is_followed(desk, opened, page, shoot):
    book = opened(books.chain(desk, 10))
    book.run(0)
    view = View(book.do("%pipeline show")).drawn()
    assert view.root.get_attribute("data-theme") == "light"
    page.get_by_role("menuitem", name="Settings").click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text("JupyterLab Dark", exact=True).click()
    page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
    page.wait_for_function("root => root.dataset.theme === 'dark'", arg=view.root.element_handle())
    shoot("changed")
    page.get_by_role("menuitem", name="Settings").click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text("JupyterLab Light", exact=True).click()
