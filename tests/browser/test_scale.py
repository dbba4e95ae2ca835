"""Many steps, many views: the page stays alive."""

from __future__ import annotations

from tests.browser import books
from tests.browser.view import View, expect

MANY = 1000


def test_a_thousand_steps(desk, opened, page, shoot):
    books.chain(desk, MANY)
    book = opened(desk.notebook(("", "from kfnb.widgets import PipelineView")))
    book.run(0)
    view = View(book.do("PipelineView('chain.ipynb')", 120)).drawn(120_000)
    assert view.nodes.count() == MANY
    shoot("fitted")
    view.node("step 0").focus()
    page.keyboard.press("Enter")
    expect(view.detail).to_contain_text("step 0")
    page.keyboard.press("+")
    page.keyboard.press("ArrowDown")
    shoot("walked")


def test_the_scripts_come_once_for_ten_views(desk, opened, page, shoot):
    received = []
    page.on(
        "websocket", lambda socket: socket.on("framereceived", lambda f: received.append(len(f)))
    )
    book = opened(books.chain(desk, 5))
    book.run(0)
    book.do("from kfnb.widgets import PipelineView")
    large = sum(1 for size in received if size > 150_000)
    out = book.do("for _ in range(10):\n    display(PipelineView('chain.ipynb'))")
    expect(out.locator(".kfnb-view")).to_have_count(10)
    for n in range(10):
        view = View(out.locator(".jp-OutputArea-child").nth(n))
        view.root.scroll_into_view_if_needed()
        view.drawn()
    assert sum(1 for size in received if size > 150_000) - large == 2
    shoot("ten")
