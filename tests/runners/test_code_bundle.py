"""The notebook folder's modules and files, as one bundle."""

from __future__ import annotations

import dataclasses
import io
import json
import tarfile

import pytest

from kfnb.api.launch import create, target_findings
from kfnb.engine.cache.cache_key import static_reads
from kfnb.engine.dispatch.step_notebook import pieces_of
from kfnb.engine.dispatch.step_orders import Site
from kfnb.errors import InfrastructureError, UsageError
from kfnb.home import RunFolder
from kfnb.pipeline import Volume
from kfnb.runners.code_bundle import bundle
from kfnb.step.pod.input_download import unpack
from kfnb.store import Store
from kfnb.store.hash_cache import FileHashes
from tests.notebook.build import pipeline


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "helper.py").write_text("import deeper\n")
    (tmp_path / "deeper.py").write_text("x = 1\n")
    (tmp_path / "unused.py").write_text("x = 1\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.csv").write_text("1")
    (tmp_path / "data/b.csv").write_text("2")
    (tmp_path / "extra.bin").write_bytes(b"\0")
    return tmp_path


def made(folder, *cells):
    return dataclasses.replace(pipeline(*cells), path=str(folder / "nb.ipynb"))


def test_modules_and_files_that_are_named_travel(folder):
    found = bundle(
        made(folder, ("setup", "import helper"), ("step:a", "helper\nopen('data/a.csv').read()")),
        {},
    )
    assert found.files == ("data/a.csv", "deeper.py", "helper.py")
    again = bundle(
        made(folder, ("setup", "import helper"), ("step:a", "helper\nopen('data/a.csv').read()")),
        {},
    )
    assert again == found
    (folder / "data/a.csv").write_text("3")
    assert bundle(made(folder, ("step:a", "open('data/a.csv')")), {}).hash != found.hash


def test_a_path_made_of_a_parameter_is_the_run_s(folder):
    book = made(folder, ("parameters", "name = 'a'"), ("step:a", "open(f'data/{name}.csv').read()"))
    assert bundle(book, {}).files == ("data/a.csv",)
    assert bundle(book, {"name": "b"}).files == ("data/b.csv",)


def test_what_a_person_names_travels_too_and_must_be_there(folder):
    book = made(folder, ("step:a", "x = 1"))
    assert bundle(book, {}).files == ()
    assert bundle(book, {}, files=("data", "*.bin")).files == (
        "data/a.csv",
        "data/b.csv",
        "extra.bin",
    )
    for wrong in ("nothing", "../x"):
        with pytest.raises(UsageError, match="matches no file"):
            bundle(book, {}, files=(wrong,))


def test_paths_outside_the_folder_are_reported(folder):
    book = made(folder, ("step:a", "open('/etc/hosts').read()\nopen('../up.txt').read()"))
    found = bundle(book, {})
    assert [f.code for f in found.findings] == ["KFNB-W701"] * 2
    assert "/etc/hosts" in found.findings[0].message


def test_what_setup_reads_travels_too(folder):
    book = made(
        folder,
        ("setup", "import json\nconfig = open('data/a.csv').read()\nopen('/etc/hosts').read()"),
        ("step:a", "print(config)"),
        ("step:b", "print(config)"),
    )
    found = bundle(book, {})
    assert found.files == ("data/a.csv",)
    assert [(f.code, f.cell, f.line) for f in found.findings] == [("KFNB-W701", 0, 3)]


def test_what_lies_in_a_package_travels_with_it_unless_it_is_large(folder):
    (folder / "mine/deep").mkdir(parents=True)
    (folder / "mine/__init__.py").write_text("")
    (folder / "mine/deep/table.json").write_text("{}")
    (folder / "mine/large.bin").write_bytes(bytes((1 << 20) + 1))
    book = made(folder, ("step:a", "import mine\nmine.__file__"))
    assert bundle(book, {}).files == ("mine/__init__.py", "mine/deep/table.json")


def test_a_missing_file_that_no_step_writes_is_reported(folder):
    book = made(
        folder,
        ("step:a", "open('made.txt', 'w').write('1')\nopen('none.txt').read()"),
        ("step:b", "open('made.txt').read()"),
    )
    found = bundle(book, {})
    assert [(f.code, f.step, f.line) for f in found.findings] == [("KFNB-W704", "a", 2)]
    assert "'none.txt'" in found.findings[0].message
    assert found.findings[0].text == "open('none.txt').read()"


def test_what_a_volume_has_and_what_every_machine_has_is_not_outside(folder):
    book = made(folder, ("step:a", "open('/data/x.csv').read()\nopen('/dev/null').read()"))
    book = dataclasses.replace(book, volumes=(Volume("data", "/data"),))
    assert not bundle(book, {}).findings


def test_a_temporary_file_is_for_the_step_that_writes_it(folder):
    book = made(
        folder,
        ("step:a", "open('/tmp/x.csv', 'w').write('1')\nprint(open('/tmp/x.csv').read())"),
        ("step:b", "print(open('/tmp/x.csv').read())"),
    )
    (finding,) = bundle(book, {}).findings
    assert (finding.code, finding.step) == ("KFNB-W701", "b")


def test_listing_the_notebooks_folder_bundles_the_files_in_it(folder):
    (folder / ".hidden").write_text("")
    book = made(folder, ("step:a", "import os\nos.listdir('.')"))
    assert bundle(book, {}).files == ("deeper.py", "extra.bin", "helper.py", "unused.py")


def test_what_pip_lines_name_travels_and_is_in_the_cache_s_key(folder):
    (folder / "needs.txt").write_text("pandas")
    (folder / "a-1-py3-none-any.whl").write_bytes(b"1")
    cells = (
        ("setup", "%pip install -q -r needs.txt ./a-1-py3-none-any.whl\nimport a"),
        ("step:one", "a"),
    )
    book = made(folder, *cells)
    assert bundle(book, {}).files == ("a-1-py3-none-any.whl", "needs.txt")

    def key():
        site = Site(RunFolder(folder), folder, folder, "python3", images={"one": "image"})
        hashes = FileHashes(Store(folder.parent / "store"))
        return static_reads(book, book.steps["one"], site=site, upstream={}, hashes=hashes)

    before = key()
    assert sorted(before) == ["a-1-py3-none-any.whl", "needs.txt"]
    (folder / "a-1-py3-none-any.whl").write_bytes(b"22")
    assert key()["a-1-py3-none-any.whl"] != before["a-1-py3-none-any.whl"]
    other = pipeline(("setup", "%pip install numpy\nimport a"), cells[1])

    def codes(of):
        return [s.code for piece in pieces_of(of.steps["one"]) for s in piece.statements]

    assert codes(other) != codes(book)


def test_what_will_not_be_there_is_in_the_run_s_journal_from_its_beginning(
    folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KFNB_CONFIG", str(tmp_path / "none.toml"))
    book = made(folder, ("step:a", "open('/srv/x').read()"), ("step:b", "open('none').read()"))
    where = {"image": "image", "store": "s3://bucket"}
    run = create(book, {}, target="kubernetes", target_options=where)
    events = [json.loads(line) for line in run.journal.read_text().splitlines()]
    told = [(e["type"], e["step"], e["data"].get("code")) for e in events]
    assert told == [
        ("RunCreated", None, None),
        ("Warning", "a", "KFNB-W701"),
        ("Warning", "b", "KFNB-W704"),
    ]
    assert [f.code for f in target_findings(book, "kubernetes")] == ["KFNB-W701", "KFNB-W704"]
    assert target_findings(book, "local") == ()


def test_a_bundle_is_unpacked_as_it_was(folder, tmp_path):
    found = bundle(made(folder, ("step:a", "open('data/a.csv').read()")), {})
    (tmp_path / "code.tar").write_bytes(found.data)
    unpack(tmp_path / "code.tar", tmp_path / "there")
    assert (tmp_path / "there/data/a.csv").read_text() == "1"


@pytest.mark.parametrize("kind", ["up", "absolute", "link"])
def test_a_bundle_that_leads_out_is_refused(tmp_path, kind):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo({"up": "../x", "absolute": "/x", "link": "x"}[kind])
        if kind == "link":
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    (tmp_path / "code.tar").write_bytes(buffer.getvalue())
    with pytest.raises(InfrastructureError, match="not a regular"):
        unpack(tmp_path / "code.tar", tmp_path / "there")
