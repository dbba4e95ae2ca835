"""Values of setup: what a step changed of them, and what a later step gets."""

import configparser
import io
from collections import deque

import pytest

from kfnb.step.in_kernel.setup_watch import SetupWatch, setup_state


class Box:
    def __init__(self):
        self.items = []


def watch(names, given=None):
    return SetupWatch(
        list(names), names, used=list(names), given=given or {}, contents={}, definitions=()
    )


def changed(make, change):
    """Change a value of setup in one step, and return what a later step has instead of its own."""
    first = {"value": make()}
    here = watch(first)
    change(first["value"])
    left = here.changed(first)
    assert here.states(left)[setup_state("value")][2] == left["value"]["set"]["content"] != ""
    later = {"value": make()}
    its_own = later["value"]
    given = {setup_state("value"): left["value"]}
    there = watch(later, given)
    assert there.states({})[setup_state("value")][1] == left["value"]["set"]["content"]
    assert there.changed(later) == {}, "what it was given is no change of its own"
    return later["value"], its_own


@pytest.mark.parametrize(
    ("make", "change", "show"),
    [
        (list, lambda v: v.append(1), list),
        (dict, lambda v: v.update(a=1), dict),
        (set, lambda v: v.add(1), set),
        (deque, lambda v: v.append(1), list),
        (Box, lambda v: v.items.append(1), lambda v: v.items),
        (
            configparser.ConfigParser,
            lambda v: v.read_string("[s]\nx=1"),
            lambda v: v.sections(),
        ),
    ],
)
def test_a_change_of_a_setup_value_reaches_later_steps(make, change, show):
    expected = make()
    change(expected)
    value, _ = changed(make, change)
    assert show(value) == show(expected)


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (list, lambda v: v.append(1)),
        (dict, lambda v: v.update(a=1)),
        (Box, lambda v: v.items.append(1)),
    ],
)
def test_who_else_holds_the_object_sees_the_change(make, change):
    value, its_own = changed(make, change)
    assert value is its_own


def test_using_a_value_is_no_change():
    names = {"rows": [3, 1, 2], "box": Box(), "text": io.StringIO("a")}
    here = watch(names)
    assert sorted(names["rows"]) == [1, 2, 3]
    assert names["box"].items == []
    assert here.changed(names) == {}
    assert {state[2] for state in here.states({}).values()} == {""}


def test_objects_that_remember_results_are_not_compared():
    model = pytest.importorskip("sklearn.neighbors").KNeighborsClassifier()
    names = {"model": model}
    here = watch(names)
    model.remembered = 1
    assert here.changed(names) == {}


def test_a_value_that_the_step_does_not_use_is_none_that_it_relied_on():
    names = {"rows": [1]}
    here = SetupWatch(["rows"], names, used=[], given={}, contents={}, definitions=())
    names["rows"].append(2)
    left = here.changed(names)
    assert here.states(left)[setup_state("rows")][1] == "-"
