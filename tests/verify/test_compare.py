"""What is one value and what is another."""

from __future__ import annotations

import copy
import datetime
import decimal
import enum
import functools
import math
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

import pytest

from kfnb.step.in_kernel.value_comparison import Comparison, Incomparable

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclass
class Model:
    weights: list[float] = field(default_factory=list)


class Slim:
    __slots__ = ("a",)

    def __init__(self, a: int) -> None:
        self.a = a


def adder(n: int) -> Any:
    return lambda v: v + n


def difference(here: Any, there: Any) -> str | None:
    return Comparison().difference(here, there, "x")


VALUES: list[Any] = [
    1,
    math.nan,
    "text",
    b"bytes",
    None,
    [1, [2, {"k": (3, frozenset({4}))}]],
    OrderedDict(a=1),
    Counter("aab"),
    defaultdict(list, {"a": [1]}),
    deque([1, 2], maxlen=3),
    datetime.datetime(2024, 1, 1),
    decimal.Decimal("1.5"),
    Colour.RED,
    Model([1.0]),
    Slim(1),
    functools.partial(pow, exp=2),
    adder(1),
    np.arange(4.0),
    np.array([1, "a", None], dtype=object),
    np.float32(2),
    np.random.default_rng(3),
    pd.DataFrame({"a": [1, None], "b": pd.Categorical(["x", "y"])}),
    pd.Series([1, 2], name="s"),
    pd.MultiIndex.from_tuples([(1, "a")]),
    range(3),
    {1, 2},
    int,
    ValueError("v", 1),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: type(v).__name__)
def test_a_copy_is_the_same(value: Any) -> None:
    assert difference(value, copy.deepcopy(value)) is None


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (1, 2),
        (1, 1.0),
        (1, True),
        ([1], [1, 2]),
        ([1], (1,)),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1}, {2}),
        (Model([1.0]), Model([2.0])),
        (Slim(1), Slim(2)),
        (Colour.RED, Colour.BLUE),
        (adder(1), adder(2)),
        (lambda v: v, lambda v: v + 1),
        (functools.partial(pow, exp=2), functools.partial(pow, exp=3)),
        (np.arange(3), np.arange(4)),
        (np.arange(3), np.arange(3.0)),
        (np.array([1, []], dtype=object), np.array([1, [2]], dtype=object)),
        (np.random.default_rng(3), np.random.default_rng(4)),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]})),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]}, index=[5])),
        (pd.Series([1], name="a"), pd.Series([1], name="b")),
        (ValueError("a"), ValueError("b")),
    ],
)
def test_differences_are_seen(here: Any, there: Any) -> None:
    assert difference(here, there)


def test_the_difference_says_where() -> None:
    assert difference({"a": [1, 2]}, {"a": [1, 3]}) == "x['a'][1] is 2 in the notebook, 3 here"


def test_one_object_under_two_names_is_not_two_objects() -> None:
    one: list[int] = []
    assert difference([one, one], [[], []]) == (
        "x[1] is shared with another name in the notebook, but not here"
    )
    assert difference([one, one], [one, one]) is None
    across = Comparison()
    assert across.difference(one, [], "a") is None
    assert across.difference(one, [], "b")


def test_cycles_end() -> None:
    def cycle() -> list[Any]:
        made: list[Any] = [1]
        made.append(made)
        return made

    assert difference(cycle(), cycle()) is None


def test_values_that_cannot_be_compared_are_reported() -> None:
    with pytest.raises(Incomparable):
        difference(threading.Lock(), threading.Lock())
