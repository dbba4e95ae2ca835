"""State of the process that cannot flow between steps."""

from __future__ import annotations

import pytest

from kfnb.notebook.effects.library_state import library_state_diagnostics
from kfnb.notebook.effects.step_facts import StepCells

SETUP = "import os, random, sys, warnings, uuid, time\nimport numpy as np, pandas as pd\n"


def codes(*steps: str, setup: str = "") -> list[str]:
    """The codes found in steps a, b, c … of one cell each."""
    made = [StepCells("abcdef"[n], [(n + 1, code)]) for n, code in enumerate(steps)]
    return [d.code for d in library_state_diagnostics(made, [(0, SETUP + setup)])]


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ("random.seed(1)", "x = random.random()", "KFNB-E401"),
        ("np.random.seed(1)", "x = np.random.rand(3)", "KFNB-E401"),
        ("np.random.seed(1)", "if c:\n    np.random.rand(3)", "KFNB-W411"),
        ("np.random.seed(1)", "df.sample(3)", "KFNB-W411"),
        ("os.environ['A'] = '1'", "print(os.getenv('A'))", "KFNB-E403"),
        ("os.environ.update(A='1')", "os.environ['A']", "KFNB-E403"),
        (
            "get_ipython().run_line_magic('env', 'A=1')",
            "get_ipython().system('echo $A')",
            "KFNB-E403",
        ),
        ("os.environ['A'] = '1'", "get_ipython().system('make')", "KFNB-W413"),
        ("os.environ['OMP_NUM_THREADS'] = '1'", "x = 1", "KFNB-W413"),
        ("os.chdir('sub')", "open('a.txt')", "KFNB-E404"),
        ("get_ipython().run_line_magic('cd', 'sub')", "pd.read_csv('a.csv')", "KFNB-E404"),
        ("os.chdir('sub')", "os.chdir('..')", "KFNB-E404"),
        ("os.chdir('sub')", "open(path)", "KFNB-W414"),
        ("sys.path.append('lib')\nimport mine_only", "mine_only.f()", "KFNB-W415"),
        ("sys.modules['made'] = m", "import made", "KFNB-E405"),
        ("pd.own = 1", "print(pd.own)", "KFNB-E405"),
        ("pd.set_option('display.width', 9)", "df", "KFNB-W416"),
        ("warnings.simplefilter('ignore')", "x = 1", "KFNB-W416"),
        ("1 + 1", "print(_)", "KFNB-E406"),
        ("1 + 1", "print(Out[1])", "KFNB-E406"),
    ],
)
def test_what_a_step_sets_and_another_relies_on(first: str, second: str, code: str) -> None:
    assert codes(first, second) == [code]


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
    assert codes(first, second) == []


def test_a_generator_seeded_in_setup_is_drawn_from_in_one_step_only() -> None:
    seed = "random.seed(1)\n"
    assert codes("random.random()", "x = 1", setup=seed) == []
    assert codes("random.random()", "random.random()", setup=seed) == ["KFNB-E402"]


def test_functions_and_methods_are_followed() -> None:
    setup = "def draw():\n    return inner()\ndef inner():\n    return random.random()\n"
    assert codes("random.seed(1)", "draw()", setup=setup) == ["KFNB-E401"]
    setup = "class C:\n    def go(self):\n        return random.random()\n"
    assert codes("random.seed(1)", "thing.go()", setup=setup) == ["KFNB-W411"]


def test_setup_that_is_another_in_each_step() -> None:
    assert codes("x", "x", setup="x = random.random()") == ["KFNB-E407"]
    assert codes("x", "y", setup="x = random.random()") == []
    assert codes("x", "x", setup="random.seed(1)\nx = random.random()") == []
    assert codes("x", "x", setup="x = time.time()") == ["KFNB-W418"]


def test_memo_functions_start_empty() -> None:
    setup = "from functools import lru_cache\n@lru_cache(maxsize=None)\ndef f(n):\n    return n\n"
    assert codes("f(1)", "f(2)", setup=setup) == ["KFNB-W417"]


def test_a_finding_says_where_and_what_to_do() -> None:
    steps = [
        StepCells("load", [(3, "\nrandom.seed(1)")]),
        StepCells("fit", [(5, "random.random()")]),
    ]
    (finding,) = library_state_diagnostics(steps, [(0, "import random")])
    assert (finding.step, finding.cell, finding.line) == ("fit", 5, 1)
    assert 'step "load" seeds (line 2: `random.seed(1)`)' in finding.message
    assert "random.Random(SEED)" in finding.remedy


def test_a_second_line_that_is_quoted_has_its_execution_count() -> None:
    steps = [StepCells("load", [(3, "random.seed(1)")]), StepCells("fit", [(5, "random.random()")])]
    counts = {0: 1, 3: 12, 5: None}
    (finding,) = library_state_diagnostics(steps, [(0, "import random")], execution_counts=counts)
    assert 'step "load" seeds ([12] line 1: `random.seed(1)`)' in finding.message
