"""A collector takes additions and nothing else; they are put into the value in order."""

from __future__ import annotations

import collections
import copy
from collections.abc import Callable
from typing import Any

import pytest

from kfnb.step.collecting import Collector, MoreThanAdded, additions, merged, refused


def collected(base: Any, form: str, *steps: Callable[[Any], Any]) -> Any:
    """Let each step add to a collector of its own, and put all additions in."""
    added = []
    for step in steps:
        collector = Collector("v", base, form)
        step(collector)
        assert not refused(collector)
        added.append(additions(collector))
    return merged(base, added)


def _add(value: Any) -> Callable[[Any], Any]:
    def add(collector: Any) -> None:
        collector += value

    return add


def test_items_are_set_in_order_and_the_base_stays_as_it_is() -> None:
    base = {"z": 0, "a": 1}
    value = collected(base, "items", lambda v: v.update(b=2), lambda v: v.__setitem__("z", 9))
    assert list(value.items()) == [("z", 9), ("a", 1), ("b", 2)]
    assert base == {"z": 0, "a": 1}


def test_lists_in_a_dictionary_grow_and_the_base_stays_as_it_is() -> None:
    base: dict[str, list[int]] = {"x": [0]}
    value = collected(
        base,
        "grow",
        lambda v: v.setdefault("x", []).append(1),
        lambda v: v.setdefault("y", []).extend([2]),
        lambda v: v.setdefault("x", []).append(3),
    )
    assert value == {"x": [0, 1, 3], "y": [2]}
    assert base == {"x": [0]}


def test_sums_of_floating_point_numbers_are_those_of_the_notebook() -> None:
    assert collected(0.1, "sum", _add(0.2), _add(0.7), _add(1e16), _add(-1e16)) == (
        0.1 + 0.2 + 0.7 + 1e16 - 1e16
    )


def test_a_counter_of_millions_is_one_operand() -> None:
    collector = Collector("n", 0, "sum")
    for _ in range(1000):
        collector += 1
    assert additions(collector)[1] == [[1, 1000]]


def test_members_equal_to_earlier_ones_are_not_replaced() -> None:
    value = collected({1}, "set", lambda v: v.add(1.0), lambda v: v.add(2))
    assert sorted(map(repr, value)) == ["1", "2"]


def test_added_objects_are_not_copied() -> None:
    model = [1]
    value = collected({}, "items", lambda v: v.__setitem__("m", model))
    assert value["m"] is model


def test_the_factory_of_a_defaultdict_stays() -> None:
    value = collected(collections.defaultdict(list), "items", lambda v: v.update(a=[1]))
    value["b"].append(2)
    assert dict(value) == {"a": [1], "b": [2]}


@pytest.mark.parametrize(
    "use",
    [
        len, list, bool, str, repr, sorted, copy.copy, copy.deepcopy, float, sum,
        lambda v: v["a"], lambda v: "a" in v, lambda v: v == {}, lambda v: v.get("a"),
        lambda v: v.pop("a"), lambda v: v.keys(), lambda v: [*v], lambda v: {**v}, lambda v: v | {},
        lambda v: v.__delitem__("a"), lambda v: v.append(1), lambda v: v + 1, lambda v: 1 + v,
        lambda v: f"{v}", dict, _add(1),
    ],
)  # fmt: skip
def test_everything_else_is_refused_with_the_way_out(use: Callable[[Any], Any]) -> None:
    collector = Collector("v", {}, "items")
    with pytest.raises(MoreThanAdded, match="changes:v"):
        use(collector)
    assert refused(collector)


def test_what_the_notebook_refuses_is_refused_in_the_same_cell() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        Collector("v", {}, "items")[[]] = 1
    with pytest.raises(TypeError, match="unsupported operand"):
        _add("text")(Collector("v", 1, "sum"))


class _Log(dict[str, int]):
    pass


@pytest.mark.parametrize(
    ("base", "form"), [(_Log(), "items"), ([], "items"), ({}, "list"), ([], "sum")]
)
def test_a_value_of_another_type_than_the_source_shows_is_refused(base: Any, form: str) -> None:
    with pytest.raises(MoreThanAdded):
        Collector("v", base, form)
