"""Metrics as self-contained SVG, as :mod:`kfnb.draw.picture` is for the graph.

A metric with one value is a row of text. A long line keeps the lowest and highest value of each
piece, so that the picture is small but shows every peak.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from kfnb.draw.picture import FG, FG2, framed
from kfnb.draw.text import pixels_of, shortened, visible

MOST_METRICS = 24
"""Metrics beyond this number are counted, not drawn."""

_WIDTH, _HEIGHT, _ROW = 620.0, 96.0, 20.0
_LEFT, _RIGHT, _PAD = 64.0, 608.0, 12.0
# Each piece keeps two points, so a line has at most about 200.
_PIECES = 100
_LONGEST = 40
_SMALL = 11
_LOOKS = (
    ("#2f7fd8", ""),
    ("#cf6412", "7 3"),
    ("#16946f", "2 3"),
    ("#bb4f9c", "9 3 2 3"),
    ("#a17c00", "4 2"),
    ("#7a818c", "12 3"),
)
"""Colour and dash of the lines: readable on light and dark pages, and without colours."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of a metric.

    Parameters
    ----------
    points
        Sorted by x; a value that is not finite leaves a gap.
    """

    metric: str
    label: str
    points: Sequence[tuple[float, float]]


def chart(texts: Sequence[str], curves: Sequence[Curve]) -> str:
    """Draw metrics as SVG, one plot for each name.

    Parameters
    ----------
    texts
        A title, and sentences below it.
    """
    metrics = list(dict.fromkeys(curve.metric for curve in curves))
    labels = list(dict.fromkeys(curve.label for curve in curves))
    looks = {label: _LOOKS[n % len(_LOOKS)] for n, label in enumerate(labels)}
    body: list[str] = []
    top = 4.0
    # With one line a legend would only repeat the title.
    if len(labels) > 1:
        for label in labels:
            body.append(_sample(label, looks[label], top))
            top += _ROW
    for metric in metrics[:MOST_METRICS]:
        own = [curve for curve in curves if curve.metric == metric]
        single = all(len(curve.points) <= 1 for curve in own)
        body += _row(metric, own, looks, top) if single else _plot(metric, own, looks, top)
        top += _ROW if single else _HEIGHT + 2 * _ROW + 8
    left = len(metrics) - MOST_METRICS
    if left > 0 or not metrics:
        rest = f"and {left} more metrics" if metrics else "No metrics yet."
        body.append(_text(_PAD, top + 14, rest, FG2))
        top += _ROW
    many = "" if len(metrics) == 1 else "s"
    label = f"{visible(texts[0])}: {len(metrics)} metric{many} of {', '.join(map(visible, labels))}"
    return framed(texts, (_WIDTH, top + _PAD), body, label=label)


def _sample(label: str, look: tuple[str, str], top: float) -> str:
    line = f'<path d="M{_PAD:g} {top + 10:g}h28" {_stroke(look)}/>'
    return line + _text(_PAD + 36, top + 14, _short(label), FG)


def _row(
    metric: str, curves: Sequence[Curve], looks: dict[str, tuple[str, str]], top: float
) -> Iterator[str]:
    """Write a metric that has one value."""
    name = _short(metric)
    yield _text(_PAD, top + 14, name, FG, weight=600)
    at = _PAD + pixels_of(name, _SMALL) + 16
    for curve in curves:
        text = " ".join(_number(y) for _, y in curve.points) or "–"
        if len(looks) > 1:
            yield f'<path d="M{at:.1f} {top + 10:g}h12" {_stroke(looks[curve.label])}/>'
            at += 16
        yield _text(at, top + 14, text, FG)
        at += pixels_of(text, _SMALL) + 16


def _plot(
    metric: str, curves: Sequence[Curve], looks: dict[str, tuple[str, str]], top: float
) -> Iterator[str]:
    yield _text(_PAD, top + 14, _short(metric), FG, weight=600)
    points = [point for curve in curves for point in curve.points]
    ys = [y for _, y in points if math.isfinite(y)]
    xs = [x for x, _ in points]
    low, high = (min(ys), max(ys)) if ys else (0.0, 1.0)
    first, last = min(xs), max(xs)
    above, below = top + _ROW + 4, top + _ROW + _HEIGHT

    def position(x: float, y: float) -> tuple[float, float]:
        # A single point is in the middle.
        across = (x - first) / (last - first) if last > first else 0.5
        # Halves, because the difference of two huge numbers may exceed the largest float.
        up = (y / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5
        return _LEFT + across * (_RIGHT - _LEFT), below - 4 - up * (below - above - 8)

    yield (
        f'<path d="M{_LEFT:g} {above:g}V{below:g}H{_RIGHT:g}" fill="none" stroke="#7d8590" '
        'stroke-width="1"/>'
    )
    # A dictionary, so that a constant metric gets one label and not two.
    for value, at in {high: above + 8, low: below}.items():
        yield _text(_LEFT - 6, at, _number(value), FG2, anchor="end")
    yield _text(_LEFT, below + 14, _number(first), FG2)
    if last > first:
        yield _text(_RIGHT, below + 14, _number(last), FG2, anchor="end")
    for curve in curves:
        path = _path([position(x, y) if math.isfinite(y) else None for x, y in _thinned(curve)])
        title = escape(f"{visible(curve.label)}: {visible(curve.metric)}")
        yield f'<path d="{path}" {_stroke(looks[curve.label])}><title>{title}</title></path>'


def _thinned(curve: Curve) -> Sequence[tuple[float, float]]:
    """Keep the lowest and the highest point of each piece."""
    points = curve.points
    size = math.ceil(len(points) / _PIECES)
    if size <= 2:
        return points
    thinned: list[tuple[float, float]] = []
    for begin in range(0, len(points), size):
        piece = points[begin : begin + size]
        # NaN has no order: min and max would return anything.
        finite = [point for point in piece if math.isfinite(point[1])]
        ends = {min(finite, key=_y), max(finite, key=_y)} if finite else {piece[0]}
        # By x, so that the line does not run backwards.
        thinned += sorted(ends)
    return thinned


def _y(point: tuple[float, float]) -> float:
    return point[1]


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """Join points by lines; a point between gaps is a dot."""
    parts, drawing = [], False
    for n, point in enumerate(points):
        if point is not None:
            is_single = not drawing and (n + 1 == len(points) or points[n + 1] is None)
            parts.append(f"{'L' if drawing else 'M'}{point[0]:.1f} {point[1]:.1f}")
            # A path of one point is not drawn; a tiny line with round ends is a dot.
            parts += ["h.1"] if is_single else []
        drawing = point is not None
    return "".join(parts)


def _stroke(look: tuple[str, str]) -> str:
    dash = f' stroke-dasharray="{look[1]}"' if look[1] else ""
    return f'fill="none" stroke="{look[0]}" stroke-width="1.8" stroke-linecap="round"{dash}'


def _text(
    x: float, y: float, text: str, look: str, *, anchor: str = "start", weight: int = 400
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{_SMALL}" font-weight="{weight}" '
        f'text-anchor="{anchor}" {look}>{escape(text)}</text>'
    )


def _short(text: str) -> str:
    return shortened(visible(text), _LONGEST)


def _number(value: float) -> str:
    return f"{value:.4g}"
