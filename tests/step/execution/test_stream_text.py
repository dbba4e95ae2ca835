from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfnb.step.execution import stream_text
from kfnb.step.execution.stream_text import stream_pieces


def pieces(message: Any, *, ascii_only: bool = False) -> list[tuple[str, str]]:
    data = json.dumps(message, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    return list(stream_pieces(memoryview(data)))


@settings(max_examples=100, deadline=None)
@given(
    st.text(alphabet=st.sampled_from('a\\"\n\t\x1bé€😀/u0d'), min_size=90, max_size=200),
    st.booleans(),
    st.booleans(),
)
def test_pieces_join_to_the_text(text: str, name_first: bool, ascii_only: bool) -> None:
    message = {"name": "stderr", "text": text} if name_first else {"text": text, "name": "stderr"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_text, "PIECE", 13)
        found = pieces(message, ascii_only=ascii_only)
    assert {name for name, _ in found} == {"stderr"}
    assert "".join(piece for _, piece in found) == text
    assert len(found) > 1


def test_lone_surrogates_are_replaced() -> None:
    assert pieces({"name": "stdout", "text": "a\ud800b"}, ascii_only=True) == [("stdout", "a?b")]


def test_the_stream_is_not_guessed_from_the_text() -> None:
    text = 'says "stderr" ' * 1000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_text, "PIECE", 1000)
        found = pieces({"name": "stdout", "text": text})
    assert {name for name, _ in found} == {"stdout"}
