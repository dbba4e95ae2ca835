"""Names, log lines, metrics and errors are text, whatever stands in them."""

from __future__ import annotations

import json

import pytest

from tests.browser.hostile import CANARY, KNOWN, names
from tests.browser.view import View, expect

TABS = ("table", "metrics", "logs", "outputs", "runs", "compare", "dag")


def notebook(desk, hostile):
    """A pipeline whose steps, logs, metrics, outputs and errors are all hostile."""
    cells = []
    for n, name in enumerate(hostile):
        before = f"print(v{n - 1})\n" if n % 8 else ""
        cells.append(
            {
                "cell_type": "code",
                "id": f"h{n}",
                "metadata": {"kfnb": {"role": "step", "step": name}},
                "execution_count": None,
                "outputs": [],
                "source": f"import kfnb\nname = {name!r}\n{before}print(name)\nv{n} = name\n"
                "kfnb.log_metric(name, 1.5)\nkfnb.log_metric(name, 2.5)\n",
            }
        )
    cells[-1]["source"] += "raise ValueError(name)"
    path = desk.notebook(("skip", "%load_ext kfnb"), name="hostile.ipynb")
    book = json.loads(path.read_text())
    book["cells"] += cells
    path.write_text(json.dumps(book))
    return path


def untouched(page, guard):
    assert page.evaluate(f"window.{CANARY}") is None, "hostile text was executed"
    assert guard.dialogs == []
    assert not [url for url in guard.urls if "example.com" in url or url.endswith("/x")]


@pytest.mark.parametrize("kind", ["known", "fuzzed"])
def test_nothing_hostile_becomes_more_than_text(desk, opened, page, guard, shoot, kind):
    hostile = list(KNOWN) if kind == "known" else names(8, seed=5)
    book = opened(notebook(desk, hostile))
    book.run(0)
    launch = book.add("%pipeline run --no-wait")
    book.save()
    view = View(book.run(launch)).drawn()
    view.wait_for_run("failed", 120_000)
    assert view.nodes.count() == len(hostile)
    untouched(page, guard)
    shoot("dag")

    last = view.nodes.last
    last.scroll_into_view_if_needed()
    last.dispatch_event("click")
    view.root.hover()
    for tab in TABS:
        view.open(tab)
        page.wait_for_timeout(300)
        shoot(tab)
        untouched(page, guard)
    assert view.root.locator("script, img[src=x], [onerror], [onload], [onclick]").count() == 0
    assert view.root.locator("a[href^=javascript]").count() == 0

    for line in ("show", "check", "status", "runs"):
        book.do(f"%pipeline {line}")
    untouched(page, guard)
    shoot("magics")
    assert guard.errors == []


def test_hostile_names_are_shown_as_they_are(desk, opened, shoot):
    name = KNOWN[0]
    book = opened(notebook(desk, [name, "plain"]))
    book.run(0)
    launch = book.add("%pipeline run --no-wait")
    book.save()
    view = View(book.run(launch)).drawn()
    view.wait_for_run("failed")
    view.node(name).dispatch_event("click")
    expect(view.detail).to_contain_text(name)
    expect(view.open("table")).to_contain_text(name)
    expect(view.open("logs")).to_contain_text(name)
    shoot("shown")
