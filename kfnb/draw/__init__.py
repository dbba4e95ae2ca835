"""A pipeline as text for a terminal, as DOT, and as SVG.

Names are not trusted. Control characters are written as escapes; DOT is written by the
``graphviz`` package with generated ids; SVG has only shapes and escaped text.
"""

from __future__ import annotations

from kfnb.draw.chart import Curve, chart
from kfnb.draw.dot import dot, short_reason, skeleton, svg
from kfnb.draw.picture import picture
from kfnb.draw.protocols import body_of, cells_of, drawn_edges, layers, reason
from kfnb.draw.terminal import ASCII, UNICODE, Line, summary, text
from kfnb.draw.text import shortened, visible, width_of

__all__ = [
    "ASCII",
    "UNICODE",
    "Curve",
    "Line",
    "body_of",
    "cells_of",
    "chart",
    "dot",
    "drawn_edges",
    "layers",
    "picture",
    "reason",
    "short_reason",
    "shortened",
    "skeleton",
    "summary",
    "svg",
    "text",
    "visible",
    "width_of",
]
