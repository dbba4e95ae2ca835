"""A notebook as a person has it open: in JupyterLab 4 or in Notebook 7, which share their parts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.server import Server
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

CELL_TIMEOUT = 60.0


class Book:
    """One notebook in one page.

    Parameters
    ----------
    front
        ``"lab"`` or ``"notebook"``.
    path
        Of the notebook, below the server's root.
    """

    def __init__(self, page: Page, server: Server, front: str, path: Path) -> None:
        self.page = page
        self.server = server
        self.front = front
        self.path = path

    def open(self) -> Book:
        """Load the page, and wait until the kernel is ready."""
        self.page.goto(
            self.server.address(self.front, str(self.path.relative_to(self.server.root)))
        )
        self.cell(0).wait_for(timeout=60_000)
        # Before a kernel is chosen the page calls it idle too, and asks for one when a cell runs.
        self.page.locator(".jp-Toolbar-kernelName", has_text="Python 3").first.wait_for()
        self.wait_idle()
        return self

    def wait_idle(self, seconds: float = CELL_TIMEOUT) -> None:
        indicator = self.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        indicator.first.wait_for(timeout=seconds * 1000)

    @property
    def cells(self) -> Locator:
        return self.page.locator(".jp-Notebook:not(.lm-mod-hidden) .jp-Cell")

    def cell(self, number: int) -> Locator:
        """A cell by its position from 0, as kfnb counts them; -1 is the last."""
        return self.cells.last if number == -1 else self.cells.nth(number)

    def output(self, number: int) -> Locator:
        return self.cell(number).locator(".jp-Cell-outputArea")

    def edit(self, number: int) -> Locator:
        """Put the cursor at the end of a cell's text."""
        editor = self.cell(number).locator(".cm-content")
        editor.click()
        self.page.keyboard.press("Control+End")
        return editor

    def add(self, text: str) -> int:
        """Type a new cell below the last one; its number."""
        before = self.cells.count()
        self.edit(-1)
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("b")
        self._until(lambda: self.cells.count() == before + 1, "the new cell")
        self.page.keyboard.press("Enter")
        self.page.keyboard.insert_text(text)
        return before

    def type(self, text: str) -> int:
        """As :meth:`add`, one key after the other, as completion needs it."""
        number = self.add("")
        self.page.keyboard.type(text)
        return number

    def start(self, number: int) -> None:
        """Run a cell and do not wait for it."""
        self.edit(number)
        self.page.keyboard.press("Control+Enter")

    def run(self, number: int, seconds: float = CELL_TIMEOUT) -> Locator:
        """Run a cell to its end; its outputs."""
        self.start(number)
        self.finished(number, seconds)
        return self.output(number)

    def finished(self, number: int, seconds: float = CELL_TIMEOUT) -> None:
        prompt = self.cell(number).locator(".jp-InputPrompt").first
        self._until(
            lambda: re.search(r"\[\d+\]", prompt.inner_text()) is not None,
            f"cell {number} to finish",
            seconds,
        )

    def do(self, text: str, seconds: float = CELL_TIMEOUT) -> Locator:
        """Type a new cell and run it to its end; its outputs."""
        return self.run(self.add(text), seconds)

    def busy(self, number: int) -> None:
        """Wait until a cell executes."""
        prompt = self.cell(number).locator(".jp-InputPrompt").first
        self._until(lambda: "[*]" in prompt.inner_text(), f"cell {number} to start")

    def save(self) -> None:
        """Save, and wait until the file is written."""
        before = self.path.stat().st_mtime_ns
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Control+s")
        self._until(lambda: self.path.stat().st_mtime_ns != before, "the file to be saved")
        time.sleep(0.2)

    def _until(self, holds: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds:g} s for {what}")
            # Not time.sleep: Playwright's own events are handled while it waits.
            self.page.wait_for_timeout(50)
