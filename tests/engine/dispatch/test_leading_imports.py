"""The imports with which every step of a pipeline begins."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

import kfnb
from kfnb.engine.dispatch.leading_imports import leading_imports


def _imports(tmp_path: Path, *cells: tuple[str, str]) -> tuple[str, ...]:
    notebook = nbformat.v4.new_notebook()
    for tag, source in cells:
        cell = nbformat.v4.new_code_cell(source)
        cell.metadata["tags"] = [tag] if tag else []
        notebook.cells.append(cell)
    path = tmp_path / "notebook.ipynb"
    nbformat.write(notebook, path)
    pipeline = kfnb.read(path)
    return leading_imports(pipeline, next(iter(pipeline.steps.values())))


USE = ("step:use", "np, pd, plt, later")


def test_they_are_those_of_the_setup_cells_up_to_the_first_other_statement(tmp_path: Path) -> None:
    first = '"""Setup."""\nfrom __future__ import annotations\nimport numpy as np, os\n# comment\n'
    second = "from pandas import DataFrame as pd, Series\nimport matplotlib.pyplot as plt\n"
    third = "os.environ['A'] = '1'\nimport later\n"
    found = _imports(tmp_path, ("setup", first), ("setup", second), ("setup", third), USE)
    assert found == (
        "import numpy",
        "import os",
        "from pandas import DataFrame, Series",
        "import matplotlib.pyplot",
    )


@pytest.mark.parametrize(
    "between",
    [
        "%matplotlib inline",
        "%load_ext autoreload\n%autoreload 2",
        "import warnings\nwarnings.filterwarnings('ignore')",
        "seed = 42",
        "'''a text'''",
    ],
)
def test_what_has_no_influence_on_an_import_is_passed_over(tmp_path: Path, between: str) -> None:
    source = f"import numpy as np\n{between}\nimport later\n"
    assert (
        _imports(tmp_path, ("setup", source), ("step:use", "np, later, seed"))[-1] == "import later"
    )


@pytest.mark.parametrize(
    "between",
    [
        "np.seterr(all='raise')",
        "seed = np.random.rand()",
        "def f(): ...",
        "!pip list",
        "%run other.py",
        "try:\n    import maybe\nexcept ImportError: pass",
        "%load_ext other",
    ],
)
def test_any_other_statement_ends_them(tmp_path: Path, between: str) -> None:
    source = f"import numpy as np\n{between}\nimport later\n"
    assert _imports(tmp_path, ("setup", source), ("step:use", "np, later")) == ("import numpy",)


def test_without_setup_they_are_those_of_the_step(tmp_path: Path) -> None:
    assert _imports(tmp_path, ("", "import numpy as np\nx = np.ones(3)")) == ("import numpy",)


def test_a_cell_that_is_no_python_ends_them(tmp_path: Path) -> None:
    cells = [("setup", "import numpy as np"), ("setup", "%%bash\nls"), ("setup", "import later")]
    assert _imports(tmp_path, *cells, ("step:use", "np, later")) == ("import numpy",)
