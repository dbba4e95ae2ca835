"""A value in a few words, whatever it is, at a bounded price."""

from __future__ import annotations

import collections
import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from kfnb.step.values import describe


@dataclasses.dataclass
class Point:
    x: int
    many: Any


Named = collections.namedtuple("Named", "a b")  # noqa: PYI024


class Evil:
    shape = property(lambda self: 1 / 0)
    nbytes = property(lambda self: 1 / 0)

    def __repr__(self) -> str:
        raise RuntimeError

    def __len__(self) -> int:
        raise RuntimeError


class Counted:
    """Says how often its repr is asked for."""

    asked = 0

    def __repr__(self) -> str:
        Counted.asked += 1
        return "Counted()"


@pytest.mark.parametrize(
    ("value", "kind", "shape", "size", "text"),
    [
        (1, "int", None, None, "1"),
        ("abc", "str", None, 3, "'abc'"),
        ([1, 2], "list", [2], None, "[1, 2]"),
        ({"a": [1]}, "dict", [1], None, "{'a': [1]}"),
        (set(), "set", [0], None, "set()"),
        ((1,), "tuple", [1], None, "(1,)"),
        (Named(1, 2), "tests.Named", [2], None, "Named(a=1, b=2)"),
        (np.zeros((2, 3)), "numpy.ndarray", [2, 3], 48, "numpy.ndarray float64 2 × 3"),
        (np.float64(1.5), "numpy.float64", [], 8, repr(np.float64(1.5))),
        (pd.DataFrame({"a": [1], "b": [2]}), "pandas.DataFrame", [1, 2], None, "1 rows × 2 columns: a, b"),
        (pd.Series([1]), "pandas.Series", [1], 8, "pandas.Series int64 1"),
        (pl.DataFrame({"a": [1]}), "polars.DataFrame", [1, 1], 8, "1 rows × 1 columns: a"),
        (pa.Table.from_pydict({"a": [1]}), "pyarrow.Table", [1, 1], 8, "1 rows × 1 columns: a"),
        (LogisticRegression(), "sklearn.LogisticRegression", None, None, "LogisticRegression()"),
        (LogisticRegression, "type", None, None, "<class 'sklearn.linear_model._logistic.LogisticRegression'>"),
        (np.ndarray, "type", None, None, "<class 'numpy.ndarray'>"),
        (None, "NoneType", None, None, "None"),
    ],
    ids=lambda v: str(v)[:20],
)  # fmt: skip
def test_words(value: Any, kind: str, shape: Any, size: Any, text: str) -> None:
    found = describe(value)
    if isinstance(value, pd.DataFrame):
        found["size"] = None
    assert found == {"type": kind, "shape": shape, "size": size, "repr": text}


@pytest.mark.parametrize(
    "value",
    [
        ["x" * 1000] * 10**6,
        dict.fromkeys(range(10**5), "y" * 500),
        set(range(10**6)),
        b"z" * 10**7,
        bytearray(10**7),
        10**5000,
        "é" * 10**7,
        Point(1, [[[[["deep"] * 9] * 9] * 9] * 9] * 9),
        collections.OrderedDict.fromkeys(range(10**6)),
        collections.Counter(range(10**6)),
        collections.deque(range(10**6)),
        pd.DataFrame({"c" * 5000 + str(n): [1] for n in range(20)}),
        Named([1] * 10**6, 2),
    ],
    ids=lambda v: type(v).__name__,
)
def test_long_values_are_cut(value: Any) -> None:
    found = describe(value)
    assert len(found["repr"]) <= 200


def test_not_all_of_a_large_value_is_shown() -> None:
    Counted.asked = 0
    for value in ([Counted()] * 10_000, Point(1, [Counted()] * 10_000),
                  collections.UserList([Counted()] * 10_000), Named(1, [Counted()] * 10_000)):  # fmt: skip
        describe(value)
    assert Counted.asked < 50


def test_nothing_escapes() -> None:
    found = describe(Evil())
    assert found["type"] == "tests.Evil"
    assert found["repr"] == "<tests.Evil, whose repr raises RuntimeError>"
    recursive: list[Any] = []
    recursive.append(recursive)
    assert describe(recursive)["shape"] == [1]
    assert describe(pl.LazyFrame({"a": [1]}))["type"] == "polars.LazyFrame"
    assert describe("\ud800")["repr"].isprintable()


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
        max_leaves=30,
    )
)
def test_anything(value: Any) -> None:
    import json

    found = describe(value)
    assert len(found["repr"]) <= 200
    json.dumps(found).encode()
