"""Colours are for terminals and notebooks."""

import io
import sys

import pytest

from kfnb.commands.colour_filter import ColourFilter, writer

TEXT = "a \x1b[1;31mred\x1b[0m \x1b[38:5:9mb\x1b[m \x1b[2K\x1b]0;t\x07 end"
PLAIN = "a red b \x1b[2K\x1b]0;t\x07 end"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_colours_go_however_text_is_cut(size):
    out = io.StringIO()
    colourless = ColourFilter(out.write)
    for start in range(0, len(TEXT), size):
        colourless.write(TEXT[start : start + size])
    assert out.getvalue() == PLAIN


def test_a_pipe_gets_no_colours_unless_forced(monkeypatch):
    buffer = io.BytesIO()
    out = io.TextIOWrapper(buffer, write_through=True)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    writer()(TEXT)
    assert buffer.getvalue().decode() == PLAIN
    monkeypatch.setenv("FORCE_COLOR", "1")
    writer()(TEXT)
    assert buffer.getvalue().decode() == PLAIN + TEXT


def test_a_notebook_s_stream_keeps_them(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    writer()(TEXT)
    assert out.getvalue() == TEXT
