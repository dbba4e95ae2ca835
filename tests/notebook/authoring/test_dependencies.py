"""``after:``: of nobody, of itself, in a circle; all at once, and never endless."""

from __future__ import annotations

import pytest

from tests.notebook.authoring.book import codes, declared, only, step


def test_after_of_nobody_names_who_may_be_meant() -> None:
    problem = only(declared(("step:train", "1"), (["step:report", "after:trian"], "2")))
    assert (problem.code, problem.severity, problem.step, problem.cell) == (
        "KFNB-E203", "error", "report", 1,
    )  # fmt: skip
    assert '"trian"' in problem.message
    assert problem.remedy == 'Did you mean "train"?'


def test_after_of_nobody_without_a_likely_name() -> None:
    problem = only(declared(("step:a", "1"), (["step:b", "after:something else"], "2")))
    assert problem.remedy


def test_after_of_a_skipped_step_says_why() -> None:
    problem = only(declared((["step:a", "skip"], "1"), (["step:b", "after:a"], "2")))
    assert "tagged skip" in problem.message


def test_what_is_nobody_is_left_out_of_the_step() -> None:
    found = declared(("step:a", "1"), (["step:b", "after:a", "after:x"], "2"))
    assert step(found, "b").after == ("a",)


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_a_cycle_is_named_whole(length: int) -> None:
    names = "abcde"[:length]
    cells = [([f"step:{n}", f"after:{names[(i + 1) % length]}"], "1") for i, n in enumerate(names)]
    problem = only(declared(*cells, ("step:other", "2")))
    assert problem.code == "KFNB-E204"
    assert " → ".join(f'"{n}"' for n in (*names, names[0])) in problem.message
    assert problem.cell == 0


def test_two_cycles_are_two_errors() -> None:
    found = declared(
        (["step:a", "after:b"], "1"), (["step:b", "after:a"], "1"),
        (["step:c", "after:d"], "1"), (["step:d", "after:c"], "1"),
    )  # fmt: skip
    assert codes(found) == ["KFNB-E204", "KFNB-E204"]


def test_what_remains_has_no_cycle() -> None:
    found = declared(
        (["step:a", "after:b", "after:c"], "1"),
        (["step:b", "after:c", "after:a"], "1"),
        (["step:c", "after:a", "after:b", "after:c"], "1"),
    )
    left = {s.name: set(s.after) for s in found.steps}
    while ready := [name for name, after in left.items() if not after]:
        for name in ready:
            del left[name]
        for after in left.values():
            after.difference_update(ready)
    assert not left


def test_after_may_name_a_step_further_down() -> None:
    found = declared((["step:a", "after:b"], "1"), ("step:b", "2"))
    assert not found.diagnostics
    assert step(found, "a").after == ("b",)


def test_a_chain_of_thousands_is_no_problem() -> None:
    count = 3000
    cells = [([f"step:s{n}", f"after:s{n + 1}"], "1") for n in range(count)]
    found = declared(*cells, (f"step:s{count}", "1"))
    assert not found.diagnostics


def test_all_mistakes_are_reported_at_once() -> None:
    found = declared(
        (["step:a", "after:a", "retries:x"], "1"), (["step:b", "after:nobody", "aftr:a"], "2")
    )
    assert sorted(codes(found)) == ["KFNB-E202", "KFNB-E203", "KFNB-E204", "KFNB-W212"]
