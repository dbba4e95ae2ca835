"""A pipeline as SVG that needs nothing, and the DOT that only places are taken from."""

from __future__ import annotations

import os
import random
import re
import shutil
import stat
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

import kfnb
from kfnb import draw
from kfnb.draw.layered import layered
from kfnb.draw.layout import Graph
from kfnb.pipeline import Edge, Pipeline
from tests.browser.hostile import KNOWN, names
from tests.cli.scripted import pipeline, step
from tests.cli.test_draw import STATUSES, hostile, plain

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {f"{SVG}{name}" for name in ("svg", "g", "rect", "path", "circle", "text", "title")}
FOUND = [Edge("load", "tree", ("seed",)), Edge("load", "split"), Edge("load", "gone")]


def of(steps: list[str], edges: list[Edge]) -> Pipeline:
    made = {name: step(name, n, (n,)) for n, name in enumerate(steps)}
    return replace(pipeline(), steps=made, edges=tuple(edges))


def marked() -> str:
    return draw.picture(
        plain(),
        dict(zip(plain().steps, STATUSES, strict=True)),
        notes={"load": "1.2 s", "tree": "[7] line 2"},
        more_edges=FOUND,
        captions=["run 20260101-000000-train-1a2b: failed", "as of 12:03"],
    )


DRAWN = {
    "plain.svg": lambda: draw.picture(plain()),
    "run.svg": marked,
    "hostile.svg": lambda: draw.picture(hostile(), dict.fromkeys(hostile().steps, "failed")),
    "many.svg": lambda: draw.picture(
        of([f"s{n}" for n in range(300)], []), {f"s{n}": STATUSES[n % 6] for n in range(300)}
    ),
    "skeleton.dot": lambda: draw.skeleton(plain(), more_edges=FOUND),
    "skeleton-hostile.dot": lambda: draw.skeleton(hostile()),
}


@pytest.fixture(autouse=True)
def no_graphviz(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines differ in their Graphviz; the layout of our own is the same everywhere."""
    if "graphviz" not in request.keywords:
        monkeypatch.setattr(shutil, "which", lambda program: None)


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawing_is_its_golden_file(name: str) -> None:
    drawn = DRAWN[name]() + "\n"
    if os.environ.get("KFNB_UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(drawn, "utf-8")
    assert drawn == (GOLDEN / name).read_text("utf-8")


def test_a_status_is_a_word_and_a_shape_too() -> None:
    root = ElementTree.fromstring(marked())
    texts = [text.text or "" for text in root.iter(f"{SVG}text")]
    for status in STATUSES:
        assert any(text.startswith(status) for text in texts), status
    shapes = {
        tuple(path.attrib["d"] for path in group.iter(f"{SVG}path"))
        for group in root.iter(f"{SVG}g")
        if group.find(f"{SVG}circle") is not None
    }
    assert len(shapes) == len(set(STATUSES) - {"cached"})
    assert root.attrib["aria-label"].startswith("train: 6 steps, 1 succeeded")


def inert(drawn: str) -> ElementTree.Element:
    """The picture holds shapes and text, nothing that a page would execute or fetch."""
    root = ElementTree.fromstring(drawn)
    assert {element.tag for element in root.iter()} <= ELEMENTS
    for element in root.iter():
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on"), name
            assert "href" not in name.lower()
            assert name == "aria-label" or not re.search(r"url\(|javascript:|@import", value)
    return root


@pytest.mark.parametrize("seed", range(20))
def test_whatever_names_are_the_picture_is_inert(seed: int) -> None:
    some = [*random.Random(seed).sample(list(KNOWN), 6), *names(6, seed)]
    steps = list(dict.fromkeys(some))
    edges = [Edge(a, b, (a, b), (a,)) for a, b in pairwise(steps)]
    made = replace(of(steps, edges), name=some[0])
    root = inert(
        draw.picture(
            made,
            dict.fromkeys(steps, "failed"),
            notes=dict.fromkeys(steps, some[1]),
            captions=some,
        )
    )
    titles = [(title.text or "").partition(": failed")[0] for title in root.iter(f"{SVG}title")]
    for name in steps:
        assert draw.visible(name) in titles


def test_control_characters_and_halves_of_pairs_are_written_out() -> None:
    steps = ["\x1b[31mred\x00", "half \ud83d", "no character \ufffe", "line\nbreak"]
    drawn = draw.picture(of(steps, [Edge(a, b) for a, b in pairwise(steps)]))
    inert(drawn)
    drawn.encode("utf-8")
    assert "line\\nbreak" in drawn


def test_a_long_caption_takes_several_lines() -> None:
    caption = "a sentence that says what to do, " * 9
    root = inert(draw.picture(of(["a"], []), captions=[caption, "x" * 5000]))
    lines = [text.text or "" for text in root.iter(f"{SVG}text")]
    assert " ".join(lines[1:5]) == caption.strip()
    assert max(map(len, lines)) <= 90
    assert len(lines) <= 1 + 4 + 5 + 2


def test_an_edge_that_turns_the_order_round_is_drawn() -> None:
    root = inert(draw.picture(of(["a", "b"], [Edge("a", "b"), Edge("b", "a", ("x",))])))
    assert "b → a: x" in [title.text for title in root.iter(f"{SVG}title")]


def test_a_pipeline_of_no_steps_is_drawn() -> None:
    assert "0 steps" in draw.picture(of([], []))


def test_a_thousand_steps_are_a_small_picture() -> None:
    steps = [f"step {n}" for n in range(1000)]
    drawn = draw.picture(of(steps, []), dict.fromkeys(steps, "running"))
    inert(drawn)
    assert len(drawn) < 25_000
    assert "1,000 steps running" in drawn


@pytest.mark.parametrize("seed", range(10))
def test_boxes_do_not_overlap_and_arrows_point_down(seed: int) -> None:
    source = random.Random(seed)
    count = source.randint(2, 40)
    boxes = [(source.uniform(50, 200), 40.0) for _ in range(count)]
    edges = [(source.randrange(n), n) for n in range(1, count) for _ in range(source.randint(0, 2))]
    edges = list(dict.fromkeys(edges))
    labels = [source.choice([None, (60.0, 16.0)]) for _ in edges]
    places = layered(Graph(boxes, edges, labels, last=source.choice([None, count - 1])))
    for n, (x, y) in enumerate(places.boxes):
        assert boxes[n][0] / 2 <= x <= places.size[0] - boxes[n][0] / 2
        assert 20 <= y <= places.size[1] - 20
        for m, (u, v) in enumerate(places.boxes[:n]):
            beside = abs(x - u) >= (boxes[n][0] + boxes[m][0]) / 2
            assert beside or abs(y - v) >= 40, (n, m)
    for (a, b), line, label in zip(edges, places.lines, labels, strict=True):
        assert places.boxes[a][1] < places.boxes[b][1]
        assert line.points[0][1] < line.points[-1][1]
        assert len(line.points) % 3 == 1
        assert (line.label is None) == (label is None)


def program(folder: Path, body: str) -> None:
    made = folder / "dot"
    made.write_text(f"#!{sys.executable}\n{body}")
    made.chmod(made.stat().st_mode | stat.S_IXUSR)


JSON0 = """
import json, sys
nodes = [{"_gvid": n, "name": f"n{n}", "pos": f"{50 + 7 * n},{500 - 70 * n}"} for n in range(6)]
edges = [{"id": f"e{n}", "pos": "e,30,20 10,400 10,300 10,200 30,25", "lp": "20,300"} for n in range(6)]
json.dump({"bb": "0,0,400,600", "objects": [{"name": "last"}, *nodes], "edges": edges}, sys.stdout)
"""


@pytest.mark.graphviz
def test_graphviz_of_the_system_says_the_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ours = draw.picture(plain())
    program(tmp_path, JSON0)
    theirs = draw.picture(plain())
    inert(theirs)
    assert theirs != ours
    assert "M22 212C22 312 22 412 42 592" in theirs  # turned upside down, to the arrow's tip


@pytest.mark.graphviz
@pytest.mark.parametrize(
    "body",
    [
        "raise SystemExit(1)",
        "print('no JSON')",
        "print('{}')",
        JSON0.replace("10,300", "10,900"),
    ],
)
def test_a_graphviz_that_fails_leaves_it_to_our_layout(
    body: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ours = draw.picture(plain())
    program(tmp_path, body)
    assert draw.picture(plain()) == ours


def test_a_pipeline_shows_itself() -> None:
    bundle = plain()._repr_mimebundle_()
    assert set(bundle) == {"image/svg+xml", "text/plain"}
    inert(bundle["image/svg+xml"])
    assert bundle["text/plain"] == draw.text(plain())
    assert plain().to_dot() == draw.dot(plain())
    assert kfnb.Pipeline.to_dot
