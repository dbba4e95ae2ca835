"""``kfnb show`` and ``kfnb check`` print all diagnostics, hints too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.fidelity.corpus import notebook
from tests.notebook.suggest.notebooks import content

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


def test_suggest_prints_each_step_with_its_tag_and_its_reason(kfnb: Call, tmp_path: Path) -> None:
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps(content("text_counts")))
    before = path.read_bytes()
    result = kfnb("suggest", str(path))
    assert result.exit_code == 0
    assert "4 steps suggested; nothing was written" in result.output
    assert "step:tokenise\n" in result.output
    assert 'It begins at the heading "Tokenise". sentences flows across its start.' in result.output
    assert path.read_bytes() == before


def test_suggest_prints_json_with_the_ids_of_cells(kfnb: Call, tmp_path: Path) -> None:
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps(content("text_counts")))
    printed = json.loads(kfnb("suggest", str(path), "--json").output)
    assert printed["setup"] == ["cell-1"]
    assert printed["steps"][0]["cells"] == ["cell-4", "cell-5"]


def test_suggest_refuses_a_tagged_notebook(kfnb: Call, path: Path) -> None:
    result = kfnb("suggest", str(path))
    assert result.exit_code == 2
    assert "declares steps already" in result.stderr
