"""What a step needs of the notebook's folder is where it executes."""

from __future__ import annotations

import json

from tests.wheels import make_wheel


def test_a_package_with_data_next_to_the_notebook_and_a_file_between_steps(desk):
    package = desk.folder / "mine"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("from mine.deep import words\n")
    (package / "deep/__init__.py").write_text("")
    (package / "deep/words.py").write_text(
        "from pathlib import Path\n"
        "class Word(str):\n    pass\n"
        "def known():\n    return Word(Path(__file__).with_name('words.txt').read_text())\n"
    )
    (package / "deep/words.txt").write_text("deep word")
    (desk.folder / "data").mkdir()
    (desk.folder / "data/in.csv").write_text("7")
    path = desk.notebook(
        ("setup", "from mine import words\nlimit = int(open('data/in.csv').read())"),
        (
            "step:write",
            """import os
word = words.known()
os.makedirs('out', exist_ok=True)
with open('out/made.txt', 'w') as f:
    f.write(f'{word} {limit}')""",
        ),
        ("step:read", "print(type(word).__module__, open('out/made.txt').read())"),
    )
    desk.run(path)
    assert desk.kfnb("logs", "latest", "read") == "mine.deep.words deep word 7\n"
    assert not (desk.folder / "out").exists()


def test_a_wheel_next_to_the_notebook_is_installed_before_the_kernel_starts(desk):
    make_wheel(desk.folder, "kfnb_parcel", "1.0", "value = 1\n")
    name = "kfnb_parcel-1.0-py3-none-any.whl"
    path = desk.notebook(
        ("setup", f"%pip install --no-index --no-deps ./{name}\nimport kfnb_parcel"),
        ("step:one", "x = kfnb_parcel.value\nprint('value', x, kfnb_parcel.__file__)"),
        ("step:two", "print('again', x, kfnb_parcel.value)"),
    )
    desk.run(path)
    assert "value 1 /kfnb/site-packages/kfnb_parcel.py" in desk.kfnb("logs", "latest", "one")
    assert "again 1 1" in desk.kfnb("logs", "latest", "two")
    make_wheel(desk.folder, "kfnb_parcel", "1.0", "value = 2\n")
    said = desk.run(path)
    assert f"file {name} changed" in json.dumps(desk.status()), said
    assert "again 2 2" in desk.kfnb("logs", "latest", "two")


def test_missing_paths_are_reported_before_the_start_and_in_the_run(desk):
    path = desk.notebook(
        (
            "step:only",
            "import os\nfor p in ('/srv/x.csv',):\n    os.path.exists(p) and open(p).read()",
        ),
        ("step:next", "import os\nos.path.exists('../up.csv') and open('../up.csv').read()"),
    )
    told = desk.kfnb("check", path, "--on", "kubernetes")
    assert "KFNB-W701" in told
    assert "'/srv/x.csv'" in told
    assert "'../up.csv'" in told
    assert "KFNB-W701" not in desk.kfnb("check", path)
    said = desk.run(path)
    assert said.count("KFNB-W701") == 2
    assert "'../up.csv'" in said


def test_a_declared_file_that_is_missing_stops_before_anything_starts(desk):
    about = {"kfnb": {"targets": {"kubernetes": {"files": ["model.bin"]}}}}
    path = desk.notebook(("step:only", "x = 1"), **about)
    said = desk.run(path, code=2)
    assert "'model.bin', which matches no file" in said
    assert not list(desk.folder.parent.glob("home/runs/*"))
    assert not desk.cluster.batch().list_namespaced_job(desk.namespace).items
