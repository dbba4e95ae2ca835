"""Which files a cell's source names."""

from __future__ import annotations

import pytest

from kfnb.notebook.effects.files import file_uses


def found(code: str, **constants: object) -> list[tuple[str, str]]:
    return [(u.mode, u.path or "") for u in file_uses(0, code, constants=constants)]


def writes(path: str) -> list[tuple[str, str]]:
    return [("write", path)]


def reads(path: str) -> list[tuple[str, str]]:
    return [("read", path)]


@pytest.mark.parametrize(
    "code",
    [
        'df.to_csv("a.csv")',
        'df.to_csv(path_or_buf="a.csv", index=False)',
        'df.to_parquet("a.csv")',
        'frame.write_csv("a.csv")',
        'fig.savefig("a.csv", dpi=3)',
        'open("a.csv", "w")',
        'open("a.csv", mode="xb")',
        'with open("a.csv", "w") as f: f.write("other.csv")',
        'from pathlib import Path\nPath("a.csv").write_text("x")',
        'import pathlib as p\nwith p.Path("a.csv").open("w"): pass',
        'import numpy as np\nnp.savetxt("a.csv", x)',
        'from joblib import dump\ndump(model, "a.csv")',
        'import joblib\njoblib.dump(model, filename="a.csv")',
        'import pickle\npickle.dump(x, open("a.csv", "wb"))',
        'import torch\ntorch.save(net.state_dict(), "a.csv")',
        'model.save("a.csv")',
        'import zipfile\nzipfile.ZipFile("a.csv", "w")',
        'import gzip\ngzip.open("a.csv", "wt")',
        'import h5py\nh5py.File("a.csv", "w")',
        'import cv2\ncv2.imwrite("a.csv", image)',
        "get_ipython().system('ls -l > a.csv')",
        "get_ipython().system('ls | tee a.csv')",
        "get_ipython().run_cell_magic('bash', '', 'echo 1 > a.csv\\n')",
        "get_ipython().run_cell_magic('writefile', 'a.csv', 'x\\n')",
        'import subprocess\nsubprocess.run("echo 1 > a.csv", shell=True)',
        'import os\nos.remove("a.csv")',
    ],
)
def test_writes(code: str) -> None:
    assert found(code) == writes("a.csv")


@pytest.mark.parametrize(
    "code",
    [
        'import pandas as pd\ndf = pd.read_csv("a.csv", sep=";")',
        'from pandas import read_csv\nread_csv("a.csv")',
        'import polars as pl\npl.scan_parquet("a.csv").collect()',
        'text = open("a.csv").read()',
        'import numpy as np\nnp.load("a.csv")',
        'import joblib\nm = joblib.load("a.csv")',
        'from PIL import Image\nImage.open("a.csv")',
        'import matplotlib.pyplot as plt\nplt.imread("a.csv")',
        "x = get_ipython().getoutput('head -n 3 a.csv')",
        "get_ipython().system('sort < a.csv')",
        'import os\nif os.path.exists("a.csv"): pass',
        "rows = [line for line in open('a.csv')]",
        "get_ipython().run_cell_magic('time', '', 'open(\"a.csv\")\\n')",
    ],
)
def test_reads(code: str) -> None:
    assert found(code) == reads("a.csv")


@pytest.mark.parametrize(
    "code",
    [
        'df.to_csv(OUT / f"r{lr:.2f}.csv")',
        'df.to_csv(OUT / "r{:.2f}.csv".format(lr))',
        'import os\ndf.to_csv(os.path.join(OUT, "r%.2f.csv" % lr))',
        'df.to_csv(OUT + "/" + "r" + str(lr) + "0.csv")',
        'name = f"r{lr}0"\ntarget = f"{OUT}/./{name}.csv"\ndf.to_csv(target)',
        'from pathlib import Path\ndf.to_csv((Path(OUT) / "r0.50").with_suffix(".50.csv"))',
        "get_ipython().system('cp {OUT}/r{lr}0.csv elsewhere')",
    ],
)
def test_paths_are_expressions_of_constants(code: str) -> None:
    assert "out/r0.50.csv" in [path for _, path in found(code, OUT="out", lr=0.5)]


def test_a_template_shows_where_constants_stand() -> None:
    (use,) = file_uses(4, '\ndf.to_csv(f"{D}/x-{lr:.3f}.csv")', constants={"D": "d", "lr": 0.1})
    assert (use.path, use.template, use.cell, use.line) == (
        "d/x-0.100.csv",
        "{D}/x-{lr}.csv",
        4,
        2,
    )


@pytest.mark.parametrize(
    "code",
    [
        "df.to_csv(where)",
        'df.to_csv(f"{unknown}.csv")',
        'pd.read_csv("https://example.org/a.csv")',
        'f.write("a.csv")',
        'text.replace("a", "b")',
        'sqlite3.connect(":memory:")',
        "get_ipython().system('rm *.csv')",
        "get_ipython().system('echo $missing > {nobody}.txt')",
        "not python at all",
        'def never_called():\n    open("a.csv", "w")',
        "import os\nos.chdir(somewhere)\nopen('a.csv')",
    ],
)
def test_what_is_not_known_is_left_out(code: str) -> None:
    assert found(code) == []


def test_appending_depends_on_what_was_there() -> None:
    assert found('open("log", "a")') == [("read", "log"), ("write", "log")]
    assert found('open("log", "w+")') == [("write", "log")]


def test_paths_are_normalised_and_outside_ones_kept() -> None:
    code = 'open("./a/../b.txt"); open("../c.txt"); open("/d//e.txt")'
    assert [path for _, path in found(code)] == ["b.txt", "../c.txt", "/d/e.txt"]


def test_a_loop_over_constants_is_taken_apart() -> None:
    code = 'for n, name in enumerate(["x", "y"]):\n    fig.savefig(f"{n}{name}.png")'
    assert found(code) == [("write", "0x.png"), ("write", "1y.png")]


def test_a_name_bound_in_a_branch_is_not_known_afterwards() -> None:
    assert found('p = "a"\nif c:\n    p = "b"\nopen(p)') == []


def test_functions_of_the_notebook_are_followed_to_their_call() -> None:
    setup = 'def save(text, where="a.txt"):\n    with open(where, "w") as f:\n        f.write(text)'
    uses = file_uses(5, 'x = 1\nsave("t")\nsave("t", "b.txt")', constants={}, context=[setup])
    assert [(u.path, u.line) for u in uses] == [("a.txt", 2), ("b.txt", 3)]


def test_moving_reads_and_changes_its_source() -> None:
    assert found('import os\nos.rename("a", "b")') == [
        ("read", "a"),
        ("write", "a"),
        ("write", "b"),
    ]


def test_a_change_of_folder_moves_relative_paths() -> None:
    assert found('import os\nos.chdir("sub")\nopen("a.txt")') == [("read", "sub/a.txt")]
