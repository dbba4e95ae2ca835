"""State of the process that flows between steps, and what cannot flow."""

from __future__ import annotations

import pytest

from kfnb.notebook.effects.library_state import library_state
from kfnb.notebook.effects.step_facts import StepCells

SETUP = "import os, random, sys, warnings, uuid, time\nimport numpy as np, pandas as pd\n"


def found(*steps: str, setup: str = "") -> tuple[list[str], list[str]]:
    """The flows ("a b: state"), and the codes, of steps a, b, c … of one cell each."""
    made = [StepCells("abcdef"[n], [(n + 1, code)]) for n, code in enumerate(steps)]
    state = library_state(made, [(0, SETUP + setup)])
    flows = [f"{f.source} {f.target}: {f.state.partition(',')[0]}" for f in state.flows]
    return flows, [d.code for d in state.diagnostics]


PYTHON, NUMPY = "Python's random generator", "NumPy's random generator"


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        ("random.seed(1)", "x = random.random()", PYTHON),
        ("np.random.seed(1)", "x = np.random.rand(3)", NUMPY),
        ("np.random.seed(1)", "if c:\n    np.random.rand(3)", NUMPY),
        ("np.random.seed(1)", "df.sample(3)", NUMPY),
        ("os.environ['A'] = '1'", "print(os.getenv('A'))", "the environment variable A"),
        ("os.environ.update(A='1')", "os.environ['A']", "the environment variable A"),
        (
            "get_ipython().run_line_magic('env', 'A=1')",
            "get_ipython().system('echo $A')",
            "the environment variable A",
        ),
        (
            "os.environ['A'] = '1'",
            "get_ipython().system('make')",
            "the environment variable A",
        ),
        ("os.chdir('sub')", "open('a.txt')", "the working directory"),
        (
            "get_ipython().run_line_magic('cd', 'sub')",
            "pd.read_csv('a.csv')",
            "the working directory",
        ),
        ("os.chdir('sub')", "os.chdir('..')", "the working directory"),
        ("os.chdir('sub')", "open(path)", "the working directory"),
        ("sys.path.append('lib')\nimport mine_only", "mine_only.f()", "the module path"),
        ("pd.set_option('display.width', 9)", "df", "options of pandas"),
        ("warnings.simplefilter('ignore')", "x = 1", "options of warnings"),
    ],
)
def test_what_a_step_sets_flows_to_those_that_rely_on_it(
    first: str, second: str, state: str
) -> None:
    assert found(first, second) == ([f"a b: {state}"], [])


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ("sys.modules['made'] = m", "import made", "KFNB-E405"),
        ("pd.own = 1", "print(pd.own)", "KFNB-E405"),
        ("1 + 1", "print(_)", "KFNB-E406"),
        ("1 + 1", "print(Out[1])", "KFNB-E406"),
    ],
)
def test_what_cannot_flow_is_reported(first: str, second: str, code: str) -> None:
    assert found(first, second) == ([], [code])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("random.seed(1); random.random()", "random.seed(2); random.random()"),
        ("random.random()", "random.random()"),
        ("rng = random.Random(1)", "rng.random()"),
        ("np.random.seed(1)", "rng = np.random.default_rng(2); rng.random()"),
        ("np.random.seed(1)", "df.sample(3, random_state=1)"),
        ("os.environ['A'] = '1'", "os.environ['B']"),
        ("os.environ['A'] = '1'", "os.environ['A'] = '2'; os.getenv('A')"),
        ("old = os.getcwd(); os.chdir('sub'); os.chdir(old)", "open('a.txt')"),
        ("os.chdir('sub')", "open('/a.txt')"),
        ("sys.path.append('lib')", "import json"),
        ("import matplotlib.pyplot as plt\nplt.style.use('x')", "print(1)"),
        ("_ = 1", "print(_)"),
        ("1 + 1", "1\nprint(2)"),
    ],
)
def test_what_harms_nobody(first: str, second: str) -> None:
    assert found(first, second) == ([], [])


def test_steps_draw_in_the_notebooks_order_from_a_generator_that_setup_seeds() -> None:
    seed = "random.seed(1)\n"
    assert found("random.random()", "x = 1", setup=seed) == ([], [])
    draws = ["random.random()"] * 3
    assert found(*draws, setup=seed) == ([f"a b: {PYTHON}", f"b c: {PYTHON}"], [])


def test_a_generator_that_nobody_seeds_orders_nothing() -> None:
    assert found("random.random()", "random.random()", "np.random.rand()") == ([], [])
    # Draws before the first seed are not continued by those after it.
    assert found("random.random()", "random.seed(1)", "x = 1") == ([], [])


def test_functions_and_methods_are_followed() -> None:
    setup = "def draw():\n    return inner()\ndef inner():\n    return random.random()\n"
    assert found("random.seed(1)", "draw()", setup=setup) == ([f"a b: {PYTHON}"], [])
    setup = "class C:\n    def go(self):\n        return random.random()\n"
    assert found("random.seed(1)", "thing.go()", setup=setup) == ([f"a b: {PYTHON}"], [])


def test_setup_that_is_another_in_each_step() -> None:
    assert found("x", "x", setup="x = random.random()")[1] == ["KFNB-E407"]
    assert found("x", "y", setup="x = random.random()")[1] == []
    assert found("x", "x", setup="random.seed(1)\nx = random.random()")[1] == []
    assert found("x", "x", setup="x = time.time()")[1] == ["KFNB-W418"]


def test_memo_functions_start_empty() -> None:
    setup = "from functools import lru_cache\n@lru_cache(maxsize=None)\ndef f(n):\n    return n\n"
    assert found("f(1)", "f(2)", setup=setup)[1] == ["KFNB-W417"]


def test_a_flow_says_where_the_state_is_set() -> None:
    steps = [
        StepCells("load", [(3, "\nrandom.seed(1)")]),
        StepCells("fit", [(5, "random.random()")]),
    ]
    (flow,) = library_state(steps, [(0, "import random")]).flows
    assert (flow.source, flow.target) == ("load", "fit")
    assert flow.state == f"{PYTHON}, seeded in line 2: `random.seed(1)`"


def test_a_line_that_is_quoted_has_its_execution_count() -> None:
    steps = [StepCells("load", [(3, "random.seed(1)")]), StepCells("fit", [(5, "random.random()")])]
    counts = {0: 1, 3: 12, 5: None}
    (flow,) = library_state(steps, [(0, "import random")], execution_counts=counts).flows
    assert "seeded in [12] line 1: `random.seed(1)`" in flow.state
