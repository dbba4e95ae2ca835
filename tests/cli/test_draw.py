"""A pipeline drawn: text for a terminal and DOT, whatever the names are."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from kfnb import draw
from kfnb.errors import UsageError
from kfnb.pipeline import Cell, Edge, Pipeline
from tests.cli.scripted import pipeline, step

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = [
    'a"; rm -rf',
    "<b>bold</b>",
    "<TABLE><TR><TD>x</TD></TR></TABLE>",
    "line\nbreak",
    "back\\slash\\",
    r"\N\G\l",
    "a:port:n",
    "node",
    "🎲 würfeln",
    "\x1b[31mred\x00",
    "n" * 300,
]


def plain() -> Pipeline:
    names = ["load", "split", "forest", "tree", "compare", "tell"]
    edges = (
        Edge("load", "split", ("df",), ("out/data.csv",)),
        Edge("split", "forest", ("X_train", "y_train")),
        Edge("split", "tree", ("X_train", "y_train")),
        Edge("forest", "compare", ("model",)),
        Edge("tree", "compare", ("tree",), explicit=True),
        Edge("load", "compare", explicit=True),
    )
    return replace(
        pipeline(),
        name="train",
        cells=tuple(
            Cell(n, f"c{n}", "code", f"x{n} = {n}", execution_count=n + 1 if n < 10 else None)
            for n in range(20)
        ),
        steps={name: step(name, n, (2 * n, 2 * n + 1, 2 * n + 9)) for n, name in enumerate(names)},
        edges=edges,
        on_exit="tell",
    )


def hostile() -> Pipeline:
    return replace(
        pipeline(),
        name='<i>"hostile"\\',
        cells=tuple(Cell(n, f"c{n}", "code", text) for n, text in enumerate(HOSTILE)),
        steps={name: step(name, n, (n,)) for n, name in enumerate(HOSTILE)},
        edges=tuple(Edge(a, b, ("x<y>", 'q"'), ("a\\b\n.csv",)) for a, b in pairwise(HOSTILE)),
    )


STATUSES = ["succeeded", "cached", "running", "failed", "pending", "skipped"]
DRAWN = {
    "plain.dot": lambda: draw.dot(plain()),
    "run.dot": lambda: draw.dot(
        plain(),
        dict(zip(plain().steps, STATUSES, strict=True)),
        more_edges=[Edge("load", "tree", ("seed",)), Edge("load", "split"), Edge("load", "gone")],
    ),
    "hostile.dot": lambda: draw.dot(hostile()),
    "plain.txt": lambda: draw.text(plain(), width=80) + "\n",
    "ascii.txt": lambda: draw.text(plain(), width=80, line=draw.ASCII) + "\n",
    "hostile.txt": lambda: draw.text(hostile(), width=60) + "\n",
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawing_is_its_golden_file(name: str) -> None:
    drawn = DRAWN[name]()
    if os.environ.get("KFNB_UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(drawn, "utf-8")
    assert drawn == (GOLDEN / name).read_text("utf-8")


def test_nothing_that_a_person_types_reaches_the_terminal_or_dot_raw() -> None:
    for drawn in (draw.text(hostile()), draw.dot(hostile())):
        assert "\x1b" not in drawn
        assert "\x00" not in drawn
    nodes = [line for line in draw.dot(hostile()).splitlines() if " [label=" in line]
    assert len([line for line in nodes if "->" not in line]) == len(HOSTILE) + 1


def test_a_line_fits_the_terminal() -> None:
    names = tuple(f"a_rather_long_name_{n}" for n in range(20))
    wide = replace(pipeline(), edges=(Edge("load", "train", names),))
    line = next(x for x in draw.text(wide, width=80).splitlines() if "load ──" in x)
    assert len(line) <= 80
    assert ", +" in line


def test_drawing_does_not_fail_on_edges_that_turn_the_order_round() -> None:
    turned = replace(pipeline(), edges=(Edge("train", "load"), Edge("load", "train", ("x",))))
    assert "train" in draw.text(turned)
    assert "n1 -> n0" in draw.dot(turned)


def test_svg_without_graphviz_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="needs Graphviz's program dot"):
        draw.svg(plain())


def test_svg_is_what_graphviz_makes_of_the_dot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\ntest "$1" = -Kdot || exit 1\necho "<svg>"; /bin/cat\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert draw.svg(plain()) == "<svg>\n" + draw.dot(plain())
    program.write_text('#!/bin/sh\necho "Error: it broke" >&2; exit 1\n')
    with pytest.raises(UsageError, match="it broke"):
        draw.svg(plain())
