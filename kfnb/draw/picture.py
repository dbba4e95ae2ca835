"""A pipeline as self-contained SVG: no script, style sheet, font or reference.

A saved notebook shows it without a kernel, so it is small, readable on light and dark pages, and
shows each status by shape and word besides colour. The layout comes from the system's Graphviz
if that is installed, otherwise from :mod:`kfnb.draw.layered`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from textwrap import wrap

from kfnb.draw.dot import MOST_LABELS, short_reason, skeleton
from kfnb.draw.graphviz_layout import by_graphviz
from kfnb.draw.layered import layered
from kfnb.draw.layout import Graph, Layout, Line, Point
from kfnb.draw.protocols import EdgeShape, PipelineShape, cells_of, drawn_edges, reason
from kfnb.draw.text import pixels_of, shortened, visible

MOST_STEPS = 200
"""A pipeline of more steps is drawn as a field of squares, because its graph is unreadable."""

_LONGEST_NAME, _LONGEST_NOTE = 30, 34
_LONGEST_LINE, _MOST_LINES = 90, 5
_NAME, _SMALL = 13, 11
_BOX_HEIGHT, _GLYPH, _PAD = 44.0, 30.0, 12.0
# Graphviz takes sizes in inches and returns positions in points, 72 to an inch.
_INCH = 72.0
_SQUARE, _IN_A_ROW = 12, 50

_FONT = "system-ui,-apple-system,Segoe UI,Helvetica,Arial,sans-serif"

# The plain value is for programs without CSS variables, such as converters to PDF.
FG = 'fill="#1f2328" style="fill:var(--jp-content-font-color1,#1f2328)"'
FG2 = 'fill="#59636e" style="fill:var(--jp-content-font-color2,#59636e)"'
_BG = 'fill="#ffffff" style="fill:var(--jp-layout-color0,#ffffff)"'
# A reason is drawn on its line; an outline in the page's colour keeps it readable.
_ON_LINE = (
    'paint-order="stroke" fill="#59636e" stroke="#ffffff" stroke-width="4" style="'
    'fill:var(--jp-content-font-color2,#59636e);stroke:var(--jp-layout-color0,#ffffff)"'
)

_TONES: Mapping[str, tuple[str, str]] = {
    "pending": ("#6e7781", "#ffffff"),
    "running": ("#0969da", "#ddf1ff"),
    "succeeded": ("#116329", "#dcf5e3"),
    "cached": ("#116329", "#f4fcf6"),
    "failed": ("#b3001b", "#ffe6e8"),
    "skipped": ("#6e7781", "#f0f1f2"),
    "cancelled": ("#8a5a00", "#fff4d6"),
}
"""Stroke and fill by status."""

_MARKS: Mapping[str, str] = {
    "running": "M-1.8-3.2l5.2 3.2l-5.2 3.2z",
    "succeeded": "M-3.1.3l2.2 2.2l4.1-4.7",
    "cached": "M-3.1.3l2.2 2.2l4.1-4.7",
    "failed": "M-2.5-2.5l5 5m0-5l-5 5",
    "skipped": "M-2.8 0h5.6",
    "cancelled": "M-2.2-2.2h4.4v4.4h-4.4z",
}


def picture(
    pipeline: PipelineShape,
    statuses: Mapping[str, str] | None = None,
    *,
    notes: Mapping[str, str] | None = None,
    more_edges: Iterable[EdgeShape] = (),
    captions: Sequence[str] = (),
) -> str:
    """Draw a pipeline as SVG, with or without Graphviz on this machine.

    Parameters
    ----------
    statuses
        Status of each step of a run.
    notes
        A few words for each step beside its status, such as a duration.
    more_edges
        Dependencies that only the run showed; drawn dashed.
    captions
        Sentences below the name, such as the run and the time.
    """
    if len(pipeline.steps) > MOST_STEPS:
        size, body = _field(pipeline, statuses)
    else:
        size, body = _graph(pipeline, statuses, notes or {}, drawn_edges(pipeline, more_edges))
    return framed([pipeline.name, *captions], size, body, label=_description(pipeline, statuses))


def framed(
    texts: Sequence[str], size: tuple[float, float], body: Iterable[str], *, label: str
) -> str:
    """Put a drawing below lines of text, and make it an SVG.

    Parameters
    ----------
    texts
        A title, and sentences below it.
    label
        A description of the picture for screen readers.
    """
    title, *captions = texts
    lines = [shortened(visible(title), _LONGEST_NAME * 2)]
    for caption in captions:
        lines += wrap(visible(caption), _LONGEST_LINE, max_lines=_MOST_LINES, placeholder=" …")
    widest = max(pixels_of(text, _NAME) for text in lines) + 2 * _PAD
    width, top = max(size[0], widest), 10.0 + 18 * len(lines)
    height = top + size[1]
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" ',
            f'width="{_n(width)}" height="{_n(height)}" style="max-width:100%;height:auto" ',
            f'role="img" aria-label="{escape(label)}" font-family="{_FONT}">',
            f'<rect width="100%" height="100%" rx="4" {_BG}/>',
            *_header(lines),
            f'<g transform="translate(0 {_n(top)})">',
            *body,
            "</g></svg>",
        ]
    )


def _description(pipeline: PipelineShape, statuses: Mapping[str, str] | None) -> str:
    """Say in words what the picture shows."""
    count = len(pipeline.steps)
    counted = f"{visible(pipeline.name)}: {count:,} step{'' if count == 1 else 's'}"
    counts = Counter((statuses or {}).values())
    parts = [f"{number:,} {status}" for status, number in counts.most_common()]
    return ", ".join([counted, *parts])


def _header(lines: Sequence[str]) -> Iterator[str]:
    for n, line in enumerate(lines):
        look = f'font-size="{_NAME + 1}" font-weight="600" {FG}' if n == 0 else ""
        look = look or f'font-size="{_SMALL + 1}" {FG2}'
        yield f'<text x="{_n(_PAD)}" y="{20 + 18 * n}" {look}>{escape(line)}</text>'


def _graph(
    pipeline: PipelineShape,
    statuses: Mapping[str, str] | None,
    notes: Mapping[str, str],
    edges: Sequence[EdgeShape],
) -> tuple[tuple[float, float], list[str]]:
    texts = []
    for name, step in pipeline.steps.items():
        note = cells_of(pipeline, step)
        if statuses is not None:
            note = " · ".join(filter(None, (statuses.get(name, "pending"), notes.get(name))))
        texts.append(
            (shortened(visible(name), _LONGEST_NAME), shortened(visible(note), _LONGEST_NOTE))
        )
    # Without a run there is no status to show, so the text begins at the edge.
    glyph = _GLYPH if statuses is not None else _PAD
    widths = [
        max(96.0, glyph + _PAD + max(pixels_of(a, _NAME), pixels_of(b, _SMALL))) for a, b in texts
    ]
    layout = _layout(pipeline, edges, widths)
    known = {(edge.source, edge.target) for edge in pipeline.edges}
    body = ['<g fill="none" stroke="#7d8590" stroke-width="1.2">']
    for edge, line in zip(edges, layout.lines, strict=True):
        body.append(_line(edge, line, at_runtime=(edge.source, edge.target) not in known))
    body.append('</g><g fill="#7d8590">')
    body += [f'<path d="{_arrow(line)}"/>' for line in layout.lines]
    body.append(f'</g><g font-size="{_SMALL}" text-anchor="middle" {_ON_LINE}>')
    for edge, line in zip(edges, layout.lines, strict=True):
        if line.label is not None:
            x, y = line.label
            text = escape(short_reason(edge))
            body.append(f'<text x="{_n(x)}" y="{_n(y + 4)}">{text}</text>')
    body.append("</g>")
    # Boxes last, so that no line crosses a name.
    for n, (name, words) in enumerate(zip(pipeline.steps, texts, strict=True)):
        status = None if statuses is None else statuses.get(name, "pending")
        body.append(_box(name, words, status, layout.boxes[n], widths[n]))
    return layout.size, body


def _layout(pipeline: PipelineShape, edges: Sequence[EdgeShape], widths: Sequence[float]) -> Layout:
    ids = {name: n for n, name in enumerate(pipeline.steps)}
    bare = len(edges) > MOST_LABELS
    graph = Graph(
        boxes=[(width, _BOX_HEIGHT) for width in widths],
        edges=[(ids[edge.source], ids[edge.target]) for edge in edges],
        labels=[
            None if bare else (pixels_of(short_reason(edge), _SMALL) + 6, 16.0) for edge in edges
        ],
        last=ids.get(pipeline.on_exit or ""),
    )
    sizes = {
        name: (width / _INCH, _BOX_HEIGHT / _INCH)
        for name, width in zip(pipeline.steps, widths, strict=True)
    }
    dot = skeleton(pipeline, more_edges=edges, sizes=sizes)
    return by_graphviz(dot, graph) or layered(graph)


def _line(edge: EdgeShape, line: Line, *, at_runtime: bool) -> str:
    first, *rest = line.points
    curves = " ".join(f"{_n(x)} {_n(y)}" for x, y in rest)
    dash = ""
    if at_runtime:
        dash = ' stroke-dasharray="6 4"'
    elif not edge.names and not edge.files:
        # Dotted: only an after: tag orders these steps, and nothing flows.
        dash = ' stroke-dasharray="1.5 3"'
    why = f"seen in the run: {reason(edge)}" if at_runtime else reason(edge)
    title = escape(f"{visible(edge.source)} → {visible(edge.target)}: {why}")
    path = f"M{_n(first[0])} {_n(first[1])}C{curves}"
    return f'<path d="{path}"{dash}><title>{title}</title></path>'


def _arrow(line: Line) -> str:
    """Return a small triangle at the end of a line, in its direction."""
    x, y = line.points[-1]
    # The last control point may lie on the end, which gives no direction.
    back = next((p for p in reversed(line.points[:-1]) if p != (x, y)), (x, y - 1))
    angle = math.atan2(y - back[1], x - back[0])
    corners: list[Point] = [
        (x - 8 * math.cos(angle + turn), y - 8 * math.sin(angle + turn)) for turn in (-0.42, 0.42)
    ]
    path = "L".join(f"{_n(a)} {_n(b)}" for a, b in [(x, y), *corners])
    return f"M{path}z"


def _box(name: str, words: tuple[str, str], status: str | None, at: Point, width: float) -> str:
    stroke, fill = _TONES.get(status or "pending", _TONES["pending"])
    dash = ' stroke-dasharray="4 3"' if status == "pending" else ""
    thick = "2" if status in ("running", "failed") else "1.2"
    left, top = at[0] - width / 2, at[1] - _BOX_HEIGHT / 2
    text = left + (_PAD if status is None else _GLYPH)
    title = escape(f"{visible(name)}: {words[1]}")
    return "".join(
        [
            f"<g><title>{title}</title>",
            f'<rect x="{_n(left)}" y="{_n(top)}" width="{_n(width)}" height="{_n(_BOX_HEIGHT)}" ',
            f'rx="6" fill="{fill}" stroke="{stroke}" stroke-width="{thick}"{dash}/>',
            "" if status is None else _glyph(status, (left + 17, at[1])),
            (
                f'<text x="{_n(text)}" y="{_n(at[1] - 3)}" font-size="{_NAME}" fill="#1f2328">'
                f"{escape(words[0])}</text>"
            ),
            (
                f'<text x="{_n(text)}" y="{_n(at[1] + 13)}" font-size="{_SMALL}" fill="#424a53">'
                f"{escape(words[1])}</text></g>"
            ),
        ]
    )


def _glyph(status: str, at: Point) -> str:
    """Return the shape that shows a status without colour."""
    stroke = _TONES.get(status, _TONES["pending"])[0]
    full = status in ("succeeded", "failed")
    ring = f'fill="{stroke if full else "#ffffff"}" stroke="{stroke}" stroke-width="1.4"'
    dash = "" if status in _MARKS else ' stroke-dasharray="2.4 2.5"'
    parts = [f'<circle r="7" {ring}{dash}/>']
    if status in _MARKS:
        solid = stroke if status in ("running", "cancelled") else "none"
        ink = "#ffffff" if full else stroke
        parts.append(
            f'<path d="{_MARKS[status]}" fill="{solid}" stroke="{ink}" stroke-width="1.6"/>'
        )
    return f'<g transform="translate({_n(at[0])} {_n(at[1])})">{"".join(parts)}</g>'


def _field(
    pipeline: PipelineShape, statuses: Mapping[str, str] | None
) -> tuple[tuple[float, float], list[str]]:
    """Draw a square for each step, and a legend with the number of steps of each status."""
    squares: dict[str, list[str]] = {}
    for n, name in enumerate(pipeline.steps):
        status = (statuses or {}).get(name, "pending")
        x, y = n % _IN_A_ROW * _SQUARE, n // _IN_A_ROW * _SQUARE
        # One path for each status, because thousands of elements make a page slow.
        squares.setdefault(status, []).append(f"M{x} {y}h9v9h-9z")
    bottom = (math.ceil(len(pipeline.steps) / _IN_A_ROW)) * _SQUARE + 10
    body = [f'<g transform="translate({_n(_PAD)} 0)">']
    for row, (status, paths) in enumerate(squares.items()):
        stroke, fill = _TONES.get(status, _TONES["pending"])
        # A square is too small for a mark, so strong colours show what has happened.
        inner = stroke if status in ("succeeded", "failed", "running") else fill
        body.append(f'<path d="{"".join(paths)}" fill="{inner}" stroke="{stroke}"/>')
        text = f"{len(paths):,} steps" + ("" if statuses is None else f" {status}")
        y = bottom + 18 * row
        body.append(_glyph(status, (8, y + 4)) if statuses is not None else "")
        body.append(f'<text x="22" y="{y + 8}" font-size="{_SMALL + 1}" {FG}>{escape(text)}</text>')
    body.append("</g>")
    height = bottom + 18 * len(squares) + _PAD
    return (_IN_A_ROW * _SQUARE + 2 * _PAD, height), body


def _n(number: float) -> str:
    """Write a number as short as possible."""
    return f"{number:.1f}".removesuffix(".0")
