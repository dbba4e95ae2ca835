"""The widget as a person sees and handles it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests import waiting

if TYPE_CHECKING:
    from playwright.sync_api import Locator, LocatorAssertions

PATIENCE = 1000 * waiting.PATIENCE
"""Milliseconds, which Playwright counts."""

CONTRAST = """
node => {
  const channel = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = text => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const solid = rgb => rgb.length >= 3 && (rgb.length === 3 || rgb[3] > 0.5);
  const text = node.querySelector('text');
  const shape = node.querySelector('path, polygon, rect');
  let back = parse(getComputedStyle(shape).fill);
  for (let at = node; !solid(back) && at; at = at.parentElement) {
    back = parse(getComputedStyle(at).backgroundColor);
  }
  const [a, b] = [light(parse(getComputedStyle(text).fill)), light(back)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}
"""
"""The contrast between the text of a node and what it stands on (WCAG)."""


def expect(place: Locator) -> LocatorAssertions:
    """Playwright's ``expect``, imported where a browser test runs and not where it is collected."""
    from playwright.sync_api import expect as say

    say.set_options(timeout=PATIENCE)  # by default it gives up after five seconds
    return say(place)


class View:
    """One pipeline view below ``place`` (a cell's outputs, or a page)."""

    def __init__(self, place: Locator) -> None:
        self.root = place.locator(".kfnb-view").first

    def ready(self, timeout: float = PATIENCE) -> View:
        """Wait until the engine is there and the graph is laid out by Graphviz."""
        self.root.wait_for(timeout=timeout)
        self.root.page.wait_for_function(
            "root => root.dataset.engine === 'ready'",
            arg=self.root.element_handle(),
            timeout=timeout,
        )
        return self

    def drawn(self, timeout: float = PATIENCE) -> View:
        """Wait until Graphviz has laid out the graph."""
        self.ready(timeout)
        self.root.locator('.kfnb-dag[data-layout="graphviz"]').wait_for(timeout=timeout)
        return self.settled(timeout)

    def settled(self, timeout: float = PATIENCE) -> View:
        """Wait until the drawing is where the last layout or movement put it."""
        self.root.locator(".kfnb-dag:not([data-moving])").wait_for(timeout=timeout)
        return self

    @property
    def nodes(self) -> Locator:
        return self.root.locator(".kfnb-dag .kfnb-node")

    def node(self, step: str) -> Locator:
        """The node of a step, found by what a screen reader says of it."""
        return self.nodes.and_(self.root.page.locator(f"[aria-label^={_quoted(step)}]")).first

    def status(self, step: str) -> str | None:
        return self.node(step).get_attribute("data-status")

    def statuses(self) -> list[str | None]:
        """The statuses of all nodes, in the order of the graph."""
        return self.nodes.evaluate_all("nodes => nodes.map(node => node.dataset.status)")

    def is_whole(self) -> bool:
        """Whether every node is within the part of the drawing that can be seen."""
        canvas = self.root.locator(".kfnb-canvas[role]").bounding_box()
        assert canvas, "nothing is drawn"
        boxes = [box for box in (node.bounding_box() for node in self.nodes.all()) if box]
        return len(boxes) == self.nodes.count() and all(
            box["x"] >= canvas["x"] - 1
            and box["y"] >= canvas["y"] - 1
            and box["x"] + box["width"] <= canvas["x"] + canvas["width"] + 1
            and box["y"] + box["height"] <= canvas["y"] + canvas["height"] + 1
            for box in boxes
        )

    def wait_for(self, step: str, status: str, timeout: float = PATIENCE) -> None:
        """Wait until a node shows a status."""
        node = self.root.locator(f".kfnb-node[data-status={status}][aria-label^={_quoted(step)}]")
        node.first.wait_for(timeout=timeout)

    def wait_for_run(self, status: str, timeout: float = PATIENCE) -> None:
        """Wait until the run as a whole has a status."""
        self.root.page.wait_for_function(
            "([root, status]) => root.dataset.status === status",
            arg=[self.root.element_handle(), status],
            timeout=timeout,
        )

    def open(self, tab: str) -> Locator:
        """Go to a tab by a click; its panel."""
        self.root.locator(f'[role=tab][data-tab="{tab}"]').click()
        panel = self.root.locator(f'[role=tabpanel][data-tab="{tab}"]:not([hidden])')
        panel.wait_for(state="attached")
        return panel

    @property
    def detail(self) -> Locator:
        return self.root.locator(".kfnb-detail")

    @property
    def log(self) -> Locator:
        return self.root.locator(".kfnb-log")

    @property
    def chart(self) -> Chart:
        return Chart(self.root.locator(".kfnb-chart"))


class Chart:
    """The metrics chart."""

    def __init__(self, root: Locator) -> None:
        self.root = root

    @property
    def range(self) -> tuple[float, float]:
        """The visible range of x."""
        low, high = (self.root.get_attribute(f"data-x-{end}") for end in ("min", "max"))
        return float(low or "nan"), float(high or "nan")

    def drag(self, start: float, end: float) -> None:
        """Drag with the mouse from one share of the plot's width to another."""
        box = self.root.locator(".kfnb-chart-plot").bounding_box()
        assert box, "the plot is not on the page"
        mouse, middle = self.root.page.mouse, box["y"] + box["height"] / 2
        mouse.move(box["x"] + start * box["width"], middle)
        mouse.down()
        mouse.move(box["x"] + end * box["width"], middle + 5, steps=8)
        mouse.up()


def _quoted(text: str) -> str:
    """Write a text as a string of CSS."""
    return '"' + re.sub(r'["\\\n]', lambda m: f"\\{ord(m[0]):x} ", text) + '"'
