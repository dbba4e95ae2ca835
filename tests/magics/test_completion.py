"""What Tab completes on the lines of the magics."""

from __future__ import annotations

import pytest

from kfnb.magics import _loaded
from kfnb.magics.commands import _COMMANDS
from kfnb.magics.completion import completions, split_at_cursor
from kfnb.notebook.authoring.magic import FLAGS, split_words

CELLS = (
    ("parameters", "lr = 0.1\nlayers = 3"),
    ("step:load data", "rows = [1]"),
    ("step:train", "model = rows"),
    ("step:it's", "print(model)"),
    ("step:a\nline", "1"),
    ("step:train more", "2"),
)


@pytest.fixture
def tab(ipython, desk):
    """Complete the end of a cell; what the line would be."""
    desk.notebook(*CELLS, name="book.ipynb")
    assert ipython("%pipeline check --notebook book.ipynb").ok

    def complete(cell):
        lines = cell.split("\n")
        typed, found = completions(_loaded[ipython.shell], cell, len(lines) - 1, len(lines[-1]))
        assert lines[-1].endswith(typed)
        return [lines[-1][: len(lines[-1]) - len(typed)] + text for text in found]

    return complete


def test_commands(tab):
    assert tab("%pipeline ") == [f"%pipeline {command}" for command in _COMMANDS]
    assert tab("%pipeline lo") == ["%pipeline logs", "%pipeline load"] or set(
        tab("%pipeline lo")
    ) == {"%pipeline logs", "%pipeline load"}
    assert tab("x = 1\ny = %pipeline chec") == ["y = %pipeline check"]
    assert tab("pipeline ru") == []
    assert tab("print('%pipeline ru") == []


def test_options_come_from_the_command_itself(tab):
    assert "%pipeline run --no-wait" in tab("%pipeline run --")
    assert tab("%pipeline run --fr") == ["%pipeline run --from"]
    assert tab("%pipeline run --on lo") == ["%pipeline run --on local"]
    assert tab("%pipeline run -p l") == ["%pipeline run -p lr=", "%pipeline run -p layers="]
    assert tab("%pipeline show --notebook bo") == ["%pipeline show --notebook book.ipynb"]


def test_steps_of_the_notebook(tab):
    assert tab("%pipeline run --from tr") == [
        "%pipeline run --from train",
        '%pipeline run --from "train more"',
    ]
    assert tab("%pipeline run --only=tra")[0] == "%pipeline run --only=train"
    assert tab('%pipeline run --from "load d') == ['%pipeline run --from "load data"']
    assert tab("%pipeline logs lo") == ["%pipeline logs load data"]


def test_steps_of_the_step_line(tab, ipython):
    assert tab("%%step tr") == ["%%step train", "%%step train more"]
    assert tab("%%step load ") == ["%%step load data"]
    assert tab("%%step new --after lo") == ['%%step new --after "load data"']
    assert tab("%%step new --after train,tra") == ['%%step new --after "train,train more"']
    # Nobody can type a line break, and an apostrophe needs quotes.
    assert [line for line in tab("%%step ") if "line" in line] == []
    assert tab("%%step it") == ["""%%step "it's\""""]
    ipython("%%step fresh from here\nz = 1")
    assert tab("%%step fr") == ["%%step fresh from here"]
    ipython("rows = 1")
    assert tab("%%step new --changes ro") == ["%%step new --changes rows"]


def test_flags_of_the_step_line(tab):
    assert tab("%%step train --me") == ["%%step train --memory"]
    assert len(tab("%%step train --")) == len(FLAGS)
    assert "%%step train --gpu 1 --gpu" not in tab("%%step train --gpu 1 --")
    assert tab("%%step train --memory ") == []
    assert tab("x = 1\n%%step tr") == []  # not on top of the cell: it means nothing


def test_what_is_completed_is_what_is_meant(tab):
    for line in [*tab("%%step new --after "), *tab("%pipeline run --from ")]:
        assert split_words(line)[-1] in {"load data", "train", "it's", "train more"}


@pytest.mark.parametrize(
    ("text", "words", "typed", "value"),
    [
        ("", (), "", ""),
        ("logs ", ("logs",), "", ""),
        ("logs 'load d", ("logs",), "'load d", "load d"),
        ("logs 'load data' x", ("logs", "load data"), "x", "x"),
        ("run --from=tr", ("run", "--from"), "tr", "tr"),
        ("run -p a=b", ("run", "-p"), "a=b", "a=b"),
    ],
)
def test_the_line_is_cut_at_the_cursor(text, words, typed, value):
    found = split_at_cursor(text)
    assert (found.words, found.typed, found.value) == (words, typed, value)


@pytest.mark.slow
def test_in_a_kernel(kernel, desk):
    desk.notebook(*CELLS, name="book.ipynb")
    kernel.ok("%pipeline check --notebook book.ipynb")
    assert kernel.complete("%pipe") == ["%pipeline"]
    assert kernel.complete("%pipeline deb") == ["%pipeline debug"]
    assert kernel.complete("%pipeline run --from load") == ['%pipeline run --from "load data"']
    assert kernel.complete("%%step tr\nx = 1", len("%%step tr")) == [
        "%%step train",
        "%%step train more",
    ]
    assert kernel.complete("%%step train --aft") == ["%%step train --after"]
    assert kernel.complete("import js") != []  # the others still have their say elsewhere


@pytest.mark.slow
def test_runs_and_their_values(tab, ipython):
    assert ipython("%pipeline run").ok
    (latest, run) = tab("%pipeline status ")
    assert latest == "%pipeline status latest"
    assert run.rpartition(" ")[2].endswith(ipython("%pipeline runs").text.split()[0])
    assert tab("%pipeline load tr") == ["%pipeline load train.model"]
    assert tab("%pipeline load load ") == ["%pipeline load load data.rows"]
    assert tab("%pipeline logs lo") == ["%pipeline logs load data"]
