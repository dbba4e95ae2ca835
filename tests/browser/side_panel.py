"""The side panel as a person finds it: by roles and names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.browser.conditions import ROOT
from tests.browser.view import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.book import Book


AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"


class Panel:
    """The panel beside an open notebook."""

    def __init__(self, page: Page, book: Book | None = None) -> None:
        self.page = page
        self.book = book
        self.root = page.get_by_role("region", name="Pipeline", exact=True)

    def open(self) -> Panel:
        self.page.get_by_role("tab", name="Pipeline").first.click()
        self.root.wait_for()
        return self

    @property
    def rows(self) -> Locator:
        return self.root.get_by_role("option")

    def names(self) -> list[str]:
        return self.root.locator(".kfnb-row-name").all_inner_texts()

    def expect_steps(self, *names: str) -> None:
        expect(self.root.locator(".kfnb-row-name")).to_have_text(list(names))

    def chip(self, cell: int, name: str) -> Locator:
        assert self.book is not None
        return self.book.cell(cell).get_by_role("button", name=name).first

    def form(self, opener: Locator) -> Locator:
        """Open the form of a chip, or of another button."""
        opener.click()
        form = self.page.get_by_role("dialog", name="Step of the cell")
        form.wait_for()
        return form

    def cells(self) -> list[dict[str, Any]]:
        """Return the cells as they were saved."""
        assert self.book is not None
        found: list[dict[str, Any]] = json.loads(self.book.path.read_text())["cells"]
        return found

    def inaccessible(self) -> list[str]:
        """Return what axe finds serious in what kfnb shows: rules with their elements."""
        self.page.add_script_tag(path=AXE)
        found: list[str] = self.page.evaluate(
            """async () => {
              const include = ['#kfnb-panel', '.kfnb-chip-row', '.kfnb-cell-form'];
              const {violations} = await axe.run(
                {include: include.filter(one => document.querySelector(one))},
                {resultTypes: ['violations']}
              );
              return violations
                .filter(one => ['serious', 'critical'].includes(one.impact))
                .map(one => `${one.id}: ${one.nodes.map(node => node.html).join(' ')}`);
            }"""
        )
        return found

    def press(self, name: str) -> None:
        self.root.get_by_role("button", name=name, exact=True).click()

    def select(self, first: int, last: int | None = None) -> None:
        """Select cells in command mode, as with a click and Shift+arrows."""
        assert self.book is not None
        self.book.cell(first).locator(".jp-InputPrompt").click()
        for _ in range(first, last if last is not None else first):
            self.page.keyboard.press("Shift+ArrowDown")

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def step(self, first: int, last: int, name: str) -> None:
        """Make a step by the keyboard: T S, its name, Enter."""
        self.select(first, last)
        self.keys("t", "s")
        field = self.page.locator(".jp-Dialog input")
        field.fill(name)
        self.keys("Enter")
        expect(self.page.locator(".jp-Dialog")).to_have_count(0)

    def width(self, pixels: int) -> None:
        """Drag the panel's edge until the panel has this width."""
        handle = self.page.locator("#jp-main-split-panel > .lm-SplitPanel-handle").first
        box = handle.bounding_box()
        panel = self.root.bounding_box()
        assert box is not None
        assert panel is not None
        self.page.mouse.move(box["x"] + 1, box["y"] + 200)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + 1 + pixels - panel["width"], box["y"] + 200, steps=4)
        self.page.mouse.up()
