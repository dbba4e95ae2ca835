"""Where the code of two runs differs, side by side."""

from __future__ import annotations

from kfnb.api.use_cases.code_differences import Line, aligned, code_differences
from tests.cli import scripted


def test_equal_lines_far_from_a_difference_are_left_out() -> None:
    left = [f"line {n}" for n in range(12)]
    right = [*left[:5], "new", *left[6:]]
    lines = list(aligned(left, right))
    assert [line.kind for line in lines] == [
        "gap",
        *["equal"] * 2,
        "changed",
        *["equal"] * 2,
        "gap",
    ]
    assert lines[3] == Line("line 5", "new", "changed")


def test_a_side_without_a_line_has_none() -> None:
    assert list(aligned(["a"], ["a", "b"])) == [
        Line("a", "a", "equal"),
        Line(None, "b", "changed"),
    ]


def test_steps_that_were_added_or_removed_and_code_outside_of_steps_count() -> None:
    before = scripted.pipeline(sources={"a": "x = 1", "b": "y = 1"})
    after = scripted.pipeline(sources={"a": "x = 1", "c": "y = 1"})
    assert [one.step for one in code_differences(before, after)] == ["b", "c"]
    assert code_differences(before, before) == []
