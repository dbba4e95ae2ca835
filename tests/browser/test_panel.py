"""The view itself, in an empty page: statuses, keyboard, themes, a thousand steps."""

from __future__ import annotations

import pytest

from tests.browser.bare import Bare
from tests.browser.traits import layered, state_of, traits
from tests.browser.view import CONTRAST, View, expect

STATUSES = ("pending", "running", "succeeded", "cached", "failed", "skipped", "cancelled")
DIAMOND = [(0, 1), (0, 2), (1, 3), (2, 3)]


def mixed(count):
    made = traits([f"step {n}" for n in range(count)], layered(count))
    for n, node in enumerate(made["graph"]["nodes"]):
        made["state"]["steps"][node["id"]] = state_of(STATUSES[n % 7], started=1.7e9, duration=2.5)
    return made


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_status_has_a_word_a_shape_and_enough_contrast(page, shoot, theme):
    made = traits([f"a {status} step" for status in STATUSES], [(n, n + 1) for n in range(6)])
    for node, status in zip(made["graph"]["nodes"], STATUSES, strict=True):
        made["state"]["steps"][node["id"]] = state_of(status)
    Bare(page, made)
    page.evaluate(
        "dark => { document.body.dataset.jpThemeLight = String(!dark);"
        " document.body.style.background = dark ? '#111' : '#fff' }",
        theme == "dark",
    )
    view = View(page.locator("#kfnb")).drawn()
    assert view.root.get_attribute("data-theme") == theme
    labels = view.nodes.evaluate_all("nodes => nodes.map(n => n.getAttribute('aria-label'))")
    for label, status in zip(labels, STATUSES, strict=True):
        assert status in label.removeprefix(f"a {status} step").lower()
    glyphs = view.nodes.evaluate_all(
        "nodes => nodes.map(n => [...n.querySelectorAll('path, circle, use')]"
        ".map(g => g.getAttribute('d') ?? g.getAttribute('href') ?? g.outerHTML).join())"
    )
    assert len(set(glyphs)) == len(STATUSES), "two statuses look alike without their colour"
    contrasts = view.nodes.evaluate_all(f"nodes => nodes.map({CONTRAST})")
    assert min(contrasts) >= 4.5, dict(zip(STATUSES, contrasts, strict=True))
    shoot("statuses")
    for tab in ("table", "metrics", "logs", "outputs", "runs", "compare"):
        view.open(tab)
        shoot(tab)


def test_the_graph_is_walked_with_the_keyboard(page, shoot):
    bare = Bare(page, traits(["top", "left", "right", "bottom"], DIAMOND))
    view = View(page.locator("#kfnb")).drawn()
    view.node("top").focus()
    page.keyboard.press("ArrowDown")
    first = focused(page)
    assert first in ("n1", "n2")
    page.keyboard.press("ArrowRight" if first == "n1" else "ArrowLeft")
    assert {first, focused(page)} == {"n1", "n2"}
    page.keyboard.press("ArrowDown")
    assert focused(page) == "n3"
    shoot("focus")
    before = view.node("bottom").bounding_box()
    page.keyboard.press("+")
    assert view.settled().node("bottom").bounding_box()["width"] > before["width"]
    page.keyboard.press("0")
    assert view.settled().node("bottom").bounding_box()["width"] == pytest.approx(
        before["width"], abs=1
    )
    page.keyboard.press("Enter")
    expect(view.detail).to_contain_text("bottom")
    assert {"kind": "select", "id": "n3"} in bare.asked
    shoot("opened")


def focused(page):
    return page.evaluate("document.activeElement.closest('[data-id]')?.dataset.id")


def test_statuses_change_without_a_new_layout(page):
    made = traits(["top", "left", "right", "bottom"], DIAMOND)
    bare = Bare(page, made)
    view = View(page.locator("#kfnb")).drawn()
    nodes = page.evaluate_handle("[...document.querySelectorAll('.kfnb-node')]")
    places = centres(view)
    bare.tell({**made["state"], "kind": "state", "seq": 2, "steps": {"n1": state_of("running")}})
    view.wait_for("left", "running")
    assert centres(view) == pytest.approx(places, abs=0.6)
    assert page.evaluate("nodes => nodes.every(node => node.isConnected)", nodes)


def centres(view):
    """Where the cards are within the drawing; a notice above it may come and go meanwhile.

    All are measured at one moment, because the notice may come between two measurements.
    """
    return view.root.locator(".kfnb-dag").evaluate(
        """dag => {
          const origin = dag.getBoundingClientRect();
          return [...dag.querySelectorAll('.kfnb-node')].flatMap(node => {
            const box = node.getBoundingClientRect();
            return [box.x + box.width / 2 - origin.x, box.y - origin.y];
          });
        }"""
    )


def test_the_mouse_moves_and_zooms(page):
    Bare(page, traits(["top", "left", "right", "bottom"], DIAMOND))
    view = View(page.locator("#kfnb")).drawn()
    place = view.root.locator(".kfnb-dag").bounding_box()
    before = view.node("top").bounding_box()
    page.mouse.move(place["x"] + 30, place["y"] + place["height"] - 30)
    page.mouse.down()
    page.mouse.move(place["x"] + 130, place["y"] + place["height"] - 10, steps=5)
    page.mouse.up()
    moved = view.settled().node("top").bounding_box()
    assert moved["x"] - before["x"] == pytest.approx(100, abs=2)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    # A wheel's event comes some time after the call.
    page.wait_for_function(
        "width => document.querySelector('.kfnb-node').getBoundingClientRect().width > width",
        arg=moved["width"],
    )


@pytest.mark.parametrize("count", [100, 1000])
def test_many_steps(page, shoot, count):
    Bare(page, mixed(count))
    view = View(page.locator("#kfnb")).drawn()
    assert view.nodes.count() == count
    shoot("graph")
    view.open("table")
    shoot("table")


def test_a_kernel_of_another_version_is_named(page, shoot):
    Bare(page, {**traits(["only"], []), "version": "0.0.1"})
    said = View(page.locator("#kfnb")).drawn().root.get_by_role("alert")
    expect(said).to_contain_text("The kernel has kfnb 0.0.1 and this view has kfnb")
    shoot("said")


def test_the_view_says_that_a_busy_kernel_was_asked(page, shoot):
    made = traits(["only"], [])
    bare = Bare(page, made)
    view = View(page.locator("#kfnb")).drawn()
    bare.tell({**made["state"], "kind": "state", "seq": 2, "steps": {}})
    bare.tell({"kind": "metrics", "reset": True, "points": []})
    expect(view.root.locator(".kfnb-busy:visible")).to_have_count(0)
    view.node("only").click()
    view.open("logs")
    expect(view.root.locator(".kfnb-busy")).to_contain_text("busy")
    shoot("busy")
    bare.tell(
        {"kind": "log", "step": "n0", "attempt": 1, "from": 0, "to": 6, "total": 6}
        | {"text": "hello\n", "reset": True, "attempts": [1]}
    )
    expect(view.root.locator(".kfnb-busy:visible")).to_have_count(0)
