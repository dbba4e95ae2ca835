"""Why an edge is there."""

from __future__ import annotations

from tests.browser import books
from tests.browser.view import View, expect


def test_an_edge_shows_its_reason_to_the_mouse_and_to_the_keyboard(desk, opened, page, shoot):
    path, _ = books.training(desk)
    book = opened(path)
    book.run(0)
    view = View(book.do("%pipeline show")).drawn()
    tip = view.root.get_by_role("tooltip")
    line = view.root.locator(".kfnb-reasons path").first
    expect(tip).to_be_hidden()
    box = line.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(tip).to_contain_text("load → train")
    expect(tip).to_contain_text("rows")
    shoot("pointed")
    page.mouse.move(1, 1)
    expect(tip).to_be_hidden()
    view.node("train").focus()
    page.keyboard.press("Tab")
    expect(tip).to_contain_text("rows")
    page.keyboard.press("Tab")
    expect(tip).to_contain_text("train → check")
    shoot("focused")
