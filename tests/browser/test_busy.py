"""The kernel is busy with another cell: what was started is followed, what was asked is answered."""

from __future__ import annotations

import pytest

from tests.browser import books
from tests.browser.view import View, expect


@pytest.mark.parametrize("front", ["lab", "notebook"])
def test_a_run_is_followed_while_another_cell_executes(desk, opened, shoot, front):
    path, gates = books.training(desk)
    book = opened(path)
    book.run(0)
    launch = book.add("%pipeline run --no-wait")
    book.save()
    view = View(book.run(launch)).drawn()
    end = gates.folder / "free"
    busy = book.add(
        f"import pathlib, time\nwhile not pathlib.Path({str(end)!r}).exists():\n    time.sleep(0.02)"
    )
    book.start(busy)
    book.busy(busy)

    gates.open("load", "train")
    view.wait_for("train", "succeeded")
    view.wait_for("check", "running")
    shoot("busy")

    view.node("train").click()
    view.open("logs")
    said = view.root.locator(".kfnb-busy:visible").or_(
        view.log.get_by_text("epoch 39 of 40", exact=True)
    )
    expect(said.first).to_be_visible()
    shoot("asked-while-busy")

    gates.open("free", "check")
    book.finished(busy)
    expect(view.log).to_contain_text("epoch 39 of 40")
    expect(view.root.locator(".kfnb-busy:visible")).to_have_count(0)
    view.wait_for_run("succeeded")


def test_a_run_with_no_wait_leaves_the_kernel_free(desk, opened):
    path, gates = books.training(desk)
    book = opened(path)
    book.run(0)
    launch = book.add("%pipeline run --no-wait")
    book.save()
    view = View(book.run(launch)).drawn()
    assert "42" in book.do("6 * 7").inner_text()
    assert view.status("load") == "running"
    gates.open(*books.STEPS)
    view.wait_for_run("succeeded")


def test_a_run_is_stopped_and_resumed_from_the_view(desk, opened, shoot):
    path, gates = books.training(desk)
    gates.open("load")
    book = opened(path)
    book.run(0)
    launch = book.add("%pipeline run --no-wait")
    book.save()
    view = View(book.run(launch)).drawn()
    view.wait_for("train", "running")
    view.root.get_by_role("button", name="Stop", exact=True).click()
    shoot("confirm")
    view.root.locator(".kfnb-confirm").get_by_role("button", name="Stop the run").click()
    view.wait_for_run("cancelled")
    shoot("stopped")
    gates.open("train", "check")
    view.root.get_by_role("button", name="Resume", exact=True).click()
    view.root.locator(".kfnb-confirm").get_by_role("button", name="Resume the run").click()
    view.wait_for_run("succeeded")


def test_the_view_reports_a_kernel_that_was_restarted(desk, opened, page, shoot):
    path, gates = books.training(desk)
    book = opened(path)
    book.run(0)
    launch = book.add("%pipeline run --no-wait")
    book.save()
    view = View(book.run(launch)).drawn()
    view.wait_for("load", "running")
    book.cell(launch).locator(".jp-InputPrompt").first.click()
    page.keyboard.press("Escape")
    page.keyboard.press("0")
    page.keyboard.press("0")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(view.root.locator(".kfnb-gone")).to_contain_text("is gone")
    expect(view.root.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
    shoot("restarted")
    gates.open(*books.STEPS)


def test_the_view_reports_a_kernel_that_somebody_else_restarted(desk, opened, jupyter, shoot):
    """The page is not told; that nobody answers although nothing is being computed tells it."""
    path, gates = books.training(desk)
    book = opened(path)
    book.run(0)
    launch = book.add("%pipeline run --no-wait")
    book.save()
    view = View(book.run(launch)).drawn()
    view.wait_for("load", "running")
    [session] = [s for s in jupyter.ask("GET", "api/sessions") if s["path"].endswith(path.name)]
    jupyter.ask("POST", f"api/kernels/{session['kernel']['id']}/restart")
    expect(view.root.locator(".kfnb-gone")).to_contain_text("is gone")
    expect(view.root.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
    shoot("restarted-elsewhere")
    gates.open(*books.STEPS)
