"""A person types the magics, and watches."""

from __future__ import annotations

import json

import pytest

from tests.browser import books
from tests.browser.view import View, expect

FRONTS = pytest.mark.parametrize("front", ["lab", "notebook"])


@FRONTS
def test_the_dag_follows_a_run_that_was_typed(desk, opened, shoot):
    path, gates = books.training(desk)
    book = opened(path)
    book.run(0)
    launch = book.add("%pipeline run --no-wait")
    book.save()
    view = View(book.run(launch)).drawn()
    view.wait_for("load", "running")
    assert view.statuses() == ["running", "pending", "pending"]
    shoot("1-started")

    gates.open("load")
    view.wait_for("load", "succeeded")
    view.wait_for("train", "running")
    shoot("2-training")

    gates.open("train", "check")
    view.wait_for_run("succeeded")
    assert view.statuses() == ["succeeded"] * 3
    shoot("3-succeeded")

    assert view.is_whole()
    view.node("train").click()
    expect(view.detail).to_contain_text("train")
    shoot("4-clicked")


@FRONTS
def test_the_dag_follows_while_its_own_cell_waits(desk, opened, shoot):
    path, gates = books.training(desk)
    book = opened(path)
    book.run(0)
    launch = book.add("%pipeline run --wait")
    book.save()
    book.start(launch)
    view = View(book.output(launch)).drawn()
    view.wait_for("load", "running")
    gates.open("load")
    view.wait_for("train", "running")
    assert "[*]" in book.cell(launch).locator(".jp-InputPrompt").first.inner_text()
    shoot("waiting")
    gates.open("train", "check")
    book.finished(launch)
    view.wait_for_run("succeeded")


@FRONTS
def test_keys_typed_in_a_view_are_no_shortcuts_of_the_notebook(desk, opened, page):
    path, _ = books.training(desk)
    book = opened(path)
    book.run(0)
    view = View(book.do("%pipeline show")).drawn()
    book.do("kept = 1")
    count = book.cells.count()
    view.node("train").click()
    for key in "b00dda":
        page.keyboard.press(key)
    page.wait_for_timeout(500)
    assert book.cells.count() == count
    assert page.locator(".jp-Dialog").count() == 0
    assert "1" in book.do("kept").inner_text()


def test_a_node_opens_its_log_and_the_chart_zooms(desk, opened, shoot):
    path, gates = books.training(desk)
    gates.open(*books.STEPS)
    book = opened(path)
    book.run(0)
    launch = book.add("%pipeline run --no-wait")
    book.save()
    view = View(book.run(launch)).drawn()
    view.wait_for_run("succeeded")

    view.node("train").click()
    log = view.open("logs")
    expect(log).to_contain_text("epoch 39 of 40")
    shoot("log")
    log.get_by_role("searchbox").fill("epoch 3")
    expect(log.locator(".kfnb-log-count")).to_contain_text("11")
    shoot("log-search")

    view.open("metrics")
    low, high = view.chart.range
    shoot("chart")
    view.chart.drag(0.25, 0.5)
    nearer = view.chart.range
    assert low < nearer[0] < nearer[1] < high
    shoot("chart-zoomed")
    view.chart.root.get_by_role("button", name="Reset zoom").click()
    assert view.chart.range == (low, high)

    for tab in ("table", "outputs", "compare"):
        view.open(tab)
        shoot(tab)


def test_a_failure_says_where_and_can_be_debugged(desk, opened, shoot):
    book = opened(books.failing(desk))
    book.run(0)
    launch = book.add("%pipeline run --no-wait")
    book.save()
    view = View(book.run(launch)).drawn()
    view.wait_for_run("failed")
    assert view.statuses() == ["succeeded", "failed", "skipped"]
    view.node("divide").click()
    expect(view.detail).to_contain_text("ZeroDivisionError")
    failure = view.detail.get_by_role("group", name="Error")
    expect(failure.get_by_role("button", name="line 3")).to_be_visible()
    expect(failure.locator(".kfnb-location")).to_contain_text("shares = ")
    shoot("failed")

    said = book.do("%pipeline debug divide")
    expect(said).to_contain_text("line 3: `shares = ")
    expect(book.do("numbers, divisor")).to_contain_text("([3, 1, 2], 0)")
    shoot("debugged")


def test_run_again_runs_the_notebook_as_it_is_now(desk, opened, page, shoot):
    path = books.failing(desk)
    book = opened(path)
    book.run(0)
    launch = book.add("%pipeline run --no-wait")
    book.save()
    view = View(book.run(launch)).drawn()
    view.wait_for_run("failed")
    first = view.root.get_attribute("data-run")
    buttons = view.root.locator(".kfnb-title").get_by_role("button")
    assert buttons.all_inner_texts() == ["Run again", "Resume"]
    text = path.read_text()
    assert text.count("divisor = 0") == 1
    path.write_text(text.replace("divisor = 0", "divisor = 2"))
    view.root.get_by_role("button", name="Run again").click()
    page.wait_for_function(
        "([root, first]) => root.dataset.run !== first",
        arg=[view.root.element_handle(), first],
    )
    view.wait_for_run("succeeded")
    shoot("again")
    listed = view.open("runs")
    listed.locator(f'[data-run="{first}"] input').check()
    shoot("runs")
    listed.get_by_role("button", name="Compare (2)").click()
    compared = view.root.locator('[role=tabpanel][data-tab="compare"]')
    code = compared.locator(".kfnb-code-table")
    expect(code).to_contain_text("divisor = 2")
    expect(code).to_contain_text("divisor = 0")
    shoot("compared")


def test_names_are_completed(desk, opened, page, shoot):
    path, _ = books.training(desk)
    book = opened(path)
    book.run(0)
    book.add("")
    page.keyboard.type("%pipeline logs tr")
    shown = (
        page.locator(".jp-Completer-match")
        .get_by_text("train")
        .or_(book.cell(-1).get_by_text("%pipeline logs train"))
    )
    page.keyboard.press("Tab")
    expect(shown.first).to_be_visible()
    shoot("completed")


def test_a_step_cell_runs_as_usual(desk, opened, shoot):
    path, _ = books.training(desk)
    book = opened(path)
    book.run(0)
    out = book.do(
        "%%step extra --after train\nfrom IPython.display import HTML\nHTML('<b>rich</b>')"
    )
    expect(out.locator("b")).to_have_text("rich")
    out = book.do("%%step extra\nimport asyncio\nawait asyncio.sleep(0.01)\n1 / 0")
    expect(out).to_contain_text("ZeroDivisionError")
    expect(out).to_contain_text("line 4")
    shoot("step-cell")


def test_a_wrong_word_gets_a_sentence(desk, opened, shoot):
    path, _ = books.training(desk)
    book = opened(path)
    book.run(0)
    for wrong in (
        "%pipeline lgos train",
        "%pipeline logs trian",
        "%pipeline run -p rat=3",
        "%%step",
    ):
        out = book.do(wrong)
        expect(out).not_to_contain_text("Traceback")
        assert out.inner_text().strip()
    shoot("sentences")


def test_what_is_wrong_in_the_notebook_links_to_its_cell(desk, opened, shoot):
    path = desk.notebook(
        ("skip", "%load_ext kfnb"),
        ("step:load", "rows = [1]"),
        ("step:train", "print(rowz)"),
        name="wrong.ipynb",
    )
    book = opened(path)
    book.run(0)
    out = book.do("%pipeline check")
    expect(out).to_contain_text("rowz")
    expect(out).to_contain_text("Did you mean")
    out.locator("a").first.click()
    shoot("checked")


def test_unsaved_changes_are_reported(desk, opened, shoot):
    path, _ = books.training(desk)
    book = opened(path)
    book.run(0)
    book.edit(2)
    book.page.keyboard.type("\nrate = 0.2")
    book.run(2)
    out = book.do("%pipeline show")
    expect(out.first).to_contain_text("You have unsaved changes.")
    shoot("unsaved")


@FRONTS
def test_options_of_the_pipeline_are_set_in_the_notebook(desk, opened, page, shoot):
    path, _ = books.training(desk)
    book = opened(path)
    book.run(0)
    view = View(book.do("%pipeline show")).drawn()
    view.root.locator(".kfnb-pipeline-options summary").click()
    view.root.get_by_role("button", name="Change").click()
    view.root.get_by_label("Retries").fill("2")
    view.root.get_by_label("Memory").fill("much")
    view.root.get_by_role("button", name="Set", exact=True).click()
    expect(view.root.get_by_label("Memory")).to_have_attribute("aria-invalid", "true")
    shoot("1-wrong")
    view.root.get_by_label("Memory").fill("4Gi")
    view.root.get_by_role("button", name="Add a volume").click()
    view.root.get_by_label("Folder in the steps").fill("/data")
    view.root.get_by_label("Claim").fill("big")
    view.root.get_by_role("button", name="Set", exact=True).click()
    expect(view.root.locator(".kfnb-pipeline-options")).to_contain_text("Save it")
    shoot("2-set")
    book.cell(0).click()
    book.save()
    assert json.loads(path.read_text())["metadata"]["kfnb"] == {
        "defaults": {"retries": 2, "memory": "4Gi"},
        "volumes": [{"mount": "/data", "claim": "big"}],
    }
    again = View(book.do("%pipeline show")).drawn()
    summary = again.root.locator(".kfnb-pipeline-options summary")
    expect(summary).to_contain_text("memory")
    expect(summary).to_contain_text("volume")
