from __future__ import annotations

import dataclasses

import pytest

from kfnb.engine.core.plan import Plan
from kfnb.errors import CheckError
from kfnb.pipeline import Edge
from tests.engine.pretend_driver import chain, pipeline, step


def deps(plan: Plan) -> dict[str, set[str]]:
    return {k[0]: {plan.keys[d][0] for d in plan.deps[n]} for n, k in enumerate(plan.keys)}


def test_values_tags_and_edges_are_dependencies() -> None:
    given = pipeline(step("a", "", "v"), step("b", "v"), step("c", after="a"), step("d"))
    given = dataclasses.replace(given, edges=(*given.edges, Edge("c", "d", files=("f",))))
    assert deps(Plan.of(given)) == {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"c"}}


def test_a_step_that_overwrites_a_file_waits_for_steps_that_used_it() -> None:
    plan = Plan.of(
        pipeline(
            step("read", files_read="f"),
            step("write", files_written="f"),
            step("read again", files_read="f"),
            step("update", files_read="f", files_written="f"),
            step("other", files_read="g"),
        )
    )
    assert deps(plan) == {
        "read": set(),
        "write": {"read"},
        "read again": {"write"},
        "update": {"write", "read again"},
        "other": set(),
    }


def test_the_exit_step_is_last_and_no_step_waits_for_it() -> None:
    plan = Plan.of(pipeline(step("end", "", "v"), step("a", "v", "w"), on_exit="end"))
    assert [k[0] for k in plan.keys] == ["a", "end"]
    assert plan.exit == 1
    assert deps(plan) == {"a": set(), "end": set()}


def test_the_height_is_the_longest_way_to_the_end() -> None:
    plan = Plan.of(
        pipeline(step("a", "", "v"), step("b", "v", "w"), step("c", "w"), step("d", "v"))
    )
    assert plan.height == (3, 2, 1, 1)


def test_a_step_and_all_that_depends_on_it() -> None:
    plan = Plan.of(pipeline(step("a", "", "v"), step("b"), step("c", "v", "w"), step("d", "w")))
    assert plan.downstream(["c"]) == ("c", "d")
    assert plan.downstream(["a", "b"]) == ("a", "b", "c", "d")
    with pytest.raises(KeyError):
        plan.downstream(["nobody"])


def test_a_dependency_on_a_later_step_is_refused() -> None:
    given = pipeline(step("a"), step("b"))
    given = dataclasses.replace(given, edges=(Edge("b", "a", explicit=True),))
    with pytest.raises(CheckError, match='"a" depends on "b"'):
        Plan.of(given)


def test_a_long_chain_is_no_problem() -> None:
    assert Plan.of(chain(5000)).height[0] == 5000
