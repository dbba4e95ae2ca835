"""What shares mutable objects is one bundle and shares them again; nothing else is."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import logging
import pathlib
import re
import types
import uuid
import zoneinfo
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tests.step.values.round_trip import groups, save, trip, trip_all


class Colour(enum.Enum):
    RED = 1


class Pair(collections.namedtuple("PairBase", "a b")):  # noqa: PYI024
    __slots__ = ()


@dataclasses.dataclass
class Box:
    content: object


CONSTANTS = [
    "text" * 10, b"bytes" * 10, 10**30, 1.5, (1, "a", (2.0,)), frozenset({1, "x"}), None, ...,
    range(5), slice(1, 2), Colour.RED, Colour, re.compile("a+"), datetime.datetime.now(),
    datetime.timezone.utc, zoneinfo.ZoneInfo("Europe/Berlin"), decimal.Decimal("1.5"),
    fractions.Fraction(1, 3), uuid.uuid4(), pathlib.Path("/a/b"), np.dtype("f8"),
    np.dtype([("a", "i4")]), np.float64(2), np.sin, np.mean, np, pd.Timestamp("2020"),
    pd.Timedelta("1s"), pd.Period("2020"), pd.Interval(0, 1), pd.CategoricalDtype(["a"]),
    pd.StringDtype("python"), pd.date_range("2020", periods=3), pd.MultiIndex.from_tuples([(1, 2)]),
    pd.offsets.Day(2), pd.NA, len, str.upper, print, logging.getLogger("x"), Pair(1, 2),
    LogisticRegression, list[int], int | str, types.MappingProxyType({}), np.arange(3).data.toreadonly(),
    np.random.mtrand._rand, Path.cwd, int.__add__,
]  # fmt: skip


@pytest.mark.parametrize("value", CONSTANTS, ids=lambda v: str(type(v).__name__))
def test_what_cannot_change_ties_nothing(value: object, tmp_path: Path) -> None:
    assert groups(tmp_path, a=[value], b={"k": value}, c=value) == []


@pytest.mark.parametrize(
    "value",
    [[], {}, set(), bytearray(b"a"), Box(1), collections.deque(), collections.Counter("a"),
     object(), types.SimpleNamespace(a=1), np.zeros(3), pd.DataFrame({"a": [1]}), pd.Series([1]),
     LogisticRegression(), np.random.default_rng(1), pd.array([1, None]), (1, [2]),
     np.ma.array([1]), np.array([[1], 2], dtype=object)],
    ids=lambda v: str(type(v).__name__),
)  # fmt: skip
def test_what_can_change_ties_and_stays_one(value: object, tmp_path: Path) -> None:
    saved, loaded = trip_all(tmp_path, a=value, other=[0], b={"k": [value]}, c=(1, value))
    assert saved.aliases == [["a", "b", "c"]]
    assert loaded["b"]["k"][0] is loaded["a"] or isinstance(value, tuple)
    assert loaded["c"][1] is loaded["b"]["k"][0]


def test_ties_are_transitive_and_through_attributes(tmp_path: Path) -> None:
    inner: list[int] = []
    saved, loaded = trip_all(
        tmp_path, a=Box(inner), b=[inner, part := {}], c=Box(Box(part)), alone=Box([])
    )
    assert saved.aliases == [["a", "b", "c"]]
    loaded["a"].content.append(1)
    assert loaded["b"][0] == [1]


def test_a_step_inside_a_pipeline(tmp_path: Path) -> None:
    model = LogisticRegression()
    saved, loaded = trip_all(tmp_path, model=model, pipeline=make_pipeline(model))
    assert saved.aliases == [["model", "pipeline"]]
    assert loaded["pipeline"].steps[0][1] is loaded["model"]


@pytest.mark.parametrize("size", [20, 200_000])
def test_views_keep_looking_into_one_memory(size: int, tmp_path: Path) -> None:
    base = np.arange(size * 2, dtype="i4").reshape(size, 2)
    views = {
        "base": base,
        "column": base[:, 1],
        "turned": base.T,
        "back": base[::-1],
        "raw": base.view("u1"),
        "part": base[5:10],
        "fixed": base[:4],
    }
    views["fixed"].flags.writeable = False
    expected = {name: view.copy() for name, view in views.items()}
    saved, loaded = trip_all(tmp_path, **views)
    assert saved.aliases == [list(views)]
    for name, array in expected.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].strides == views[name].strides
    assert not loaded["fixed"].flags.writeable
    loaded["part"][0, 1] = -7
    assert loaded["base"][5, 1] == loaded["column"][5] == loaded["turned"][1, 5] == -7
    assert loaded["back"][-6, 1] == -7
    assert saved.bundles[0].size < base.nbytes + 10_000


def test_views_inside_one_value(tmp_path: Path) -> None:
    base = np.arange(10.0)
    loaded = trip({"all": base, "some": base[2:4]})
    loaded["some"][0] = -1
    assert loaded["all"][2] == -1


def test_columns_side_by_side_share_nothing(tmp_path: Path) -> None:
    data = np.arange(50).reshape(10, 5)
    assert groups(tmp_path, X=data[:, :4], y=data[:, 4]) == []
    assert groups(tmp_path / "b", X=data[:, :4], y=data[:, 3]) == [["X", "y"]]
    assert groups(tmp_path / "c", train=data[:7], test=data[7:]) == []


def test_a_part_of_something_large_is_saved_without_the_rest(tmp_path: Path) -> None:
    large = np.zeros(1_000_000)
    saved = save(tmp_path, a=large[:10], b=large[5:15])
    assert saved.aliases == [["a", "b"]]
    assert saved.bundles[0].size < 5_000


def test_views_of_objects_and_records(tmp_path: Path) -> None:
    base = np.array([[1], [2], [3]], dtype=object)
    _, loaded = trip_all(tmp_path, base=base, part=base[1:])
    loaded["part"][0] = "new"
    assert loaded["base"].ravel()[1] == "new"
    records = np.array([(1, "a"), (2, "b")], dtype=[("n", "i4"), ("o", object)])
    _, loaded = trip_all(tmp_path / "r", records=records, field=records["o"])
    loaded["field"][1] = "changed"
    assert loaded["records"][1][1] == "changed"


def test_views_of_what_was_loaded_still_share(tmp_path: Path) -> None:
    _, first = trip_all(tmp_path / "1", a=(base := np.arange(100_000)), b=base[10:20])
    saved, second = trip_all(tmp_path / "2", **first)
    assert saved.aliases == [["a", "b"]]
    second["b"][0] = -5
    assert second["a"][10] == -5


def test_masked_arrays_and_memory_maps_share_with_what_they_were_made_of(tmp_path: Path) -> None:
    base = np.arange(5)
    _, loaded = trip_all(tmp_path, base=base, masked=np.ma.MaskedArray(base, mask=[0, 1, 0, 0, 0]))
    loaded["base"][0] = 50
    assert loaded["masked"].data[0] == 50


def test_many_windows_of_one_array_take_no_time(tmp_path: Path) -> None:
    base = np.arange(3_000)
    windows = [base[n : n + 1_000] for n in range(2_000)]
    loaded = trip(windows)
    loaded[0][999] = -1
    assert loaded[999][0] == -1


def test_two_rows_of_names_in_order(tmp_path: Path) -> None:
    x: list[int] = []
    y: list[int] = []
    saved = save(tmp_path, p=x, q=y, r=[x], s=[y], t=1)
    assert [list(b.names) for b in saved.bundles] == [["p", "r"], ["q", "s"], ["t"]]
