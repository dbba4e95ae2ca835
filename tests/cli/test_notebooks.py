"""``kfnb show`` and ``kfnb check`` print all diagnostics, hints too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.fidelity.corpus import notebook

Call = Callable[..., Result]

CELLS = (
    (("setup",), "from sklearn.preprocessing import StandardScaler\nX = [[1], [2]]"),
    (("step:prepare",), "prep = StandardScaler()"),
    (("step:logreg",), "a = prep.fit_transform(X)"),
    (("step:forest",), "b = 1\nc = prep.fit(X)"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps(notebook(CELLS)))
    return path


@pytest.mark.parametrize("command", ["show", "check"])
def test_a_hint_is_printed_with_its_line_and_the_way_out(
    kfnb: Call, path: Path, command: str
) -> None:
    result = kfnb(command, str(path))
    assert result.exit_code == 0
    assert (
        'hint: KFNB-H113: step "forest" waits for step "logreg" only because both change prep '
        "(line 2: `c = prep.fit(X)`). If both need not be the same object, give each step its own "
        "copy: copy.deepcopy(prep)."
    ) in (result.stdout + result.stderr).replace("\n", " ")


def test_a_hint_is_in_the_json_with_its_place(kfnb: Call, path: Path) -> None:
    (hint,) = json.loads(kfnb("check", str(path), "--json").stdout)
    assert (hint["code"], hint["severity"], hint["step"]) == ("KFNB-H113", "hint", "forest")
    assert (hint["cell"], hint["line"], hint["text"]) == (3, 2, "c = prep.fit(X)")


def test_show_says_from_where_a_collected_value_comes(kfnb: Call, tmp_path: Path) -> None:
    path = tmp_path / "nb.ipynb"
    cells = (
        (("step:load",), "results = {}"),
        (("step:a",), "results['a'] = 1"),
        (("step:b",), "results['b'] = 2"),
        (("step:report",), "print(results)"),
    )
    path.write_text(json.dumps(notebook(cells)))
    shown = json.loads(kfnb("show", str(path), "--json").stdout)
    assert [(e["source"], e["target"], e["names"]) for e in shown["edges"]] == [
        ("load", "a", ["results"]),
        ("load", "b", ["results"]),
        ("load", "report", ["results"]),
        ("a", "report", ["results"]),
        ("b", "report", ["results"]),
    ]
    assert "(added by" not in kfnb("show", str(path)).output
