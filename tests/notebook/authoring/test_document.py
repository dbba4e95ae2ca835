"""Notebook files: what is none is refused in a sentence, what is odd is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfnb.errors import NotebookError
from kfnb.notebook.authoring.grouping import declare
from kfnb.notebook.document import load, parse
from tests.notebook.authoring.book import document, notebook

WHERE = Path("nb.ipynb")


def book(*cells: Any, **metadata: Any) -> bytes:
    return json.dumps(notebook(*cells, **metadata)).encode()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "empty"),
        (b"  \n ", "empty"),
        (b"this is no JSON", "not JSON"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "UTF-8"),
        ('{"cells": "é"}'.encode("latin-1"), "UTF-8"),
        (json.dumps(notebook()).encode("utf-16"), "UTF-8"),
        (b"{}", "not a notebook"),
        (b"[]", "not a notebook"),
        (b"null", "not a notebook"),
        (b"3", "not a notebook"),
        (b'"x"', "not a notebook"),
        (b'{"hello": "world"}', "not a notebook"),
        (b'{"cells": []}', "nbformat"),
        (b'{"cells": {}, "nbformat": 4}', "not a notebook"),
        (b'{"cells": null, "nbformat": 4}', "not a notebook"),
        (b'{"nbformat": 4, "metadata": {}}', "not a notebook"),
        (b'{"cells": [], "nbformat": "4"}', "not a notebook"),
        (b'{"cells": [], "nbformat": true}', "not a notebook"),
        (b'{"worksheets": [{"cells": []}], "metadata": {}, "nbformat": 3}', "nbformat 3"),
        (b'{"worksheets": [], "nbformat": 2, "nbformat_minor": 0}', "nbformat 2"),
        (b'{"cells": [], "nbformat": 3}', "nbformat 3"),
        (b'{"cells": [], "nbformat": 5}', "nbformat 5"),
        (b"[" * 100_000, "not"),
        (b'{"cells": [], "nbformat": ' + b"1" * 5000 + b"}", "not a notebook"),
    ],
)
def test_what_is_no_notebook(raw: bytes, words: str) -> None:
    with pytest.raises(NotebookError, match=words) as caught:
        parse(raw, path=WHERE)
    assert "nb.ipynb" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_was_cut_says_so() -> None:
    whole = book(("step:a", "x = 1"), ("", "y = 'text'"))
    for length in range(20, len(whole) - 1, 7):
        with pytest.raises(NotebookError, match="not JSON") as caught:
            parse(whole[:length], path=WHERE)
    assert "the file ends too early" in str(caught.value)


def test_the_message_for_an_old_notebook_says_how_to_convert_it() -> None:
    with pytest.raises(NotebookError, match=r"jupyter nbconvert .* nb\.ipynb"):
        parse(b'{"worksheets": [], "nbformat": 3}', path=WHERE)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="does not exist"):
        load(tmp_path / "no.ipynb")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="folder"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["a\x00b.ipynb", "x" * 5000])
def test_a_name_that_no_file_has(name: str) -> None:
    with pytest.raises(NotebookError):
        load(name)


def test_a_file_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(NotebookError):
        load(tmp_path / "a" / "nb.ipynb")


def test_a_byte_order_mark_is_no_harm(tmp_path: Path) -> None:
    (tmp_path / "nb.ipynb").write_bytes(b"\xef\xbb\xbf" + book(("step:a", "x = 1")))
    assert load(tmp_path / "nb.ipynb").cells[0].source == "x = 1"


def test_name_kernel_and_language() -> None:
    plain = document(("", "x = 1"))
    assert (plain.name, plain.kernel, plain.language) == ("train", "python3", "python")
    spec = {"name": "ml-env", "display_name": "ML", "language": "python"}
    assert document(kernelspec=spec).kernel == "ml-env"
    assert document(language_info={"name": "julia"}).language == "julia"
    assert document(kernelspec={"name": "x", "language": "Python"}).language == "python"


@pytest.mark.parametrize(
    "spec", [None, 1, [], {"name": 1}, {"name": ""}, {"name": None, "language": 3}]
)
def test_an_odd_kernelspec_is_none(spec: Any) -> None:
    read = document(kernelspec=spec, language_info=spec)
    assert (read.kernel, read.language) == ("python3", "python")


@pytest.mark.parametrize(
    ("source", "text"),
    [("a\nb", "a\nb"), (["a\n", "b"], "a\nb"), ([], ""), ("a\r\nb\rc", "a\nb\nc")],
)
def test_source_as_text_or_list(source: Any, text: str) -> None:
    cell = {"cell_type": "markdown", "metadata": {}, "source": source}
    read = document(cell)
    assert read.cells[0].source == text
    assert not read.diagnostics


@pytest.mark.parametrize("source", [None, 1, {}, [1], ["a", None]])
def test_source_that_is_no_text_is_an_error_and_the_rest_is_read(source: Any) -> None:
    bad = {"cell_type": "code", "metadata": {"tags": ["step:a"]}, "source": source}
    found = declare(parse(book(bad, ("step:b", "y = 1")), path=WHERE))
    assert [(d.code, d.cell) for d in found.diagnostics] == [("KFNB-E001", 0)]
    assert [s.name for s in found.steps] == ["a", "b"]


def test_a_cell_without_source_is_empty() -> None:
    assert document({"cell_type": "code", "metadata": {}}).cells[0].source == ""


@pytest.mark.parametrize("garbage", [None, 1, "x", [], True, 1.5])
def test_a_list_of_cells_may_hold_garbage(garbage: Any) -> None:
    found = declare(parse(book(garbage, ("step:b", "y = 1"), garbage), path=WHERE))
    assert [(d.code, d.cell) for d in found.diagnostics] == [("KFNB-E001", 0), ("KFNB-E001", 2)]
    assert [s.cells for s in found.steps] == [(1,)]
    assert [c.index for c in found.document.cells] == [0, 1, 2]


@pytest.mark.parametrize("kind", ["heading", "", None, 1, ["code"]])
def test_a_cell_of_unknown_type_is_reported_and_not_executed(kind: Any) -> None:
    read = document({"cell_type": kind, "metadata": {}, "source": "x = 1"})
    assert read.cells[0].type == "raw"
    assert [d.code for d in read.diagnostics] == ["KFNB-W003"]


@pytest.mark.parametrize("tags", ["step:a", ["step:a", 1], {"step:a": 1}, 5])
def test_tags_that_are_no_list_of_texts_are_reported(tags: Any) -> None:
    read = document({"cell_type": "code", "metadata": {"tags": tags}, "source": "x = 1"})
    assert [d.code for d in read.diagnostics] == ["KFNB-W003"]


@pytest.mark.parametrize("metadata", [None, 1, [], "x"])
def test_metadata_may_be_anything(metadata: Any) -> None:
    read = document({"cell_type": "code", "metadata": metadata, "source": "x = 1"})
    assert read.cell_metadata == ({},)
    assert declare(read).steps


def test_ids_are_kept() -> None:
    cell = {"cell_type": "code", "id": "my-id_1", "metadata": {}, "source": "x"}
    assert document(cell).cells[0].id == "my-id_1"


def test_cells_without_ids_get_them_from_position_and_source() -> None:
    one = [c.id for c in document(("", "x"), ("", "x"), ("", "y")).cells]
    assert one == [c.id for c in document(("", "x"), ("", "x"), ("", "y")).cells]
    assert len(set(one)) == 3
    assert document(("", "z"), ("", "x")).cells[1].id == one[1]
    assert document(("", "x"), ("", "w")).cells[1].id != one[1]


@pytest.mark.parametrize("given", ["a b", "", "x" * 65, "../x", 5, None, "é"])
def test_ids_that_jupyter_would_refuse_are_replaced(given: Any) -> None:
    cell = {"cell_type": "code", "id": given, "metadata": {}, "source": "x"}
    assert document(cell).cells[0].id.isalnum()


def test_repeated_ids_are_made_distinct() -> None:
    cell = {"cell_type": "code", "id": "same", "metadata": {}, "source": "x"}
    ids = [c.id for c in document(cell, cell, cell).cells]
    assert ids[0] == "same"
    assert len(set(ids)) == 3


def test_half_a_surrogate_pair_does_not_survive() -> None:
    raw = (
        book(("step:a", "x = 1"))
        .replace(b"x = 1", b"x = '\\ud800'")
        .replace(b"step:a", b"step:\\ud800")
    )
    found = declare(parse(raw, path=WHERE))
    found.document.cells[0].source.encode()
    found.steps[0].name.encode()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
_CELL = _JSON | st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown", 3]), "source": _JSON},
    optional={"metadata": _JSON | st.fixed_dictionaries({"tags": _JSON}), "id": _JSON},
)


@settings(max_examples=100, deadline=None)
@given(st.lists(_CELL, max_size=4), _JSON)
def test_any_cells_are_read(cells: list[Any], metadata: Any) -> None:
    raw = json.dumps(
        {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    ).encode()
    read = parse(raw, path=WHERE)
    assert [c.index for c in read.cells] == list(range(len(cells)))
    assert len({c.id for c in read.cells}) == len(cells)
    declare(read)
