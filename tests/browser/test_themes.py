"""Light and dark, and never by colour alone."""

from __future__ import annotations

from tests.browser.view import CONTRAST, View


def test_every_status_is_readable_in_each_theme_and_a_theme_that_changes_is_followed(
    desk, opened, page, shoot
):
    path = desk.notebook(
        ("skip", "%load_ext kfnb"),
        ("step:first", "a = 5"),
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
    try:
        for theme in ("light", "dark"):
            if theme == "dark":
                choose(page, theme)
            page.wait_for_function(
                "([root, theme]) => root.dataset.theme === theme",
                arg=[view.root.element_handle(), theme],
            )
            contrasts = view.nodes.evaluate_all(f"nodes => nodes.map({CONTRAST})")
            assert min(contrasts) >= 4.5, contrasts
            said = view.nodes.evaluate_all("nodes => nodes.map(n => n.getAttribute('aria-label'))")
            statuses = ["succeeded", "failed", "skipped", "running", "pending"]
            for label, status in zip(said, statuses, strict=True):
                assert status in label.lower()
            view.node("broken").click()
            shoot(f"{theme}-dag")
            for tab in ("table", "metrics", "logs"):
                view.open(tab)
                shoot(f"{theme}-{tab}")
            view.open("dag")
    finally:
        choose(page, "light")


def choose(page, theme):
    """Choose a theme of JupyterLab, and wait until the page has it."""
    page.get_by_role("menuitem", name="Settings").click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text(f"JupyterLab {theme.title()}", exact=True).click()
    light = str(theme == "light").lower()
    page.wait_for_function(f"document.body.dataset.jpThemeLight === '{light}'")
