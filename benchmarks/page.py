"""Measure the views in Chromium and in the kernel that shows them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import notebooks, peers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Figure = tuple[str, float, str, str]
UPDATES = 200
STEPS = 200
# Sends the view one change per frame: of one step after the other, or of all steps.
_UPDATE = """
async ({states, ids, times}) => {
  window.seq ??= 1;
  const every = Object.keys(states);
  const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  for (let n = 0; n < times; n++) {
    const status = n % 2 ? 'succeeded' : 'running';
    const steps = {};
    for (const id of ids ?? [every[(n >> 1) % every.length]]) {
      steps[id] = {...states[id], status, attempts: 1};
    }
    window.tell({
      kind: 'state', seq: ++window.seq, at: 1.7e9 + n, status: 'running', driver: 'alive',
      error: null, steps, edges: [], warnings: []
    });
    await frame();
  }
}
"""
# Lays out the same graph with dagre, with boxes of the same size, and does not draw it.
_DAGRE = """
({count, edges}) => {
  const start = performance.now();
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({}).setDefaultEdgeLabel(() => ({}));
  for (let n = 0; n < count; n++) {
    graph.setNode(n, {width: 160, height: 44});
  }
  for (const [a, b] of edges) {
    graph.setEdge(a, b);
  }
  dagre.layout(graph);
  return performance.now() - start;
}
"""
# Notes when each node got a status, and when the frame that shows it was presented.
_WATCH = """
view => {
  window.changes = [];
  const frame = (id, name, status) => requestAnimationFrame(() => setTimeout(() => {
    window.changes.push([name, status, Date.now() / 1000]);
  }));
  new MutationObserver(changes => changes.forEach(({target}) => {
    if (target.dataset.status) {
      frame(target.dataset.id, target.getAttribute('aria-label'), target.dataset.status);
    }
  })).observe(view, {subtree: true, attributes: true, attributeFilter: ['data-status']});
}
"""


def paint() -> Iterator[Figure]:
    """Measure the first picture, Graphviz's layout and an update, in milliseconds."""
    with chromium() as browser:
        for count in (10, 100, 1000):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            yield from _painted(page, count)
            page.close()
            page = browser.new_page()
            late = _laid_out_by_dagre(page, count)
            yield "dagre, laid out", late, "ms", f"{count} steps, not drawn"
            page.close()


def _painted(page: Page, count: int) -> Iterator[Figure]:
    from tests.browser.bare import Bare
    from tests.browser.traits import layered, traits

    held = traits([f"step {n}" for n in range(count)], layered(count))
    bare = Bare(page, held)
    page.locator('.kfnb-dag[data-layout="graphviz"]').wait_for(timeout=120_000)
    page.wait_for_function("window.painted.graphviz !== undefined")
    note = f"{count} steps"
    yield (
        "kfnb, first picture",
        min(ms for layout, ms in bare.painted.items() if layout != "render"),
        "ms",
        note,
    )
    yield "kfnb, laid out by Graphviz", bare.painted["graphviz"], "ms", note
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    states = held["state"]["steps"]
    for who, ids in (("one step changes", None), ("every step changes", list(states))):
        before = _busy(session)
        page.evaluate(_UPDATE, {"states": states, "ids": ids, "times": UPDATES})
        yield f"kfnb, {who}", (_busy(session) - before) / UPDATES * 1000, "ms of the page", note


def _laid_out_by_dagre(page: Page, count: int) -> float:
    from tests.browser.traits import layered

    page.set_content("<!doctype html>")
    page.set_default_timeout(120_000)
    page.add_script_tag(content=peers.dagre())
    return float(page.evaluate(_DAGRE, {"count": count, "edges": layered(count)}))


def watching(folder: Path) -> Iterator[Figure]:
    """Watch a run of 200 steps: the kernel's CPU time, and the delay from journal to pixel."""
    from kfnb.engine.journal import file_journal
    from tests.browser.book import Book
    from tests.browser.server import serving
    from tests.browser.view import View

    with serving(folder / "jupyter") as server, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        path = notebooks.chain(server.root / "chain.ipynb", STEPS)
        plain = notebooks.write(server.root / "watch.ipynb", [((), "import os, time, kfnb")])
        book = Book(page, server, "lab", plain).open()
        book.run(0)
        out = book.do(
            "from kfnb.widgets import PipelineView\n"
            f"run = kfnb.run({path.name!r}, wait=False, cache=False)\nPipelineView(run)"
        )
        view = View(out).drawn()
        view.root.evaluate(_WATCH)
        cpu = "print(time.process_time(), time.time())"
        began, since = map(float, book.do(cpu).inner_text().split())
        view.wait_for_run("succeeded", 600_000)
        page.wait_for_timeout(1000)
        ended, until = map(float, book.do(cpu).inner_text().split())
        changes = page.evaluate("window.changes")
        events = file_journal.read_journal(next((server.home / "runs").iterdir()) / "journal.jsonl")
    wall = until - since
    yield "kernel, watching 200 steps", (ended - began) / wall * 100, "% of a core", f"{wall:.0f} s"
    yield "kernel, watching 200 steps", ended - began, "CPU-s", ""
    late = _latencies(events, changes)
    yield "journal to pixel, median", statistics.median(late) * 1000, "ms", f"{len(late)} changes"
    yield "journal to pixel, 95 of 100", statistics.quantiles(late, n=20)[-1] * 1000, "ms", ""


def _latencies(events: list[Any], changes: list[tuple[str, str, float]]) -> list[float]:
    """Match each event of the journal with the frame that shows it."""
    meaning = {"AttemptStarted": "running", "StepSucceeded": "succeeded"}
    when = {(e.step, meaning[e.type]): e.time for e in events if e.type in meaning}
    shown = {}
    for label, status, at in changes:
        name = next(
            (part for part in (label or "").replace(",", " ").replace(":", " ").split()), ""
        )
        shown.setdefault((name, status), at)
    return [at - when[key] for key, at in shown.items() if key in when]


def _busy(session: Any) -> float:
    """Return the seconds for which the page's main thread was busy."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in metrics if one["name"] == "TaskDuration")


@contextmanager
def chromium() -> Iterator[Browser]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise SystemExit(
            "this row needs the browser's packages: pip install -e '.[browser]', or call it "
            "by python3 dev.py bench"
        ) from None
    from tests.browser.conditions import FLAGS, chromium_program

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_program(), args=FLAGS, chromium_sandbox=False
        )
        yield browser
        browser.close()
