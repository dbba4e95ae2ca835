"""Measure what a page bears: panning a large graph, a minute of many events, large scripts."""

from __future__ import annotations

import bisect
import gzip
import json
import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .page import Figure, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

STEPS = 1000
MOVES = 120
EVENTS, PER_MESSAGE, SECONDS = 1000, 100, 60
_WORK = {"EventDispatch", "FireAnimationFrame", "TimerFire", "UpdateLayoutTree", "Layout"}
_CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline"]
# Points of metrics and changes of steps, as a run sends them together.
_EVENTS = """
async ({states, messages, points, pause}) => {
  const names = Object.keys(states);
  for (let n = 0; n < messages; n++) {
    const name = names[n % names.length];
    const status = n % 2 ? 'running' : 'pending';
    window.tell({
      kind: 'state', seq: n + 2, at: 1.7e9 + n, status: 'running', driver: 'alive', error: null,
      paused: 0, finished: null, steps: {[name]: {...states[name], status}}, warnings: []
    });
    const logged = [...Array(points).keys()].map(k => [1.7e9 + n + k / points, n * points + k, k]);
    const series = {run: 'made', title: '', step: name, index: '', name: 'loss', points: logged};
    window.tell({kind: 'metrics', points: [series]});
    await new Promise(done => setTimeout(done, pause));
  }
}
"""


def limits() -> Iterator[Figure]:
    """Yield the figures of this row."""
    with chromium() as browser:
        yield from _panning(browser)
        yield from _memory(browser)
    yield from _sizes()


def _panning(browser: Browser) -> Iterator[Figure]:
    from tests.browser.bare import Bare
    from tests.browser.traits import layered, traits

    page = browser.new_page(viewport={"width": 1280, "height": 900})
    Bare(page, traits([f"step {n}" for n in range(STEPS)], layered(STEPS)))
    page.locator('.kfnb-dag[data-layout="graphviz"]').wait_for(timeout=120_000)
    box = page.locator(".kfnb-dag").bounding_box()
    assert box is not None
    x, y = box["x"] + 20, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    browser.start_tracing(page=page, categories=_CATEGORIES)
    for n in range(MOVES):
        page.mouse.move(x + 4 * (n % 60), y + n % 30)
    trace = json.loads(browser.stop_tracing())["traceEvents"]
    page.mouse.up()
    page.close()
    frames = _frames(trace)
    note = f"{STEPS} steps, {len(frames)} frames"
    yield "panning, script and layout of a frame, median", statistics.median(frames), "ms", note
    worst = statistics.quantiles(frames, n=20)[-1]
    yield "panning, script and layout of a frame, 95 of 100", worst, "ms", note


def _frames(trace: list[dict[str, Any]]) -> list[float]:
    """Return the milliseconds of script and layout of each frame that had any."""
    ends = sorted(one["ts"] for one in trace if one["name"] == "Commit")
    # CPU time where the trace has it, which other programs of this machine do not change.
    work = sorted(
        (one["ts"], one["ts"] + one.get("dur", 0), one.get("tdur", one.get("dur", 0)))
        for one in trace
        if one["name"] in _WORK and one["ph"] == "X"
    )
    spent = [0.0] * (len(ends) + 1)
    end = 0.0
    for begin, until, cost in work:
        # An event that is inside of another is part of that one.
        if begin >= end:
            spent[bisect.bisect(ends, begin)] += cost
            end = until
    return [one / 1000 for one in spent if one]


def _memory(browser: Browser) -> Iterator[Figure]:
    from tests.browser.bare import Bare
    from tests.browser.traits import layered, traits

    held = traits([f"step {n}" for n in range(100)], layered(100))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(300_000)
    Bare(page, held)
    page.locator('.kfnb-dag[data-layout="graphviz"]').wait_for(timeout=120_000)
    session = page.context.new_cdp_session(page)
    before = _heap(session)
    messages = EVENTS * SECONDS // PER_MESSAGE
    arguments = {
        "states": held["state"]["steps"],
        "messages": messages,
        "points": PER_MESSAGE - 1,
        "pause": 1000 * SECONDS / messages,
    }
    page.evaluate(_EVENTS, arguments)
    after = _heap(session)
    page.close()
    note = f"{EVENTS * SECONDS:,} events in {SECONDS} s"
    yield "memory of the page, before", before, "MB", "100 steps"
    yield "memory of the page, after", after, "MB", note


def _heap(session: Any) -> float:
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def _sizes() -> Iterator[Figure]:
    from kfnb.live import bundle

    scripts = (
        ("script of the views", bundle.engine(), "once per page"),
        ("script that lays out graphs", bundle.layout(), "Graphviz; when a graph is drawn"),
        ("script in each view", bundle.loader().encode(), "loads the others"),
    )
    for name, script, note in scripts:
        yield name, len(script) / 1000, "KB", note
        yield f"{name}, gzip", len(gzip.compress(script)) / 1000, "KB", ""
    folder = bundle.STATIC.parents[1] / "labextension" / "kfnb" / "static"
    panel = sorted(folder.glob("*.js"), key=lambda path: path.stat().st_size)[:-1]
    size = sum(path.stat().st_size for path in panel)
    yield (
        "scripts of the side panel",
        size / 1000,
        "KB",
        "JupyterLab; without Graphviz, the largest",
    )
