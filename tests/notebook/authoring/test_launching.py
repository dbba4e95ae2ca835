"""What launches or shows pipelines never executes in a step; what is setup is found anywhere."""

from __future__ import annotations

import pytest

from kfnb.engine.dispatch.step_notebook import executable
from tests.notebook.authoring.book import codes, declared, only


def executed(source: str) -> str:
    """What the kernel is given for the second of two cells, of which this is it."""
    found = declared(("step:a", "x = 1"), ("step:b", source))
    return executable(found.document.cells[1])


@pytest.mark.parametrize(
    "line",
    [
        "%load_ext kfnb",
        "%reload_ext kfnb",
        "%pipeline show",
        "shown = %pipeline status",
        "print(get_ipython().run_line_magic('pipeline', 'status'))",
        "%pipeline run --detach",
        'kfnb.run("train.ipynb")',
        'run = kfnb.run("train.ipynb", {"lr": 0.1}, wait=True)',
        "kfnb.widgets.show()",
        "import kfnb.widgets",
        "from kfnb import widgets",
        "from kfnb.widgets import Dag",
        'print(kfnb.run("x").status)',
        "get_ipython().run_line_magic('pipeline', 'run')",
        'for name in kfnb.run("x").steps:\n    print(name)',
        'kfnb.run(\n    "x",\n    wait=True,\n)',
    ],
)
def test_it_is_a_comment(line: str) -> None:
    kept = executed(f"import kfnb\na = 1\n{line}\nb = 2")
    left = [text for text in kept.split("\n") if text.strip() and not text.startswith("#")]
    assert left == ["import kfnb", "a = 1", "b = 2"]
    assert kept.split("\n").index("b = 2") == 3 + line.count("\n")


def test_the_lines_are_known() -> None:
    found = declared(("step:a", 'x = 1\nkfnb.run(\n  "x"\n)\ny = 1\n%pipeline show'))
    assert found.dropped_lines == {0: (2, 3, 4, 6)}


@pytest.mark.parametrize(
    "source",
    [
        "import kfnb as k\nk.run('x')\ny = 1",
        "from kfnb import run\nrun('x')\ny = 1",
        "from kfnb import run as go, log_metric\ngo('x')\ny = 1",
        "from kfnb import widgets as w, log_metric\nw.show()\ny = 1",
    ],
)
def test_other_names_for_it_are_known(source: str) -> None:
    lines = executed(source).split("\n")
    assert lines[1].startswith("#")
    assert lines[2] == "y = 1"


def test_what_uses_its_result_goes_too_in_later_cells_as_well() -> None:
    found = declared(
        ("step:a", "import kfnb\nx = 1"),
        ("", "run = kfnb.run('x')\nprint(run.status)\nprint(x)"),
        ("step:b", "scores = run.metrics\nbest = max(scores)\nprint(x)"),
        ("step:c", "run = 5\nprint(run)"),
    )
    assert found.dropped_lines == {1: (1, 2), 2: (1, 2)}
    assert codes(found) == ["KFNB-W215", "KFNB-W215"]
    assert [(d.cell, d.line) for d in found.diagnostics] == [(1, 1), (2, 1)]


@pytest.mark.parametrize(
    "source",
    [
        "print([run for run in [1, 2]])",
        "for run in [1, 2]:\n    print(run)",
        "def run():\n    return 1\nprint(run())",
        "import run\nrun.go()",
        "with open('x') as run:\n    run.read()",
    ],
)
def test_lines_that_use_a_rebound_name_stay(source: str) -> None:
    found = declared(("step:a", "run = kfnb.run('x')"), ("step:b", source))
    assert found.dropped_lines == {0: (1,)}


@pytest.mark.parametrize(
    "source", ["def run(x):\n    pass\n", "run = print\n", "from mine import run\n"]
)
def test_a_function_of_ones_own_is_not_kfnbs(source: str) -> None:
    found = declared(("step:a", "from kfnb import run"), ("step:b", source + "run('x')"))
    assert not found.dropped_lines


@pytest.mark.parametrize(
    ("source", "rest"),
    [
        ("if x:\n    kfnb.run('x')\ny = 1", "if x:\n    pass\ny = 1"),
        ("if x:\n    kfnb.run(\n        'x')\ny = 1", "if x:\n    pass\ny = 1"),
        ("y = 1; kfnb.run('x'); z = 2", "y = 1; pass; z = 2"),
        ("ü = 'é'; kfnb.run('x')", "ü = 'é'; pass"),
        ("if x: kfnb.run('x')", "if x: pass"),
        (
            "try:\n    kfnb.run('x')\nexcept ValueError:\n    y = 1",
            "try:\n    pass\nexcept ValueError:\n    y = 1",
        ),
    ],
)
def test_within_other_statements_pass_stands_for_it(source: str, rest: str) -> None:
    kept = [
        line for line in executed(source).split("\n") if line.strip() and not line.startswith("#")
    ]
    assert kept == rest.split("\n")


@pytest.mark.parametrize(
    "source",
    [
        "import kfnb\nkfnb.log_metric('a', 1)",
        "def launch():\n    kfnb.run('x')\n",
        "runs = subprocess.run('kfnb')",
        "pipeline = make_pipeline(1)\npipeline.fit(x)",
        "text = 'kfnb.run(1)'",
        "kfnb = 1",
        "%load_ext autoreload",
        "from sklearn import pipeline\npipeline.run(1)",
    ],
)
def test_what_only_looks_like_it_stays(source: str) -> None:
    assert executed(source) == source
    assert not declared(("step:a", source)).dropped_lines


def test_in_a_cell_with_a_syntax_error_magics_still_go() -> None:
    found = declared(("step:a", "%pipeline run\nx = ("))
    assert found.dropped_lines == {0: (1,)}


def test_skipped_cells_are_as_they_were() -> None:
    found = declared(("skip", "run = kfnb.run('x')"), ("step:a", "run = 1\nprint(run)"))
    assert not found.dropped_lines
    assert not found.diagnostics


def test_cells_that_only_launch_are_no_cells_of_a_step() -> None:
    found = declared(
        ("step:a", "x = 1"),
        ("", "%pipeline run --no-wait"),
        ("", "# what came out\n%pipeline status"),
        ("", "%pipeline show\ny = 2"),
        ("step:b", "%pipeline check"),
    )
    assert [step.cells for step in found.steps] == [(0, 3), (4,)]
    assert found.skipped == (1, 2)


def test_magics_that_launch_need_no_word() -> None:
    assert not declared(("step:a", "%load_ext kfnb\nx = 1"), ("", "%pipeline run")).diagnostics


def test_a_call_is_reported() -> None:
    problem = only(declared(("step:a", "x = 1\nkfnb.run('x')")))
    assert (problem.code, problem.cell, problem.line) == ("KFNB-W215", 0, 2)


@pytest.mark.parametrize(
    "magic",
    [
        "load_ext autoreload",
        "autoreload 2",
        "matplotlib inline",
        "config A.b = 1",
        "pip install x",
        "conda install x",
        "aimport y",
        "pylab",
    ],
)
def test_lines_that_are_setup_wherever_they_stand(magic: str) -> None:
    found = declared(("step:a", "x = 1"), ("step:b", f"y = 1\n%{magic}\nz = 1"))
    assert found.setup_lines == {1: (2,)}
    assert not found.dropped_lines


@pytest.mark.parametrize(
    "source",
    [
        "'''\n%matplotlib inline\n'''",
        "%cd x",
        "%time f()",
        "!pip install x",
        "if x:\n    %matplotlib inline",
    ],
)
def test_other_lines_are_not(source: str) -> None:
    assert not declared(("step:a", source)).setup_lines


def test_below_a_step_line_too() -> None:
    """The line looks like a cell magic and is none: what stands for the rest is executed."""
    kept = executed("%%step b\nfor n in [1]:\n    %pipeline run\n    print(n)").split("\n")
    assert kept[:4] == ["# %%step b", "for n in [1]:", "    pass", "    print(n)"]
