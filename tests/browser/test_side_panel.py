"""The side panel in JupyterLab: authoring, running, linking, and what is written."""

from __future__ import annotations

import json
import re

import pytest

from kfnb import __version__
from tests.browser.side_panel import Panel
from tests.browser.view import expect

DIGITS = (
    ("setup", "import math"),
    ("parameters", "n = 10"),
    ("step:load data", "rows = list(range(n))"),
    ("step:split", "train, test = rows[:6], rows[6:]"),
    ("step:fit", "model = sum(train)"),
    ("step:score", "print(math.sqrt(model), len(test))"),
)
PLAIN = tuple(("", source) for _, source in DIGITS)


@pytest.fixture
def panel(desk, opened, page):
    def make(*cells):
        return Panel(page, opened(desk.notebook(*cells))).open()

    return make


def tags_of(path):
    cells = json.loads(path.read_text())["cells"]
    return [cell["metadata"].get("kfnb") for cell in cells]


def test_steps_are_rows_with_what_flows_between_them_and_lead_to_their_cells(panel, shoot):
    shown = panel(*DIGITS)
    shown.expect_steps("load data", "split", "fit", "score")
    expect(shown.rows.nth(2)).to_have_attribute("aria-label", re.compile("fit.*needs train"))
    chip = shown.book.cell(2).get_by_role("button", name="load data")
    expect(chip).to_be_visible()
    shoot("authoring")
    # A click on a row selects its cells, and the active cell marks its row.
    shown.rows.nth(3).click()
    expect(shown.book.cell(5)).to_have_class(re.compile("jp-mod-active"))
    expect(shown.rows.nth(3)).to_have_attribute("aria-selected", "true")
    shown.select(2)
    expect(shown.rows.nth(0)).to_have_attribute("aria-selected", "true")


def test_cells_are_tagged_by_the_keyboard_and_one_undo_takes_all_back(panel, shoot):
    shown = panel(*PLAIN)
    expect(shown.root).to_contain_text("One step: all of it")
    shoot("untagged")
    shown.step(2, 4, "prepare")
    shown.expect_steps("start", "prepare")
    shown.select(5)
    shown.keys("t", "a")
    expect(shown.book.cell(5)).to_have_class(re.compile("kfnb-cell"))
    shown.select(0)
    shown.keys("t", "i")
    expect(shown.book.cell(0).locator(".kfnb-chip")).to_have_text("setup")
    shown.book.save()
    written = tags_of(shown.book.path)
    assert written == [{"role": "setup"}, None, *[{"step": "prepare"}] * 4]
    shown.select(0)
    for _ in range(3):
        shown.keys("z")
    shown.book.save()
    assert tags_of(shown.book.path) == [None] * 6


def test_suggested_steps_are_written_when_they_are_accepted_and_undone_at_once(panel, shoot):
    shown = panel(*PLAIN)
    before = shown.book.path.read_bytes()
    shown.press("Suggest steps")
    expect(shown.root).to_contain_text("Nothing is written before you accept")
    assert len(shown.names()) >= 1
    shoot("proposal")
    assert shown.book.path.read_bytes() == before
    shown.press("Accept")
    shown.book.save()
    written = tags_of(shown.book.path)
    assert written[0] == {"role": "setup"}
    assert written[1] == {"role": "parameters"}
    assert all(one and one["step"] for one in written[2:])
    shown.select(0)
    shown.keys("z")
    shown.book.save()
    assert tags_of(shown.book.path) == [None] * 6


def test_a_run_is_watched_and_leaves_the_notebook_as_it_was_and_one_step_runs_again(panel, shoot):
    shown = panel(*DIGITS)
    shown.expect_steps("load data", "split", "fit", "score")
    shown.book.save()  # the page writes the kernel's name into a notebook that it opens
    before = shown.book.path.read_bytes()
    shown.press("Run")
    expect(shown.root.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    expect(shown.rows.nth(3)).to_have_attribute(
        "aria-label", re.compile("score, (succeeded|cached)"), timeout=60_000
    )
    expect(shown.root.get_by_role("button", name="Run", exact=True)).to_be_visible()
    shoot("succeeded")
    assert shown.book.path.read_bytes() == before
    shown.form(shown.chip(4, "fit")).get_by_role("button", name="Run only this").click()
    expect(shown.rows.nth(2)).to_have_attribute(
        "aria-label", re.compile("fit, succeeded"), timeout=60_000
    )


def test_a_failed_step_is_shown_at_its_line_and_runs_again_after_it_was_mended(panel, shoot):
    broken = [*DIGITS[:4], ("step:fit", "bottom = 0\nmodel = sum(train) / bottom"), DIGITS[5]]
    shown = panel(*broken)
    shown.press("Run")
    band = shown.book.cell(4).locator(".kfnb-band")
    expect(band).to_contain_text("ZeroDivisionError", timeout=60_000)
    expect(shown.root).to_contain_text("fit, line 2")
    shoot("failed")
    shown.press("Go to line")
    expect(shown.book.cell(4)).to_have_class(re.compile("jp-mod-active"))
    shown.book.edit(4)
    shown.page.keyboard.press("Control+a")
    shown.page.keyboard.insert_text("model = sum(train)")
    shown.page.keyboard.press("Escape")
    shown.press("Run again")
    expect(shown.rows.nth(3)).to_have_attribute(
        "aria-label", re.compile("score, (succeeded|cached)"), timeout=60_000
    )
    expect(shown.rows.nth(0)).to_have_attribute("aria-label", re.compile("load data, cached"))
    expect(band).to_have_count(0)


def test_a_problem_is_listed_and_mended_by_its_quick_fix(panel, shoot):
    shown = panel(("step:make", "models = [1]"), ("step:use", "print(model)"))
    problem = shown.root.locator(".kfnb-finding")
    expect(problem).to_contain_text('Did you mean "models"')
    expect(shown.rows.nth(1)).to_have_attribute("aria-label", re.compile("1 error"))
    shoot("problems")
    shown.press('Use "models"')
    expect(problem).to_have_count(0)
    shown.book.save()
    assert "print(models)" in shown.book.path.read_text()


def test_a_rename_reaches_every_cell_and_every_dependency(panel):
    shown = panel(
        ("step:one", "a = 1"), ("step:one", "b = 2"), (["step:two", "after:one"], "print(3)")
    )
    shown.expect_steps("one", "two")
    shown.rows.nth(0).dblclick()
    shown.page.locator(".jp-Dialog input").fill("first")
    shown.keys("Enter")
    shown.expect_steps("first", "two")
    shown.book.save()
    cells = json.loads(shown.book.path.read_text())["cells"]
    assert [cell["metadata"]["tags"] for cell in cells] == [
        ["step:first"], ["step:first"], ["step:two", "after:first"],
    ]  # fmt: skip


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_panel_is_usable_at_each_width_and_in_each_theme(panel, jupyter, shoot, theme):
    jupyter.configure(theme={"theme": f"JupyterLab {theme.title()}"})
    try:
        shown = panel(*DIGITS)
        shown.expect_steps("load data", "split", "fit", "score")
        for width in (260, 300, 700):
            shown.width(width)
            box = shown.root.bounding_box()
            for name in ("Run", "Graph"):
                button = shown.root.get_by_role("button", name=name, exact=True).bounding_box()
                assert button["x"] >= box["x"]
                assert button["x"] + button["width"] <= box["x"] + box["width"] + 1
            for row in shown.root.locator(".kfnb-row-name").all():
                assert row.bounding_box()["width"] > 20
            shoot(f"panel-{theme}-{width}")
        shown.width(300)
        form = shown.form(shown.chip(4, "fit"))
        form.locator("summary", has_text="Options").click()
        shoot(f"form-{theme}")
        assert shown.inaccessible() == []
    finally:
        jupyter.configure(theme={"theme": "JupyterLab Light"})


def test_a_chip_opens_a_form_for_name_order_options_and_role(panel, shoot):
    shown = panel(*DIGITS)
    form = shown.form(shown.chip(3, "split"))
    expect(form.get_by_role("group", name="Runs after")).to_contain_text("load data")
    form.get_by_label("Name", exact=True).fill("cut")
    form.locator("summary", has_text="Options").click()
    form.get_by_label("Retries").fill("two")
    form.get_by_role("button", name="Done").click()
    expect(form.get_by_label("Retries")).to_have_attribute("aria-invalid", "true")
    form.get_by_label("Retries").fill("2")
    shoot("form")
    form.get_by_role("button", name="Done").click()
    shown.expect_steps("load data", "cut", "fit", "score")
    form = shown.form(shown.chip(5, "score"))
    form.get_by_label("Add a step").select_option("cut")
    form.get_by_role("button", name="Done").click()
    shown.book.save()
    cells = shown.cells()
    assert cells[3]["metadata"] == {"tags": ["step:cut"], "kfnb": {"options": {"retries": 2}}}
    assert cells[5]["metadata"]["tags"] == ["step:score", "after:cut"]
    form = shown.form(shown.chip(3, "cut"))
    form.get_by_label("Role").select_option("skip")
    form.get_by_role("button", name="Done").click()
    expect(shown.book.cell(3).locator(".kfnb-chip")).to_have_text("skip")
    shown.expect_steps("load data", "fit", "score")
    # Each Done is one edit.
    shown.select(0)
    for _ in range(3):
        shown.keys("z")
    shown.book.save()
    assert [cell["metadata"].get("tags") for cell in shown.cells()][3] == ["step:split"]


KEY, MENTAL = 0.28, 1.35
"""Seconds of the keystroke-level model: pressing a key, and preparing what to do next."""
COUNT = "addEventListener('keydown', () => { window.presses = (window.presses ?? 0) + 1 }, true)"


def test_ten_cells_are_tagged_by_the_keyboard_within_35_seconds_of_its_model(panel):
    shown = panel(*[("", f"x{n} = {n} + len('{n}')") for n in range(10)])
    shown.select(0)
    shown.page.evaluate(COUNT)
    steps = (("load", 0, 3), ("fit", 4, 6), ("score", 7, 9))
    for name, first, last in steps:
        if first:
            shown.keys("ArrowDown")
        for _ in range(first, last):
            shown.keys("Shift+ArrowDown")
        shown.keys("t", "s")
        shown.page.locator(".jp-Dialog input").wait_for()
        shown.keys("Control+a")
        shown.page.keyboard.type(name)
        shown.keys("Enter")
        expect(shown.page.locator(".jp-Dialog")).to_have_count(0)
    shown.expect_steps("load", "fit", "score")
    presses = shown.page.evaluate("window.presses")
    assert presses * KEY + 2 * len(steps) * MENTAL <= 35


POINT, PRESS, HOME = 1.1, 0.2, 0.4
"""Seconds of pointing, of pressing a button of the mouse, and of moving a hand to the keyboard."""
COUNT_ALL = """
for (const type of ['pointerdown', 'keydown']) {
  addEventListener(type, () => { window[type] = (window[type] ?? 0) + 1 }, true);
}
"""


def test_ten_cells_are_tagged_by_the_mouse_within_50_seconds_of_its_model(panel, shoot):
    shown = panel(*[("", f"x{n} = {n} + len('{n}')") for n in range(10)])
    shown.page.evaluate(COUNT_ALL)
    steps = (("load", 0, 3), ("fit", 4, 6), ("score", 7, 9))
    for name, first, last in steps:
        shown.book.cell(first).locator(".jp-InputPrompt").click()
        shown.book.cell(last).locator(".jp-InputPrompt").click(modifiers=["Shift"])
        shown.book.cell(last).locator(".jp-InputArea").hover()
        button = shown.book.cell(last).get_by_role("button", name="+ step")
        if name == "load":
            shoot("hovered")
        form = shown.form(button)
        shown.page.keyboard.type(name)
        shown.keys("Enter")
        expect(form).to_have_count(0)
    shown.expect_steps("load", "fit", "score")
    clicks, presses = (shown.page.evaluate(f"window.{one}") for one in ("pointerdown", "keydown"))
    # Before each step a person decides what it is, and how it is called.
    seconds = clicks * (POINT + PRESS) + presses * KEY + len(steps) * 2 * (MENTAL + HOME)
    assert seconds <= 50
    shown.book.save()
    assert [cell["metadata"]["kfnb"]["step"] for cell in shown.cells()] == [
        *["load"] * 4, *["fit"] * 3, *["score"] * 3
    ]  # fmt: skip


def test_ten_cells_are_tagged_by_suggest_with_two_clicks(panel):
    shown = panel(*[("", f"x{n} = {n} + len('{n}')") for n in range(10)])
    shown.page.evaluate(
        "addEventListener('click', () => { window.clicks = (window.clicks ?? 0) + 1 }, true)"
    )
    shown.press("Suggest steps")
    shown.press("Accept")
    expect(shown.root.get_by_role("button", name="Accept")).to_have_count(0)
    expect(shown.rows.first).to_be_visible()
    pointing, pressing = 1.1, 0.2
    clicks = shown.page.evaluate("window.clicks")
    assert clicks * (pointing + pressing + MENTAL) <= 15


def test_every_key_does_what_the_menu_says(panel, shoot):
    shown = panel(
        ("", "n = 3"), ("step:a", "x = n"), ("", "y = x"), ("step:b", "print(y, missing)"),
        ("", "print(2)"),
    )  # fmt: skip
    chip = [shown.book.cell(n).locator(".kfnb-chip") for n in range(5)]
    shown.select(0)
    shown.keys("t", "p")
    expect(chip[0]).to_have_text("parameters")
    shown.select(4)
    shown.keys("t", "m")
    expect(chip[4]).to_have_text("metrics")
    shown.keys("t", "c")
    expect(chip[4]).to_have_count(0)
    shown.select(2)
    shown.keys("t", "-")
    expect(chip[2]).to_contain_text("b")
    shown.select(1)
    shown.keys("t", "+")
    expect(chip[3]).to_contain_text("b")
    shown.keys("t", "e")
    expect(shown.book.cell(3)).to_have_class(re.compile("jp-mod-active"))
    shown.select(3)
    shown.keys("t", "g")
    expect(shown.root.get_by_role("listbox")).to_be_focused()
    shown.keys("t", "g")
    expect(shown.root.get_by_role("listbox")).not_to_be_focused()
    shown.keys("t", "o")
    form = shown.page.get_by_role("dialog", name="Step of the cell")
    expect(form.get_by_label("Name", exact=True)).to_have_value("b")
    shown.keys("Escape")
    expect(form).to_have_count(0)
    shown.keys("t", "r")
    expect(shown.root.locator(".kfnb-problem")).to_contain_text("errors")


def test_rows_and_cells_are_dragged_onto_a_step_and_edges_say_why(panel, shoot):
    shown = panel(*DIGITS)
    shown.expect_steps("load data", "split", "fit", "score")
    shown.rows.nth(2).locator(".kfnb-flows").hover()
    reason = shown.root.get_by_role("tooltip")
    expect(reason).to_contain_text("split \u2192 fit: train")
    marked = "[...CSS.highlights.get('kfnb-flow')].map(range => range.toString())"
    shown.page.wait_for_function("CSS.highlights.has('kfnb-flow')")
    assert set(shown.page.evaluate(marked)) == {"train"}
    shoot("reason")
    shown.rows.nth(3).drag_to(shown.rows.nth(2))
    shown.expect_steps("load data", "split", "fit")
    source = shown.book.cell(3).locator(".jp-InputPrompt").bounding_box()
    target = shown.rows.nth(0).bounding_box()
    mouse = shown.page.mouse
    mouse.move(source["x"] + 20, source["y"] + 10)
    mouse.down()
    mouse.move(source["x"] + 40, source["y"] + 30, steps=4)
    mouse.move(target["x"] + 60, target["y"] + 12, steps=6)
    mouse.up()
    shown.expect_steps("load data", "fit")


@pytest.mark.parametrize("front", ["notebook"])
def test_notebook_7_shows_the_panel_too(desk, opened, page, front, shoot):
    book = opened(desk.notebook(*DIGITS))
    expect(book.cell(3).locator(".kfnb-chip")).to_have_text("split")
    page.locator(
        ".jp-Toolbar-item[data-jp-item-name=kfnb-pipeline] button, "
        "[data-jp-item-name=kfnb-pipeline] jp-button"
    ).first.click()
    Panel(page, book).expect_steps("load data", "split", "fit", "score")
    shoot("notebook-7")


def test_a_server_of_another_version_is_named(desk, opened, page, shoot):
    hello = {"ch": "", "kind": "hello", "protocol": 1, "version": "0.0.1"}
    page.route_web_socket("**/kfnb/v1/live*", lambda socket: socket.send(json.dumps(hello)))
    shown = Panel(page, opened(desk.notebook(*DIGITS))).open()
    said = shown.root.get_by_role("alert")
    expect(said).to_contain_text(f"The server has kfnb 0.0.1 and this page has kfnb {__version__}")
    shoot("said")


AS_IN_JUPYTERLITE = """
new MutationObserver((_, observer) => {
  const config = document.getElementById('jupyter-config-data');
  if (config?.textContent.trim().endsWith('}')) {
    const all = {...JSON.parse(config.textContent), litePluginSettings: {}};
    config.textContent = JSON.stringify(all);
    observer.disconnect();
  }
}).observe(document, {childList: true, subtree: true});
"""
"""Gives the page the option by which sites of JupyterLite are recognised."""


def test_in_jupyterlite_the_panel_says_what_is_missing(desk, opened, page, shoot):
    page.add_init_script(AS_IN_JUPYTERLITE)
    shown = Panel(page, opened(desk.notebook(*DIGITS))).open()
    expect(shown.root.get_by_role("alert")).to_contain_text("JupyterLite has no server")
    shown.expect_steps("load data", "split", "fit", "score")
    shown.press("Run")
    expect(page.locator(".jp-Dialog")).to_contain_text("nothing was started")
    shoot("said")


def test_steps_that_were_executed_again_are_shown_with_the_reason(panel, page, shoot):
    because = 'step "make" changed rows after it was read'

    def begun_anew(message):
        """Let a step of the run be in its second round; only how that looks is tested here."""
        sent = json.loads(message)
        states = (sent.get("state") or sent).get("steps")
        if isinstance(states, dict) and "use" in states:
            states["use"] |= {"round": 1, "again": because}
        return json.dumps(sent)

    def relay(socket):
        server = socket.connect_to_server()
        server.on_message(lambda message: socket.send(begun_anew(message)))

    page.route_web_socket("**/kfnb/v1/live*", relay)
    shown = panel(("step:make", "rows = [1]"), ("step:use", "print(rows)"))
    shown.press("Run")
    expect(shown.root).to_contain_text(f"use was executed again: {because}", timeout=60_000)
    expect(shown.rows.nth(1)).to_have_attribute("aria-label", re.compile("executed again"))
    shoot("repaired")


def test_a_server_without_kfnb_is_named_and_tags_work(desk, opened, page, shoot):
    page.route_web_socket("**/kfnb/v1/live*", lambda socket: socket.close())
    shown = Panel(page, opened(desk.notebook(*DIGITS))).open()
    expect(shown.root).to_contain_text("pip install 'kfnb[lab]'")
    shown.select(5)
    shown.keys("t", "k")
    shown.expect_steps("load data", "split", "fit")
    shoot("absent")
