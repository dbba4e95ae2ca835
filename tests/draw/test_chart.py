"""Metrics as SVG that needs nothing."""

from __future__ import annotations

import math
import random
import re

import pytest

from kfnb import draw
from kfnb.draw.chart import MOST_METRICS
from tests.browser.hostile import KNOWN, names
from tests.draw.test_picture import SVG, inert


def curve(label: str, *ys: float, metric: str = "loss") -> draw.Curve:
    return draw.Curve(metric, label, [(float(n), y) for n, y in enumerate(ys)])


def texts(drawn: str) -> list[str]:
    return [element.text or "" for element in inert(drawn).iter(f"{SVG}text")]


def paths(drawn: str) -> dict[str, str]:
    """The lines by what they say of themselves."""
    found = {}
    for path in inert(drawn).iter(f"{SVG}path"):
        title = path.find(f"{SVG}title")
        if title is not None:
            found[title.text or ""] = path.attrib["d"]
    return found


def test_each_run_has_a_line_and_a_name() -> None:
    drawn = draw.chart(["digits", "run a"], [curve("a", 1, 0.5, 0.25), curve("b", 1, 2, 4)])
    assert set(paths(drawn)) == {"a: loss", "b: loss"}
    assert {"digits", "run a", "a", "b", "loss", "4", "0.25", "0", "2"} == set(texts(drawn))
    assert inert(drawn).attrib["aria-label"] == "digits: 1 metric of a, b"
    # Not by colour alone.
    assert len(set(re.findall(r"stroke-dasharray=\"[^\"]*\"", drawn))) == 1


def test_one_value_is_a_row_of_text() -> None:
    drawn = draw.chart(["digits"], [curve("a", 0.97, metric="accuracy"), curve("a", 1, 2)])
    assert "0.97" in texts(drawn)
    assert set(paths(drawn)) == {"a: loss"}


def test_what_is_no_number_is_a_gap() -> None:
    drawn = draw.chart(["digits"], [curve("a", 1, math.nan, 2, math.inf, 3, 4)])
    (line,) = paths(drawn).values()
    assert line.count("M") == 3
    assert "nan" not in line
    for odd in ([math.nan, math.nan], [1e308, -1e308], [3.0, 3.0], []):
        inert(draw.chart(["digits"], [curve("a", *odd)]))


def test_a_long_line_is_small_and_keeps_its_peaks() -> None:
    values = [0.0] * 100_000
    values[54_321] = 7.0
    drawn = draw.chart(["digits"], [curve("a", *values)])
    assert len(drawn) < 10_000
    assert "7" in texts(drawn)


def test_none_and_many() -> None:
    assert "No metrics yet." in texts(draw.chart(["digits"], []))
    many = [curve("a", 1, metric=f"m{n}") for n in range(MOST_METRICS + 3)]
    assert "and 3 more metrics" in texts(draw.chart(["digits"], many))


@pytest.mark.parametrize("seed", range(10))
def test_whatever_names_are_the_chart_is_inert(seed: int) -> None:
    some = [*random.Random(seed).sample(list(KNOWN), 6), *names(6, seed)]
    inert(draw.chart(some, [curve(a, 1, 2, metric=b) for a in some for b in some[:3]]))
