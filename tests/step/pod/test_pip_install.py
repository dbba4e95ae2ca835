"""The notebook's pip lines, before its kernel starts."""

from __future__ import annotations

import json
import os

from kfnb.step.pod.pip_install import install, install_lines, paths_of


def test_lines_that_install_are_found_and_those_made_at_run_time_are_left(tmp_path):
    source = (
        "%pip install -q 'a>1' b  # why\n!pip3 install c\n!python -m pip install d\n"
        "%pip install {name}\n%pip install $name\n%pip list\nx = 'pip install e'\n%pip install 'f"
    )
    cells = [
        {"cell_type": "code", "source": source.splitlines(keepends=True)},
        {"cell_type": "markdown", "source": "%pip install g"},
    ]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    assert install_lines(tmp_path / "n.ipynb") == [["-q", "a>1", "b"], ["c"], ["d"]]


def test_what_pip_lines_name_of_a_folder():
    line = ["-r", "r.txt", "--constraint=c.txt", "a[x]>2", "./b[y]", "https://x/y.whl", "d.whl"]
    assert paths_of(line) == ["r.txt", "c.txt", "./b", "d.whl"]


def test_what_pip_says_where_it_fails_is_handed_back(tmp_path):
    said = install(
        [["--no-index", "no-such-package-here"]],
        site=tmp_path / "site",
        workdir=tmp_path,
        environment=os.environ,
    )
    assert "pip install --no-index no-such-package-here" in said
    assert "No matching distribution" in said
