"""Folders that a step lists are what it depends on, as files are."""

from __future__ import annotations

from pathlib import Path

import pytest

import kfnb
from tests.desk import Desk

SETUP = "import glob, os, time\nfrom pathlib import Path"
LISTINGS = [
    "sorted(glob.glob('out/*.txt'))",
    "sorted(p.name for p in Path('out').iterdir())",
    "sorted(os.listdir('out'))",
    "sorted(str(p) for p in Path('.').glob('out/*.txt'))",
    "[sorted(names) for _, _, names in os.walk('out')]",
    "sorted(e.name for e in os.scandir('out'))",
]


def edges(path: Path) -> list[tuple[str, str]]:
    return [(e.source, e.target) for e in kfnb.read(path).edges]


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_step_that_lists_a_folder_waits_for_its_writers(desk: Desk, listing: str) -> None:
    path = desk.notebook(
        ("setup", SETUP),
        ("step:write", "Path('out/a.txt').write_text('1')"),
        ("step:read", f"print({listing})"),
        ("step:later", "Path('out/b.txt').write_text('2')"),
    )
    assert edges(path) == [("write", "read"), ("read", "later")]


@pytest.mark.slow
def test_modules_that_no_import_names_count_too(desk: Desk) -> None:
    (desk.folder / "lib").mkdir()
    (desk.folder / "lib/far.py").write_text("def value():\n    return 1\n")
    (desk.folder / "near.py").write_text("class M:\n    def p(self):\n        return 1\n")
    path = desk.notebook(
        ("step:far", "import sys\nsys.path.insert(0, 'li' + 'b')\nimport far\nprint(far.value())"),
        ("step:make", "import near\nm = near.M()"),
        ("step:use", "print(m.p())"),
    )
    assert desk.kfnb("run", path).returncode == 0
    again = desk.kfnb("run", path)
    assert "3 cached" in again.stdout, again.stdout
    (desk.folder / "lib/far.py").write_text("def value():\n    return 2\n")
    (desk.folder / "near.py").write_text("class M:\n    def p(self):\n        return 2\n")
    third = desk.kfnb("run", path)
    assert "far: started (file lib/far.py changed)" in third.stdout, third.stdout
    assert "use: started (file near.py changed)" in third.stdout
    assert desk.kfnb("logs", "latest", "use").stdout == "2\n"


@pytest.mark.slow
def test_a_new_file_in_a_listed_folder_is_a_change(desk: Desk) -> None:
    (desk.folder / "data").mkdir()
    (desk.folder / "data/a.csv").write_text("1")
    path = desk.notebook(
        ("setup", SETUP),
        ("step:read", "d = 'da' + str.lower('TA')\nprint(len(glob.glob(d + '/*.csv')))"),
        ("step:own", "Path('mine.txt').write_text(str(len(os.listdir())))"),
        ("step:other", "print(1)"),
    )
    assert desk.kfnb("run", path).returncode == 0
    again = desk.kfnb("run", path)
    assert "3 cached" in again.stdout, again.stdout
    (desk.folder / "data/b.csv").write_text("2")
    third = desk.kfnb("run", path)
    assert "read: started (the content of the folder data/ changed)" in third.stdout
    assert "2 cached" in third.stdout, third.stdout
