"""The registry: codes say their severity, sentences are one line."""

from __future__ import annotations

import re

import pytest

from kfnb.notebook.diagnostics import CODES, make
from tests.notebook.authoring.book import declared


def test_codes_say_their_severity() -> None:
    for code, meant in CODES.items():
        match = re.fullmatch(r"KFNB-([EWH])\d{3}", code)
        assert match is not None, code
        assert meant.severity == {"E": "error", "W": "warning", "H": "hint"}[match[1]]
        assert meant.title


def test_no_number_is_used_for_two_things() -> None:
    meanings: dict[str, set[str]] = {}
    for code, entry in CODES.items():
        # What --on-mutation warn makes a warning of an error keeps its number.
        meanings.setdefault(code[-3:], set()).add(entry.title.removesuffix(" (by request)"))
    assert all(len(titles) == 1 for titles in meanings.values())


def test_a_code_that_nobody_registered_is_refused() -> None:
    with pytest.raises(KeyError):
        make("KFNB-E999", "", "")


def test_how_it_reads() -> None:
    diagnostic = make(
        "KFNB-E102", 'step "train" reads "model"', 'Did you mean "models"?', step="train", line=3
    )
    assert str(diagnostic) == (
        'KFNB-E102: step "train" reads "model" (line 3). Did you mean "models"?'
    )


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "\x1b[31mred", "\u202eabc", "a\u2028b", "\x00"])
def test_a_hostile_name_does_not_break_a_line(name: str) -> None:
    found = declared(("step:a", "1"), (["step:b", f"after:x{name}x"], "2"))
    text = str(found.diagnostics[0])
    assert not re.search(r"[\x00-\x1f\u2028\u202e]", text)
    assert len(text.splitlines()) == 1
