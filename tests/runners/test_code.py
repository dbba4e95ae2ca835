"""The notebook folder's modules and files, as one bundle."""

from __future__ import annotations

import dataclasses
import io
import tarfile

import pytest

from kfnb.errors import InfrastructureError, UsageError
from kfnb.runners.code import bundle
from kfnb.step.fetching import unpack
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
        with pytest.raises(UsageError, match="matches nothing"):
            bundle(book, {}, files=(wrong,))


def test_paths_outside_are_told(folder):
    book = made(folder, ("step:a", "open('/etc/hosts').read()\nopen('../up.txt').read()"))
    found = bundle(book, {})
    assert [f.code for f in found.findings] == ["KFNB-W701"] * 2
    assert "/etc/hosts" in found.findings[0].message


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
    with pytest.raises(InfrastructureError, match="no plain"):
        unpack(tmp_path / "code.tar", tmp_path / "there")
