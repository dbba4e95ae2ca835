"""The example of each view, opened and run."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.browser import conditions
from tests.browser.view import View, expect

EXAMPLES = conditions.ROOT / "examples" / "widgets"
SEEN = {
    "compare": [".kfnb-compare table"],
    "dag": [".kfnb-dag[data-layout=graphviz]"],
    "logs": [".kfnb-log-line"],
    "metrics": [".kfnb-chart[data-series='6']"],
    "outputs": [".kfnb-output[data-mime='image/png']", ".kfnb-output[data-mime='text/html']"],
    "table": [".kfnb-steps [data-status=succeeded]"],
}


@pytest.mark.parametrize("name", sorted(SEEN))
def test_the_example_of_a_view_shows_it(desk, opened, page, shoot, name):
    path = desk.folder / f"{name}.ipynb"
    shutil.copy(EXAMPLES / path.name, path)
    cells = json.loads(path.read_text())["cells"]
    book = opened(path)
    views = []
    for n, cell in enumerate(cells):
        if {"setup", "skip"} & set(cell["metadata"].get("tags", [])):
            out = book.run(n, 120)
            if out.locator("[data-kfnb-slot]").count():
                views.append((n, View(out).ready()))
    assert views
    _, view = views[0] if name == "logs" else views[-1]
    for selector in SEEN[name]:
        expect(view.root.locator(selector).first).to_be_attached()
    for n, _ in views:
        book.output(n).scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        shoot(f"cell-{n}")
