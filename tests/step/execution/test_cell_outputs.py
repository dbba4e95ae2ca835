from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kfnb.step.execution import cell_outputs
from kfnb.step.execution.cell_outputs import CellOutputs


def text_of(found: list[Any]) -> str:
    return "".join(output["text"] for output in found)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(max_size=20))))
def test_small_outputs_are_kept_as_they_came(prints: list[tuple[str, str]]) -> None:
    found: list[Any] = []
    cell = CellOutputs(found)
    for name, text in prints:
        cell.stream(name, text)
        cell.write()
    assert text_of(found) == "".join(text for _, text in prints)
    names = [output["name"] for output in found]
    assert all(a != b for a, b in itertools.pairwise(names))


def test_of_a_huge_output_head_and_tail_are_kept_and_the_gap_is_marked() -> None:
    found: list[Any] = []
    cell = CellOutputs(found)
    for n in range(40):
        cell.stream("stdout", f"<{n}>" + "x" * 100_000)
    cell.write()
    (output,) = found
    assert output["text"].startswith("<0>")
    assert output["text"].endswith("x" * 100)
    assert "<39>" in output["text"]
    assert "<20>" not in output["text"]
    assert "characters are not shown here" in output["text"]
    assert len(output["text"]) < cell_outputs.HEAD + cell_outputs.TAIL + 200


def test_alternating_streams_stay_bounded() -> None:
    found: list[Any] = []
    cell = CellOutputs(found)
    for n in range(5000):
        cell.stream("stdout", f"o{n}\n" + "." * 1000)
        cell.stream("stderr", f"e{n}\n")
    cell.write()
    assert len(found) <= cell_outputs.RUNS
    assert len(text_of(found)) < cell_outputs.HEAD + cell_outputs.TAIL + 100 * cell_outputs.RUNS
    assert "o4999\n" in text_of(found)
    assert "e4999\n" in text_of(found)


def test_text_goes_on_behind_other_outputs() -> None:
    found: list[Any] = []
    cell = CellOutputs(found)
    cell.stream("stdout", "a")
    found.append({"output_type": "display_data", "data": {}})
    cell.stream("stdout", "b")
    cell.write()
    assert [output["output_type"] for output in found] == ["stream", "display_data", "stream"]


def test_a_cleared_cell_begins_anew() -> None:
    found: list[Any] = []
    cell = CellOutputs(found)
    cell.stream("stdout", "old")
    found.clear()
    cell.clear()
    cell.stream("stdout", "new")
    cell.write()
    assert text_of(found) == "new"


def test_rich_outputs_are_bounded() -> None:
    found: list[Any] = []
    cell = CellOutputs(found)
    picture = {"image/png": "x" * (20 << 20)}
    assert [cell.is_full(picture) for _ in range(5)] == [False, False, False, True, True]
    assert "displayed more than" in text_of(found)
