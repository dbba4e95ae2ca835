"""Measure the side panel in JupyterLab: from an edit to its rows and its graph, and scrolling."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .page import Figure, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

CELLS = 200
ROWS = 1000
EDITS = 12
STARTS = 8
# Notes when a key edits, when the rows change, and when the graph is the newest one.
_WATCH = """
() => {
  window.times = [];
  addEventListener('keydown', event => {
    if (event.key === 'k' || event.key === 'a') {
      window.times.push({pressed: performance.now()});
    }
  }, true);
  const panel = document.querySelector('#kfnb-panel');
  const rows = () => panel.querySelector('.kfnb-section summary').innerText;
  let before = rows();
  let stale = false;
  const look = () => {
    const last = window.times.at(-1);
    if (last) {
      if (rows() !== before && last.rows === undefined) {
        last.rows = performance.now() - last.pressed;
        before = rows();
        stale = false;
      }
      stale = stale || panel.querySelector('.kfnb-stale') !== null;
      if (last.rows !== undefined && last.graph === undefined && stale &&
          panel.querySelector('.kfnb-stale') === null) {
        last.graph = performance.now() - last.pressed;
      }
    }
  };
  new MutationObserver(look).observe(panel, {
    subtree: true, childList: true, attributes: true, characterData: true
  });
}
"""
_SCROLL = """
async () => {
  const list = document.querySelector('#kfnb-panel [role=listbox]');
  const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  for (let n = 0; n < 100; n++) {
    list.scrollTop = n * 200;
    await frame();
  }
}
"""


def side_panel(folder: Path) -> Iterator[Figure]:
    """Yield the figures of this row."""
    from tests.browser.server import serving

    with serving(folder / "jupyter") as server, chromium() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        for name, count in (("edited", CELLS), ("long", ROWS)):
            _write(server.root / f"{name}.ipynb", count)
        page = _opened(context.new_page(), server.address("lab", "edited.ipynb"), CELLS)
        page.evaluate(_WATCH)
        times = _edits(page)
        for what in ("rows", "graph"):
            values = [one[what] for one in times if what in one]
            note = f"{CELLS} cells, {len(values)} edits"
            yield f"edit to {what}, median", statistics.median(values), "ms", note
            yield f"edit to {what}, slowest", max(values), "ms", note
        page.close()
        page = _opened(context.new_page(), server.address("lab", "long.ipynb"), ROWS)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        before = _busy(session)
        page.evaluate(_SCROLL)
        spent = (_busy(session) - before) * 10
        yield "scrolling, script and layout of a frame, mean", spent, "ms", f"{ROWS} rows"
        page.close()
        with serving(folder / "plain", extension=False) as plain:
            pairs = [(_start(browser, plain), _start(browser, server)) for _ in range(STARTS)]
        without, with_it = (statistics.median(times) for times in zip(*pairs, strict=True))
        note = f"{without:.0f} ms without, median of {STARTS}"
        yield "start of JupyterLab, with the extension", with_it - without, "ms more", note


def _start(browser: Any, server: Any) -> float:
    """Return the milliseconds until a fresh page of JupyterLab shows its launcher."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{server.url}lab?reset&token={server.token}")
    page.locator(".jp-LauncherCard").first.wait_for(timeout=60_000)
    taken: float = page.evaluate("performance.now()")
    context.close()
    return taken


def _write(path: Path, count: int) -> None:
    cells = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {"tags": [f"step:step {n}"]},
            "source": f"v{n} = {f'v{n - 1}' if n % 7 else '0'} + 1\nprint(v{n})",
            "execution_count": None,
            "outputs": [],
        }
        for n in range(count)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    book = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(book))


def _opened(page: Page, address: str, count: int) -> Page:
    page.goto(address)
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
    page.get_by_role("tab", name="Pipeline").first.click()
    page.locator("#kfnb-panel summary", has_text=str(count)).wait_for(timeout=60_000)
    page.locator("#kfnb-panel .kfnb-stale").wait_for(state="detached", timeout=60_000)
    return page


def _edits(page: Page) -> list[dict[str, float]]:
    """Skip a cell, and the next one: each time the list loses a row."""
    page.locator(".jp-Notebook .jp-InputPrompt").nth(1).click()
    for number in range(EDITS):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("t")
        page.keyboard.press("k")
        page.wait_for_function(
            "n => window.times[n]?.graph !== undefined", arg=number, timeout=20_000
        )
    times: list[dict[str, float]] = page.evaluate("window.times")
    return times


def _busy(session: Any) -> float:
    """Return the seconds of script, style and layout that the page has taken."""
    metrics = {
        one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]
    }
    return sum(metrics[n] for n in ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration"))
