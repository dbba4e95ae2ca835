"""What of a cell's text differs from process to process, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from kfnb.verify.outputs import Text, normal, texts
from kfnb.verify.side_by_side import compare_outputs


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<object object at 0x7f3c11aa>", "<object object at 0x7f9900ff>"),
        ("pid 123", "pid 99"),
        (
            "CPU times: user 1.2 ms, sys: 0 ns, total: 1.2 ms",
            "CPU times: user 3 ms, sys: 1 µs, total: 3 ms",
        ),
        ("done in 1.5 s", "done in 12.25 s"),
        (
            "/tmp/ipykernel_12/345.py:1: UserWarning: x",
            "/tmp/ipykernel_99/111.py:1: UserWarning: x",
        ),
        ("\x1b[31mred\x1b[0m", "red"),
    ],
)
def test_what_differs_by_itself_is_left_out(one: str, other: str) -> None:
    assert normal(one) == normal(other)


@pytest.mark.parametrize(("one", "other"), [("1.5", "1.6"), ("loss 3", "loss 4"), ("0x1f", "0x2f")])
def test_values_are_kept(one: str, other: str) -> None:
    assert normal(one) != normal(other)


def test_pieces_of_a_stream_are_joined_and_lists_of_lines_too() -> None:
    outputs: list[dict[str, Any]] = [
        {"output_type": "stream", "name": "stdout", "text": "a\n"},
        {"output_type": "stream", "name": "stderr", "text": ["e\n"]},
        {"output_type": "stream", "name": "stdout", "text": ["b", "\n"]},
        {"output_type": "execute_result", "data": {"text/plain": "1", "text/html": "<b>1"}},
    ]
    assert texts(outputs) == (Text("result", "1"), Text("stderr", "e\n"), Text("stdout", "a\nb\n"))


def test_a_line_written_over_is_as_it_was_in_the_end() -> None:
    output = {"output_type": "stream", "name": "stderr", "text": "10%\r50%\r100%\ndone\r\n"}
    assert texts([output]) == (Text("stderr", "100%\ndone\r\n"),)


def executed(text: str, *, tags: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "metadata": {"kfnb": {"cell": 0}, "tags": list(tags)},
        "outputs": [{"output_type": "stream", "name": "stdout", "text": text}],
    }


def test_a_difference_names_the_cell_and_the_first_line_that_differs() -> None:
    beside = compare_outputs(
        {"cells": [executed("same\none\n")]}, {"fit": {"cells": [executed("same\ntwo\n")]}}
    )
    (found,) = beside.differences
    assert (found.cell, found.step, found.kind) == (0, "fit", "stdout")
    assert (found.notebook, found.pipeline) == ("one", "two")


def test_injected_cells_are_not_compared() -> None:
    beside = compare_outputs(
        {"cells": [executed("a")]}, {"fit": {"cells": [executed("b", tags=("kfnb-injected",))]}}
    )
    assert (beside.cells, beside.differences) == (frozenset(), ())
