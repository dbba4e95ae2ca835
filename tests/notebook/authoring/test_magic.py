"""The ``%%step`` line as a declaration, and how it counts beside metadata and tags."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfnb.notebook.authoring.magic import FLAGS, cell_declaration
from kfnb.notebook.authoring.options import KEYS
from kfnb.notebook.flow import infer
from tests.notebook.authoring.book import cell, codes, declared, only, step, steps


def test_it_declares_a_step() -> None:
    found = declared(("", "%%step a\nx = 1"), ("", "y = x"), ("", "%%step b\nz = 1"))
    assert steps(found) == {"a": (0, 1), "b": (2,)}


def test_every_option() -> None:
    line = (
        "%%step b --after a --changes x,y --image r:5000/i:1 --cpu 500m --memory 4Gi --gpu 1 "
        "--retries 3 --timeout 30m --no-cache --env A=b:c --limit nvidia.com/gpu:1"
    )
    made = step(declared(("step:a", "1"), ("", line + "\nx = 1")), "b")
    assert made.after == ("a",)
    assert made.changes == ("x", "y")
    assert made.options.said() == {
        "image": "r:5000/i:1", "cpu": "500m", "memory": "4Gi", "gpu": "1", "retries": 3,
        "timeout": 1800, "cache": False, "env": {"A": "b:c"}, "limits": {"nvidia.com/gpu": "1"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("train", "train"),
        ('"load data" --retries 1', "load data"),
        ("load data --retries 1", "load data"),
        ("--retries 1 load data", "load data"),
        ("--retries=1 'a  b'", "a  b"),
        ("l'été", "l'été"),
        (r"a\b", r"a\b"),
        ("a-b", "a-b"),
        ("-x", "-x"),
        ("a # b", "a # b"),
    ],
)
def test_names(words: str, name: str) -> None:
    found = declared(("", f"%%step {words}\n1"))
    assert list(steps(found)) == [name]
    assert not found.diagnostics


def test_after_takes_several_names() -> None:
    found = declared(("step:a", "1"), ("step:b c", "2"), ("", '%%step d --after "a,b c"\n3'))
    assert step(found, "d").after == ("a", "b c")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%%step", ["name", "missing"]),
        ("%%step --retries 2", ["name", "missing"]),
        ("%%step a --retires 2", ["--retires", "--retries"]),
        ("%%step a --retries", ["--retries", "value"]),
        ("%%step a --retries --cache", ["--retries", "value"]),
        ("%%step a --retries lots", ["--retries", "lots"]),
        ("%%step a --timeout=soon", ["--timeout", "soon"]),
        ("%%step a --cache --no-cache", ["--cache", "--no-cache"]),
        ("%%step a --changes 1x", ["--changes"]),
        ("%%step a --cpu 1 --cpu 2", ["--cpu", "twice"]),
        ("%%step a --cache=off", ["--cache=off"]),
    ],
)
def test_a_line_that_cannot_be_understood_is_an_error(line: str, words: list[str]) -> None:
    found = declared(("step:a", f"{line}\nx = 1"))
    errors = [d for d in found.diagnostics if d.code == "KFNB-E207"]
    assert errors
    assert "%%step NAME" in errors[0].remedy
    for word in words:
        assert word.partition("=")[0] in " ".join(e.message for e in errors)
    assert steps(found) == {"a": (0,)}, "the cell is still read"


@pytest.mark.parametrize(
    ("first", "warned"),
    [
        ("x = 1", True),
        ("# %load_ext kfnb", True),
        ("%load_ext kfnb", False),
        ("import os\n%reload_ext kfnb", False),
        ("get_ipython().run_line_magic('load_ext', 'kfnb')", False),
    ],
)
def test_a_line_that_jupyter_would_not_know_is_a_warning(first: str, *, warned: bool) -> None:
    read = infer(declared(("", first), ("", "\n%%step a\ny = 1"), ("", "%%step b\nz = 1")))
    warnings = [(d.cell, d.line) for d in read.diagnostics if d.code == "KFNB-W220"]
    assert warnings == ([(1, 2)] if warned else [])


def test_the_line_is_a_comment_in_the_code() -> None:
    made = declared(("", "%%step a\nx = 1\n"), ("", "\n%%step b\n!ls")).document.cells
    assert made[0].code == "# %%step a\nx = 1\n"
    assert made[1].code == "\n# %%step b\nget_ipython().system('ls')"


def test_only_the_whole_word_counts() -> None:
    assert cell_declaration("%%stepper a\n") is None
    assert cell_declaration("%step a\n") is None
    assert cell_declaration("# %%step a\n") is None
    assert cell_declaration("%%step\ta\n") is not None


def test_magic_counts_more_than_metadata_more_than_tag() -> None:
    one = cell(
        ["step:t", "cpu:1"], "%%step m --cpu 3\nx = 1", kfnb={"step": "d", "options": {"cpu": "2"}}
    )
    found = declared(one)
    assert steps(found) == {"m": (0,)}
    assert step(found, "m").options.cpu == "3"
    assert set(codes(found)) == {"KFNB-W211"}
    said = " ".join(d.message for d in found.diagnostics)
    for word in ('"t"', '"d"', '"m"', "cpu"):
        assert word in said


@pytest.mark.parametrize(
    ("tags", "line"),
    [
        (["step:a", "after:b"], "%%step a --after c"),
        (["step:a", "changes:x"], "%%step a --changes y"),
        (["step:a", "env:A:1"], "%%step a --env A=2"),
        (["setup"], "%%step a"),
    ],
)
def test_each_disagreement_is_reported(tags: list[str], line: str) -> None:
    problem = only(declared(("step:b", "1"), ("step:c", "1"), (tags, line + "\nx = 1")))
    assert (problem.code, problem.severity, problem.cell) == ("KFNB-W211", "warning", 2)


def test_doors_that_agree_or_add_to_one_another_are_fine() -> None:
    one = cell(
        ["step:a", "cpu:1", "after:b"], "%%step a --after b --memory 1Gi\n1", kfnb={"step": "a"}
    )
    found = declared(("step:b", "1"), one)
    assert not found.diagnostics
    assert step(found, "a").options.said() == {"cpu": "1", "memory": "1Gi"}


def test_skip_by_tag_takes_a_cell_with_a_magic_out() -> None:
    found = declared(("skip", "%%step a\n1"), ("step:b", "2"))
    assert found.skipped == (0,)
    assert not found.diagnostics


@pytest.mark.parametrize(
    "source",
    [
        "x = 1\n%%step a\n",
        "%%time\n%%step a\nx = 1",
        "%%bash\n%%step a\nls",
        "\n%%capture out\n%%time\n\n%%step a\nx = 1",
    ],
)
def test_a_line_that_is_not_on_top_is_an_error(source: str) -> None:
    problem = only(declared(("step:a", source)))
    assert (problem.code, problem.cell, problem.line) == (
        "KFNB-E219",
        0,
        source.split("\n").index("%%step a") + 1,
    )


@pytest.mark.parametrize("source", ['text = """\n%%step a\n"""', "%%writefile x.py\n%%step a\n"])
def test_in_a_text_it_means_nothing(source: str) -> None:
    assert not declared(("step:a", source)).diagnostics


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=40)
    | st.lists(
        st.sampled_from(["--after", "--cpu", "=", "a,b", "'", '"', "--cache", "--", "x"])
    ).map(" ".join)
)
def test_any_line_is_read(words: str) -> None:
    found = declared(("", f"%%step {words}\nx = 1"))
    assert [c for s in found.steps for c in s.cells] == [0]


def test_what_the_line_knows_is_what_there_is_to_say() -> None:
    """Help and completion are made of this table, so nothing may be missing in it."""
    known = {flag.name.removeprefix("--") for flag in FLAGS}
    assert known == {*KEYS, "after", "changes", "no-cache", "on-exit"}
    assert all(flag.help for flag in FLAGS)
