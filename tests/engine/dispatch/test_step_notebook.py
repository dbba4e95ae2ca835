"""The notebook that a step executes, as golden files; and blanking, as statements."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path
from typing import Any

import pytest

from kfnb.engine.dispatch.step_notebook import blank, executable, merge
from kfnb.engine.dispatch.step_orders import Site, Upstream, step_order
from kfnb.home import RunFolder
from kfnb.json_values import python_literal
from kfnb.pipeline import (
    Cell,
    Definition,
    Options,
    Parameter,
    Piece,
    Pipeline,
    Statement,
    Step,
)
from kfnb.store import Bundle, Manifest, Output, WrittenFile

GOLDEN = Path(__file__).with_name("golden")


def statements(code: str, *chosen: int) -> tuple[Statement, ...]:
    """The chosen top-level statements of ``code``, with the spans that the reader gives."""
    found = []
    lines = code.split("\n")
    for node in ast.parse(code).body:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        start = len(lines[node.lineno - 1].encode()[: node.col_offset].decode())
        end_line = node.end_lineno or node.lineno
        end = len(lines[end_line - 1].encode()[: node.end_col_offset].decode())
        found.append(
            Statement(first, start if first == node.lineno else 0, end_line, end, ast.dump(node))
        )
    return tuple(found[n] for n in chosen)


@pytest.mark.parametrize(
    ("code", "chosen", "expected"),
    [
        ("a = 1\nb = 2\nc = 3", (0, 2), "a = 1\n\nc = 3"),
        ("a = 1; b = 2; c = 3", (0, 2), "a = 1;        c = 3"),
        ("a = 1; b = 2", (1,), "b = 2"),
        ("a = 1; b = 2", (0,), "a = 1"),
        ("a = 1; b = (2,\n  3)", (1,), "b = (2,\n  3)"),
        ("a = 1; \\\nb = 2", (1,), "\nb = 2"),
        (
            "@wraps\ndef f():\n    return 1\n\nprint(f())",
            (0,),
            "@wraps\ndef f():\n    return 1\n\n",
        ),
        ("print(1)  # said\nx = 'é'; y = 'ü'  # note", (2,), "\ny = 'ü'"),
        ('t = """a\n\n  b  \n"""; u = 1', (0,), 't = """a\n\n  b  \n"""'),
        ('t = """a\n"""; u = 1', (1,), "\nu = 1"),
        ("a = 1\nb = 2", (), "\n"),
    ],
)
def test_what_is_not_needed_is_blanked(code: str, chosen: tuple[int, ...], expected: str) -> None:
    kept = blank(code, statements(code, *chosen))
    assert kept == expected
    whole = ast.parse(code).body
    assert [ast.dump(n) for n in ast.parse(kept).body] == [ast.dump(whole[n]) for n in chosen]
    assert [n.lineno for n in ast.parse(kept).body] == [whole[n].lineno for n in chosen]


@pytest.mark.parametrize(
    ("source", "code", "expected"),
    [
        ("x = 1", None, "x = 1"),
        ("!ls {x}\ny = 1", "get_ipython().system('ls {x}')\ny = 1\n", "!ls {x}\ny = 1"),
        ("%%step train\nfit()", "# %%step train\nfit()\n", "# %%step train\nfit()"),
        ("%load_ext kfnb\nx = 1", "\nx = 1", "\nx = 1"),
        (
            "%%time\nx = 1",
            "get_ipython().run_cell_magic('time', '', 'x = 1\\n')\n",
            "%%time\nx = 1",
        ),
        ("%%time\n%load_ext kfnb", "get_ipython().run_cell_magic('time', '', '\\n')\n", None),
        (
            "%%step a\n%%time\nx = 1",
            "#\nget_ipython().run_cell_magic('time', '', 'x = 1\\n')\n",
            None,
        ),
        ("# only a note\nx = 1", "# only a note\nx = 1\n", "# only a note\nx = 1"),
    ],
)
def test_a_whole_cell_is_executed_as_written_unless_lines_are_left_out(
    source: str, code: str | None, expected: str | None
) -> None:
    assert executable(Cell(0, "c", "code", source, code)) == (
        code if expected is None else expected
    )


def test_pieces_of_one_cell_are_joined_in_notebook_order() -> None:
    code = "a = 1\nb = 2\nc = 3"
    one, two, three = statements(code, 0, 1, 2)
    joined = merge(
        [
            Piece(3, "definitions", False, (three,)),
            Piece(1, "setup", False, (two,)),
            Piece(3, "definitions", False, (one, three)),
            Piece(1, "setup", True, (one,)),
        ]
    )
    assert [(p.cell, p.whole, p.statements) for p in joined] == [
        (1, True, (one, two)),
        (3, False, (one, three)),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (float("nan"), 'float("nan")'),
        (float("-inf"), 'float("-inf")'),
        (None, "None"),
        (True, "True"),
        ('a"b\n', "'a\"b\\n'"),
        ({"a": [1, float("inf")]}, "{'a': [1, float(\"inf\")]}"),
    ],
)
def test_parameters_are_written_as_literals(value: Any, text: str) -> None:
    assert python_literal(value) == text


SOURCES = [
    ("markdown", "# Train", ()),
    ("code", "import math\nimport os; import sys", ("setup",)),
    ("code", "lr = 0.1\nepochs = 3", ("parameters",)),
    ("code", "%%step load\nclass Net:\n    size = 3\nnet = Net()\n!ls", ("step:load",)),
    ("code", "def scale(v):\n    return v * math.pi\nprint(scale(1))", ()),
    ("markdown", "About training", ()),
    ("code", "best = scale(net.size) * lr\nbest", ("step:train",)),
]


def example() -> Pipeline:
    cells = tuple(
        Cell(n, f"id-{n}", kind, source, tags=tags)
        for n, (kind, source, tags) in enumerate(SOURCES)
    )
    load = (
        cells[3]
        .source.replace("%%step load", "# %%step load")
        .replace("!ls", "get_ipython().system('ls')")
    )
    cells = (*cells[:3], Cell(3, "id-3", "code", SOURCES[3][1], load, ("step:load",)), *cells[4:])

    def piece(cell: int, role: Any, *chosen: int, whole: bool = False) -> Piece:
        code = cells[cell].code or cells[cell].source
        every = range(len(ast.parse(code).body))
        return Piece(cell, role, whole, statements(code, *(chosen or every)))

    setup = piece(1, "setup", 0)
    net = Definition("Net", 3, "class", (piece(3, "definitions", 0),))
    scale = Definition("scale", 4, "function", (setup, piece(4, "definitions", 0)))
    common: dict[str, Any] = {"after": (), "changes": (), "options": Options()}
    made = {
        "load": Step(
            "load",
            "load",
            0,
            (3, 4),
            (),
            {},
            ("net",),
            (),
            prelude=(setup,),
            body=(piece(3, "step", whole=True), piece(4, "step", whole=True)),
            **common,
        ),
        "train": Step(
            "train",
            "train",
            1,
            (6,),
            (5,),
            {"net": "load"},
            ("best",),
            ("lr",),
            prelude=(setup, piece(2, "parameters", whole=True), piece(4, "definitions", 0)),
            body=(piece(6, "step", whole=True),),
            definitions=("scale",),
            metrics=("best",),
            **common,
        ),
    }
    return Pipeline(
        name="example",
        description="",
        kernel="python3",
        language="python",
        cells=cells,
        parameters=(
            Parameter("lr", 0.1, "float", "0.1", 2, 1),
            Parameter("epochs", 3, "int", "3", 2, 2),
        ),
        steps=made,
        edges=(),
        diagnostics=(),
        definitions=(net, scale),
        path="/notebooks/example.ipynb",
    )


MANIFEST = Manifest(
    run="r",
    step="load",
    attempt=1,
    started=0,
    finished=1,
    outputs={"net": Output(bundle="b0", type="Net")},
    bundles={"b0": Bundle(blobs=("0" * 32 + "-1",), names=("net",), classes=("Net",))},
    files_written={"raw.csv": WrittenFile("1" * 32 + "-2", 2)},
)


@pytest.mark.parametrize("step", ["load", "train"])
def test_step_notebooks_and_orders_are_as_the_golden_files_say(step: str) -> None:
    pipeline = example()
    upstream = {} if step == "load" else {"load": MANIFEST}
    inputs = {} if step == "load" else {"net": Upstream("load", MANIFEST)}
    site = Site(
        run=RunFolder(Path("/home/runs/r")),
        store=Path("/home/store"),
        workdir=Path("/work"),
        kernel="python3",
        parameters={"lr": 0.5, "epochs": 4},
        wakeup_socket="/tmp/bell",
    )
    notebook, order = step_order(
        pipeline,
        pipeline.steps[step],
        attempt=1,
        inputs=inputs,
        upstream=upstream,
        site=site,
        timeout=60.0,
    )
    found = (
        json.dumps({"notebook": notebook, "order": json.loads(order.to_json())}, indent=1) + "\n"
    )
    golden = GOLDEN / f"{step}.json"
    if os.environ.get("KFNB_UPDATE_GOLDEN"):
        golden.write_text(found)
    assert json.loads(found) == json.loads(golden.read_text())


def test_a_step_notebook_is_a_valid_notebook() -> None:
    nbformat = pytest.importorskip("nbformat")
    for golden in GOLDEN.glob("*.json"):
        nbformat.validate(nbformat.from_dict(json.loads(golden.read_text())["notebook"]))
