"""Groups that are known when the notebook is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import kfnb
from kfnb.api.json_output import show
from kfnb.draw import dot, text
from kfnb.errors import UsageError
from kfnb.pipeline import Pipeline
from kfnb.runners.kubernetes.objects.manifests import check
from kfnb.runners.kubernetes.options import KubernetesOptions
from tests.fidelity.corpus import notebook


def read(folder: Path, *cells: tuple[str, str]) -> Pipeline:
    path = folder / "nb.ipynb"
    path.write_text(json.dumps(notebook(tuple((tuple(t.split()), s) for t, s in cells))))
    return kfnb.read(path)


CONNECTION = (
    ("setup", "import sqlite3"),
    ("step:open", "con = sqlite3.connect(':memory:')\nn = 1"),
    ("step:between", "m = n + 1"),
    ("step:beside", "k = n + 2\nprint(k)"),
    ("step:read", "print(con.execute('select 1').fetchone(), m)"),
)


def test_a_connection_and_the_steps_between_make_a_group(tmp_path: Path) -> None:
    pipeline = read(tmp_path, *CONNECTION)
    (group,) = pipeline.groups
    assert group.steps == ("open", "between", "read")
    assert group.names == ("con",)
    (hint,) = [d for d in pipeline.diagnostics if d.code == "KFNB-H117"]
    assert '"open", "between", "read"' in hint.message
    assert "sqlite3.connect() returns" in hint.message
    assert hint.severity == "hint"
    # What is shown brackets the group and says why.
    assert show(pipeline)["groups"][0]["steps"] == ["open", "between", "read"]
    assert "[kernel 1] open, between, read: con is what" in text(pipeline)
    assert "subgraph cluster_0" in dot(pipeline)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("x = (n for n in range(3))", "a generator"),
        ("def count():\n    yield 1\nx = count()", "a generator"),
        ("import threading\nx = threading.Lock()", "threading.Lock()"),
        ("import tempfile\nx = tempfile.TemporaryDirectory()", "TemporaryDirectory()"),
        ("x = open('a.txt', 'w')", "open()"),
        ("import subprocess\nx = subprocess.Popen(['true'])", "subprocess.Popen()"),
    ],
)
def test_kinds_that_cannot_be_saved(tmp_path: Path, source: str, what: str) -> None:
    (group,) = read(tmp_path, ("step:a", source), ("step:b", "print(x)")).groups
    assert what in group.why


@pytest.mark.parametrize(
    "source",
    [
        "import requests\nx = requests.Session()",
        "x = list(n for n in range(3))",
        "with open('a.txt') as f:\n    x = f.read()",
        "import sqlite3\ncon = sqlite3.connect('a.db')\nx = con.execute('select 1').fetchall()",
    ],
)
def test_values_that_can_be_saved_make_no_group(tmp_path: Path, source: str) -> None:
    assert read(tmp_path, ("step:a", source), ("step:b", "print(x)")).groups == ()


def test_groups_that_share_a_step_are_one_and_setup_s_values_count(tmp_path: Path) -> None:
    pipeline = read(
        tmp_path,
        ("setup", "import sqlite3\ncon = sqlite3.connect(':memory:')"),
        ("step:a", "con.execute('create table t (x)')"),
        ("step:b", "lines = (n for n in range(3))"),
        ("step:c", "print(con.execute('select * from t').fetchall(), next(lines))"),
        ("step:d", "print(1)"),
    )
    (group,) = pipeline.groups
    assert group.steps == ("a", "b", "c")
    assert group.names == ("lines",)


def test_members_with_different_options_are_an_error_that_names_them(tmp_path: Path) -> None:
    cells = (CONNECTION[0], CONNECTION[1], ("step:read env:MODE=x", "print(con)"))
    (error,) = read(tmp_path, *cells).errors
    assert error.code == "KFNB-E410"
    assert '"open" and "read"' in error.message


def test_a_group_is_refused_on_kubernetes_before_anything_starts(tmp_path: Path) -> None:
    options = KubernetesOptions(image="i", store="s3://bucket")
    with pytest.raises(UsageError, match='Steps "open", "between", "read" have to share a kernel'):
        check(options, read(tmp_path, *CONNECTION))


def test_a_folder_that_is_removed_with_its_object_keeps_the_users_of_its_path(
    tmp_path: Path,
) -> None:
    made = "import tempfile\nfolder = tempfile.TemporaryDirectory()\npath = folder.name"
    cells = (("step:a", made), ("step:b", "print(path)"), ("step:c", "print(1)"))
    assert [group.steps for group in read(tmp_path, *cells).groups] == [("a", "b")]
