"""Untagged cells: no code is lost, and none runs where its author would not expect it."""

from __future__ import annotations

import pytest

from tests.notebook.authoring.book import MARKDOWN, codes, declared, only, step, steps


def test_a_notebook_without_tags_is_one_step() -> None:
    found = declared(("", "import os"), ("", "x = 1"), ("", "def f(): pass"))
    assert steps(found) == {"train": (0, 1, 2)}
    assert found.setup == ()


def test_its_step_has_the_pipelines_name() -> None:
    assert steps(declared(("", "x = 1"), kfnb={"name": "my line"})) == {"my line": (0,)}


def test_tags_of_other_tools_do_not_make_steps() -> None:
    assert steps(declared(("hide-input", "import os"), ("", "x = 1"))) == {"train": (0, 1)}


def test_an_untagged_cell_belongs_to_the_step_before_it() -> None:
    found = declared(("step:a", "1"), ("", "2"), ("step:b", "3"), ("", "4"), ("", "import os"))
    assert steps(found) == {"a": (0, 1), "b": (2, 3, 4)}


def test_skip_does_not_end_a_step() -> None:
    found = declared(("step:a", "1"), ("skip", "2"), ("", "3"))
    assert steps(found) == {"a": (0, 2)}


def test_after_setup_it_is_setup() -> None:
    found = declared(("step:a", "1"), ("setup", "2"), ("", "x = 3"), ("step:b", "4"))
    assert found.setup == (1, 2)


@pytest.mark.parametrize("tag", ["parameters", "pipeline-parameters", "metrics"])
def test_parameters_and_metrics_do_not_swallow_what_follows(tag: str) -> None:
    found = declared(("step:a", "1"), (tag, "x = 1"), ("", "2"))
    assert steps(found) == {"a": (0, 2)}
    found = declared(("setup", "1"), (tag, "x = 1"), ("", "2"), ("step:a", "3"))
    assert found.setup == (0, 2)


def test_after_leading_parameters_imports_are_setup_and_the_rest_is_a_step() -> None:
    found = declared(("parameters", "n = 1"), ("", "import os"), ("", "x = n"))
    assert found.setup == (1,)
    assert steps(found) == {"start": (2,)}


def test_before_the_first_tag_imports_and_definitions_are_setup() -> None:
    found = declared(
        ("", "import os\nfrom sys import path"),
        ("", '"""About."""\n\ndef f():\n    return 1\n\nclass A:\n    pass'),
        ("", "try:\n    import a\nexcept ImportError:\n    import b as a"),
        ("", "%matplotlib inline\nimport os"),
        ("", "# only a comment"),
        ("step:a", "x = 1"),
    )
    assert found.setup == (0, 1, 2, 3, 4)
    assert steps(found) == {"a": (5,)}


@pytest.mark.parametrize(
    "code", ["x = 1", "print(1)", "import os; os.getcwd()", "!ls", "x = (", "for a in []: 1"]
)
def test_before_the_first_tag_anything_else_is_a_first_step(code: str) -> None:
    found = declared(("", code), ("step:a", "y = 1"))
    assert steps(found) == {"start": (0,), "a": (1,)}


def test_each_cell_before_the_first_tag_is_judged_by_itself() -> None:
    found = declared(("", "x = 1"), ("", "import os"), ("", "y = 2"), ("step:a", "z = 1"))
    assert found.setup == (1,)
    assert steps(found)["start"] == (0, 2)


@pytest.mark.parametrize(
    "code",
    [
        "def f(a=x): pass",
        "def f(a: x): pass",
        "def f(*a: x): pass",
        "def f(**a: x): pass",
        "class A(x): pass",
        "class A:\n    b = x",
        "@x\ndef f(): 1",
    ],
)
def test_a_definition_that_needs_the_first_step_stays_in_it(code: str) -> None:
    found = declared(("", "x = 1"), ("", code), ("step:a", "y = 1"))
    assert steps(found)["start"] == (0, 1)


def test_a_definition_that_reads_it_when_called_is_setup() -> None:
    found = declared(("", "x = 1"), ("", "def f(): return x"), ("step:a", "y = 1"))
    assert found.setup == (1,)


@pytest.mark.parametrize(
    "code", ["import sys\nsys.path.append(x)", "!pip install mine", "import os\nos.chdir('x')"]
)
def test_imports_that_what_runs_before_them_prepares_stay_below_it(code: str) -> None:
    found = declared(("", code), ("", "import mine"), ("step:a", "y = 1"))
    assert steps(found)["start"] == (0, 1)


def test_the_first_step_gives_way_to_a_step_of_its_name() -> None:
    found = declared(("", "x = 1"), ("step:start", "y = 1"))
    assert steps(found) == {"start_": (0,), "start": (1,)}


def test_empty_cells_before_the_first_tag_are_nothing() -> None:
    found = declared(("", ""), ("", "\n  "), ("step:a", "1"))
    assert steps(found) == {"a": (2,)}
    assert not found.diagnostics


@pytest.mark.parametrize("tag", ["step:", "block:"])
def test_an_empty_name_is_no_tag(tag: str) -> None:
    # Kale's panel leaves this on cells that belong to the one before.
    found = declared(("step:a", "1"), (tag, "2"))
    assert steps(found) == {"a": (0, 1)}
    assert not found.diagnostics


def test_markdown_travels_with_the_step_that_it_heads() -> None:
    found = declared(
        (MARKDOWN, "# Title"), ("setup", "1"), (MARKDOWN, "## A"), ("step:a", "2"),
        (MARKDOWN, "between"), ("", "3"), (MARKDOWN, "## B"), ("step:b", "4"), (MARKDOWN, "end"),
    )  # fmt: skip
    assert step(found, "a").notes == (2, 4)
    assert step(found, "b").notes == (6, 8)


def test_markdown_before_a_skipped_cell_stays_with_the_step_before() -> None:
    found = declared(("step:a", "1"), (MARKDOWN, "look"), ("skip", "2"), ("step:b", "3"))
    assert step(found, "a").notes == (1,)


def test_a_tagged_heading_begins_its_step() -> None:
    found = declared(
        ("step:a", "1"), ([MARKDOWN, "step:b", "after:a", "memory:1Gi"], "## B"), ("", "2")
    )
    assert steps(found) == {"a": (0,), "b": (2,)}
    assert step(found, "b").notes == (1,)
    assert step(found, "b").after == ("a",)
    assert step(found, "b").options.memory == "1Gi"


def test_a_step_of_headings_only_is_reported() -> None:
    found = declared(("step:a", "1"), ([MARKDOWN, "step:b"], "## B"))
    assert steps(found) == {"a": (0,)}
    assert only(found).code == "KFNB-W216"


@pytest.mark.parametrize(
    "cells", [[], [("setup", "x = 1")], [(MARKDOWN, "# Hi")], [("skip", "1")], [("", "")]]
)
def test_a_notebook_with_nothing_to_execute_is_reported(cells: list[tuple[str, str]]) -> None:
    found = declared(*cells)
    assert not found.steps
    assert codes(found) == ["KFNB-W216"]


def test_raw_cells_are_not_code() -> None:
    raw = {"cell_type": "raw", "metadata": {}, "source": "x = 1"}
    assert steps(declared(raw, ("step:a", "1"))) == {"a": (1,)}


def test_another_language_has_one_step() -> None:
    spec = {"name": "ir", "language": "R"}
    assert steps(declared(("", "library(x)"), ("", "y <- 1"), kernelspec=spec)) == {"train": (0, 1)}
    problem = only(declared(("step:a", "x <- 1"), ("step:b", "y <- x"), kernelspec=spec))
    assert problem.code == "KFNB-E002"
    assert "R" in problem.message


OPTIONS = {
    "style": "import matplotlib.pyplot as plt\nplt.style.use('ggplot')",
    "warnings": "import warnings\nwarnings.filterwarnings('ignore', category=FutureWarning)",
    "pandas": "import pandas as pd\npd.set_option('display.max_rows', 10)",
    "pandas' attribute": "import pandas as pd\npd.options.display.max_rows = 10",
    "a format": "import pandas as pd\npd.options.display.float_format = '{:.2f}'.format",
    "seaborn": "import seaborn as sns\nsns.set_theme(style='darkgrid')",
    "rcParams": "import matplotlib as mpl\nmpl.rcParams['figure.figsize'] = (8, 4)",
    "a magic": "%matplotlib inline\nimport numpy as np",
    "every expression": (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "InteractiveShell.ast_node_interactivity = 'all'"
    ),
    "environment": "import os\nos.environ['TOKENIZERS_PARALLELISM'] = 'false'",
    "path": "import os, sys\nsys.path.insert(0, os.path.abspath('..'))",
}


@pytest.mark.parametrize("code", OPTIONS.values(), ids=OPTIONS)
def test_a_first_cell_that_sets_options_is_setup(code: str) -> None:
    found = declared(("", code), ("", "import json"), ("step:a", "y = 1"))
    assert found.setup == (0, 1)
    assert list(steps(found)) == ["a"]


@pytest.mark.parametrize(
    "code",
    [
        "import pandas as pd\npd.set_option('display.max_rows', rows)",
        "import numpy as np\nnp.random.seed(1)",
        "import pandas as pd\ndf = pd.read_csv('x.csv')",
        "import pandas as pd\npd.set_option('display.max_rows', len(open('x').read()))",
    ],
)
def test_a_first_cell_that_does_more_is_a_step(code: str) -> None:
    assert steps(declared(("", code), ("step:a", "y = 1")))["start"] == (0,)


def test_an_option_that_is_set_after_code_stays_below_it() -> None:
    option = "import pandas as pd\npd.set_option('display.max_rows', 10)"
    found = declared(("", "x = 1\nprint(x)"), ("", option), ("step:a", "y = 1"))
    assert steps(found)["start"] == (0, 1)
