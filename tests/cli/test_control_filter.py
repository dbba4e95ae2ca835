"""Logs that are printed do nothing to a terminal, and have colours only where they are shown."""

import io
import os
import pty
import sys

import pytest

from kfnb.commands.control_filter import ControlFilter, writer

TEXT = (
    "a \x1b[1;31mred\x1b[0m \x1b[38:5:9mb\x1b[m \x1b[2K\x1b]0;title\x07\x07"
    "\x1b]52;c;cm0=\x1b\\\x9d8;;http://x\x9c end"
)
COLOURED = "a \x1b[1;31mred\x1b[0m \x1b[38:5:9mb\x1b[m \x1b[2K end"
PLAIN = "a red b \x1b[2K end"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize(("colours", "shown"), [(True, COLOURED), (False, PLAIN)])
def test_sequences_go_however_text_is_cut(size, colours, shown):
    out = io.StringIO()
    filtered = ControlFilter(out.write, colours=colours)
    for start in range(0, len(TEXT), size):
        filtered.write(TEXT[start : start + size])
    assert out.getvalue() == shown


def test_a_control_string_without_end_does_not_hide_what_follows():
    out = io.StringIO()
    filtered = ControlFilter(out.write, colours=True)
    filtered.write("\x1b]0;title")
    for _ in range(70):
        filtered.write("x" * 1000)
    assert out.getvalue() == "0;title" + "x" * 70_000
    filtered.write("\x1b]0;title\x1b[2K end")
    assert out.getvalue().endswith("x0;title\x1b[2K end")


def test_a_pipe_gets_no_colours_unless_forced(monkeypatch):
    buffer = io.BytesIO()
    out = io.TextIOWrapper(buffer, "utf-8", write_through=True)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    writer()(TEXT)
    assert buffer.getvalue().decode() == PLAIN
    monkeypatch.setenv("FORCE_COLOR", "1")
    writer()(TEXT)
    assert buffer.getvalue().decode() == PLAIN + COLOURED
    writer(raw=True)(TEXT)
    assert buffer.getvalue().decode() == PLAIN + COLOURED + TEXT


def test_a_terminal_gets_colours_and_nothing_that_acts(monkeypatch):
    ours, theirs = pty.openpty()
    with io.TextIOWrapper(os.fdopen(theirs, "wb", 0), "utf-8", write_through=True) as out:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.delenv("FORCE_COLOR", raising=False)
        writer()(TEXT)
        assert os.read(ours, 1000).decode() == COLOURED
    os.close(ours)


def test_a_notebook_s_stream_keeps_them(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    writer()(TEXT)
    assert out.getvalue() == TEXT
