"""The views in narrow and wide pages, light and dark: everything can be reached and read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.bare import Bare
from tests.browser.traits import state_of, traits
from tests.browser.view import View, expect

NAMES = ("load data", "split", "fit svm", "fit a random forest", "compare", "report", "notify")
EDGES = [(0, 1), (1, 2), (1, 3), (2, 4), (3, 4), (4, 5), (0, 6)]
STATUSES = ("cached", "succeeded", "failed", "running", "pending", "skipped", "cancelled")
IDS = [f"20260101-00000{n}-digits-000{n}" for n in range(4)]
OPTIONS = {"image": "ada/train:1", "cpu": "2", "memory": "4Gi", "timeout": 5400}

_OVERFLOW = """
root => [...root.querySelectorAll('button, input, select, summary')]
  .filter(one => one.checkVisibility() && !(innerWidth > 400 && one.closest('table')))
  .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
  .map(one => one.outerHTML.slice(0, 120))
"""
_SIDEWAYS = """
root => [...root.querySelectorAll('*')]
  .filter(one => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1)
  .filter(one => ['auto', 'scroll'].includes(getComputedStyle(one).overflowX))
  .filter(one => !one.matches('.kfnb-log-screen, .kfnb-log-whole, code, pre'))
  .map(one => one.className)
"""


@pytest.fixture(params=[300, 700, 1400])
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(params=["light", "dark"])
def shown(page: Any, width: int, request: pytest.FixtureRequest) -> tuple[Bare, View]:
    page.set_viewport_size({"width": width, "height": 900})
    made = traits(NAMES, EDGES)
    made["graph"].update(
        options=OPTIONS,
        volumes=[{"name": "data", "mount": "/data", "claim": "big", "size": None}],
    )
    made["run"].update(id=IDS[0], parameters={"lr": 0.1, "epochs": 40})
    states = made["state"]["steps"]
    for node, status in zip(made["graph"]["nodes"], STATUSES, strict=True):
        why = "nothing changed since run 20251231-235959-digits-beef"
        states[node["id"]] = state_of(status, step=node["name"], why=why, duration=73.2)
    bare = Bare(page, made)
    page.evaluate(
        "dark => { document.body.dataset.jpThemeLight = String(!dark);"
        " document.body.style.background = dark ? '#111' : '#fff' }",
        request.param == "dark",
    )
    return bare, View(page.locator("#kfnb")).drawn()


def run(number: int) -> dict[str, Any]:
    return {
        "id": IDS[number],
        "title": "a bold idea" if number == 1 else "",
        "status": ("failed", "succeeded", "succeeded", "cancelled")[number],
        "created": 1.7e9 + number,
        "duration": 73.25 + number,
        "parameters": {"lr": [0.1, 0.2, 0.1, 0.4][number], "epochs": 40},
        "metrics": {"accuracy": 0.9 + number / 100, "loss": 0.1234567 / (number + 1)},
    }


def compared(number: int) -> dict[str, Any]:
    statuses = ["succeeded", "cached", "cached" if number else "succeeded", "failed", "pending"]
    steps = {n: {"status": s, "duration": 1.5} for n, s in zip(NAMES, statuses, strict=False)}
    return {**run(number), "steps": steps}


CODE = [
    {
        "step": "fit svm",
        "lines": [
            {"left": "import sklearn.svm", "right": "import sklearn.svm", "kind": "equal"},
            {"left": None, "right": None, "kind": "gap"},
            {
                "left": "model = sklearn.svm.SVC(C=1.0, kernel='rbf').fit(train_x, train_y)",
                "right": "model = sklearn.svm.SVC(C=10.0, kernel='linear').fit(train_x, train_y)",
                "kind": "changed",
            },
        ],
    }
]


def test_everything_fits_and_every_tab_opens(
    shown: tuple[Bare, View], width: int, page: Any, shoot: Any
) -> None:
    _, view = shown
    for tab in ("table", "metrics", "logs", "outputs", "runs", "compare", "dag"):
        view.open(tab)
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), tab
        assert view.root.evaluate(_OVERFLOW) == [], tab
        if width == 300:
            assert view.root.evaluate(_SIDEWAYS) == [], tab
        shoot(tab)
    view.root.locator(".kfnb-pipeline-options summary").click()
    shoot("options")
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def test_names_in_the_graph_have_eleven_pixels(shown: tuple[Bare, View]) -> None:
    _, view = shown
    # Of a letter as drawn: the graph is scaled, and letters with it.
    sizes = view.nodes.evaluate_all(
        "nodes => nodes.map(n => { const name = n.querySelector('.kfnb-node-name');"
        " return parseFloat(getComputedStyle(name).fontSize) * name.getScreenCTM().a; })"
    )
    assert min(sizes) >= 10.99, sizes


def test_runs_are_chosen_from_the_list_and_compared(
    shown: tuple[Bare, View], width: int, page: Any, shoot: Any
) -> None:
    bare, view = shown
    panel = view.open("runs")
    assert {"kind": "runs", "all": False} in bare.asked
    bare.tell({"kind": "runs", "runs": [run(n) for n in range(4)], "more": 0})
    rows = panel.locator("tbody tr")
    expect(rows).to_have_count(4)
    # Only what differs has a column.
    heads = panel.locator("thead").inner_text().lower()
    assert "lr" in heads
    assert "accuracy" in heads
    assert "epochs" not in heads
    panel.get_by_role("searchbox").fill("bold")
    expect(rows).to_have_count(1)
    rows.first.get_by_role("checkbox").check()
    panel.get_by_role("searchbox").fill("")
    panel.get_by_role("button", name="accuracy").click()
    expect(rows.first).to_have_attribute("data-run", IDS[0])
    panel.get_by_role("button", name="accuracy").click()
    expect(rows.first).to_have_attribute("data-run", IDS[3])
    expect(panel.get_by_role("button", name="Compare (2)")).to_be_enabled()
    if width == 300:
        assert view.root.evaluate(_SIDEWAYS) == []
        assert view.root.evaluate(_OVERFLOW) == []
    shoot("runs")
    panel.get_by_role("button", name="Compare (2)").click()
    assert {"kind": "compare", "runs": IDS[:2]} in bare.asked
    bare.tell({"kind": "compare", "runs": [compared(0), compared(1)], "code": CODE})
    comparison = view.root.locator('[role=tabpanel][data-tab="compare"]')
    code = comparison.locator(".kfnb-code-table")
    expect(code).to_contain_text("kernel='linear'")
    sides = code.locator("td", has_text="SVC")
    left, right = sides.first.bounding_box(), sides.last.bounding_box()
    assert left["y"] == pytest.approx(right["y"], abs=1)
    assert left["x"] < right["x"]
    first = comparison.locator("tbody tr").first.inner_text().lower()
    assert "cached" not in first
    if width == 300:
        assert view.root.evaluate(_SIDEWAYS) == []
    shoot("compared")
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
