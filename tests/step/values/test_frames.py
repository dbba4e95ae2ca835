"""pandas values survive: indices, dtypes, names, attrs, and no ties that nobody made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.step.values.round_trip import groups, trip

N = 6
INDICES = {
    "range": pd.RangeIndex(2, 2 + 3 * N, 3, name="r"),
    "int": pd.Index([5, 3, 3, 1, 0, -1], dtype="int32"),
    "float": pd.Index([0.5, np.nan, 1, 2, 3, 4]),
    "str": pd.Index(list("abcdef"), name="letters"),
    "object": pd.Index([1, "a", None, 2.5, (1, 2), "b"], dtype=object),
    "bool": pd.Index([True, False] * 3),
    "date": pd.date_range("2020-01-01", periods=N, freq="D", name="day"),
    "date s": pd.date_range("2020-01-01", periods=N, freq="h", unit="s"),
    "zone": pd.date_range("2020-03-28", periods=N, freq="D", tz="Europe/Berlin"),
    "delta": pd.timedelta_range("1h", periods=N, freq="30min"),
    "period": pd.period_range("2020-01", periods=N, freq="M"),
    "interval": pd.interval_range(0, N, closed="left"),
    "category": pd.CategoricalIndex(list("aabbca"), categories=list("cba"), ordered=True),
    "multi": pd.MultiIndex.from_product([["x", "y"], [1, 2, 3]], names=["k", None]),
    "nullable": pd.Index([1, None, 3, 4, 5, 6], dtype="Int64"),
}
COLUMNS = {
    "int8": pd.array(np.arange(N), dtype="int8"),
    "float": np.linspace(0, 1, N),
    "complex": np.arange(N) * 1j,
    "bool": [True, False] * 3,
    "str": pd.Series([*"abcde", None], dtype="str"),
    "python str": pd.array(list("abcdef"), dtype=pd.StringDtype("python")),
    "arrow str": pd.array(["a", None] * 3, dtype=pd.StringDtype("pyarrow")),
    "object": pd.Series([1, "a", None, [2], {"x": 1}, (3,)], dtype=object),
    "category": pd.Categorical(list("abcaba"), categories=list("cbad"), ordered=True),
    "codes": pd.Categorical([3, 1, 3, 1, 2, 2]),
    "date": pd.date_range("2020", periods=N, unit="ms"),
    "zone": pd.date_range("2020", periods=N, tz="Asia/Tokyo"),
    "delta": pd.timedelta_range("1s", periods=N),
    "period": pd.period_range("2020", periods=N, freq="Q"),
    "interval": pd.arrays.IntervalArray.from_breaks(range(N + 1)),
    "Int64": pd.array([1, None, 3, 4, None, 6], dtype="Int64"),
    "Float32": pd.array([1, None, 3, 4, None, 6], dtype="Float32"),
    "boolean": pd.array([True, None] * 3, dtype="boolean"),
    "arrow int": pd.array([1, None] * 3, dtype="int64[pyarrow]"),
    "arrow float": pd.array([1.5, None] * 3, dtype="double[pyarrow]"),
    "sparse": pd.arrays.SparseArray([0, 0, 1, 0, 2, 0]),
}


@pytest.mark.parametrize("name", INDICES)
def test_index(name: str) -> None:
    index = INDICES[name]
    loaded = trip(index)
    assert type(loaded) is type(index)
    pd.testing.assert_index_equal(loaded, index, exact=True, check_names=True)
    assert getattr(loaded, "freq", None) == getattr(index, "freq", None)
    assert loaded.names == index.names


@pytest.mark.parametrize("name", COLUMNS)
def test_series(name: str) -> None:
    series = pd.Series(COLUMNS[name], name=("a", 1))
    loaded = trip(series)
    pd.testing.assert_series_equal(loaded, series, check_freq=True)
    assert loaded.dtype == series.dtype
    assert type(loaded.array) is type(series.array)


@settings(max_examples=60, deadline=None)
@given(
    index=st.sampled_from(sorted(INDICES)),
    columns=st.lists(st.sampled_from(sorted(COLUMNS)), max_size=5),
    labels=st.sampled_from(["own", "same", "numbers", "multi"]),
    attrs=st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    order=st.booleans(),
)
def test_any_frame(index: str, columns: list[str], labels: str, attrs: dict, order: bool) -> None:
    parts = [pd.Series(COLUMNS[c]).set_axis(INDICES[index]) for c in columns]
    frame = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=INDICES[index])
    if labels == "same":
        frame.columns = ["x"] * len(columns)
    elif labels == "own":
        frame.columns = columns
    elif labels == "multi" and columns:
        frame.columns = pd.MultiIndex.from_tuples([(c, n) for n, c in enumerate(columns)])
    frame.attrs = attrs
    if order:
        frame = frame.iloc[::-1]
    loaded = trip(frame)
    pd.testing.assert_frame_equal(loaded, frame, check_freq=True, check_column_type="exact")
    assert loaded.attrs == attrs
    assert [str(t) for t in loaded.dtypes] == [str(t) for t in frame.dtypes]


def test_scalars_and_subclasses() -> None:
    for value in (pd.Timestamp("2020", tz="UTC"), pd.Timedelta("1s"), pd.Period("2020", "M"),
                  pd.Interval(0, 1), pd.offsets.BDay(3)):  # fmt: skip
        assert trip(value) == value
        assert type(trip(value)) is type(value)
    assert trip(pd.NaT) is pd.NaT
    assert trip(pd.NA) is pd.NA


def test_flags_and_groups() -> None:
    frame = pd.DataFrame({"a": [1, 2]}).set_flags(allows_duplicate_labels=False)
    assert trip(frame).flags.allows_duplicate_labels is False
    grouped = pd.DataFrame({"a": [1, 1, 2], "b": [1.0, 2, 3]}).groupby("a")
    assert trip(grouped).sum().b.tolist() == [3, 3]


@pytest.mark.parametrize("rows", [10, 100_000])
def test_a_loaded_frame_is_changed_in_place(rows: int) -> None:
    frame = trip(pd.DataFrame({"a": np.arange(rows), "b": np.zeros(rows), "c": ["x"] * rows}))
    frame.loc[0, "b"] = 5
    frame["d"] = 1
    frame.loc[1, "c"] = "y"
    frame.drop(columns="a", inplace=True)
    assert frame.iloc[0].tolist() == [5.0, "x", 1]
    assert frame["b"].to_numpy(copy=True).sum() == 5


def test_frames_made_of_one_another_are_no_aliases(tmp_path: Path) -> None:
    if pd.__version__ < "3":
        pd.options.mode.copy_on_write = True
    frame = pd.DataFrame(
        {"a": np.arange(N), "b": np.linspace(0, 1, N), "c": list("xyzxyz"),
         "d": pd.date_range("2020", periods=N), "e": pd.Categorical(list("aabbcc"))},
        index=INDICES["date"],
    )  # fmt: skip
    derived = {
        "frame": frame,
        "shallow": frame.copy(deep=False),
        "columns": frame[["a", "b"]],
        "rows": frame.iloc[1:4],
        "one": frame["a"],
        "category": frame["e"],
        "index": frame.index,
        "headings": frame.columns,
        "reset": frame.reset_index(),
        "renamed": frame.rename(columns={"a": "A"}),
        "turned": frame[["a", "b"]].T,
        "assigned": frame.assign(z=1),
        "dates": frame["d"],
        "filtered": frame[frame.a > 2],
        "dropped": frame.drop(columns="a"),
    }
    assert groups(tmp_path, **derived) == []


def test_one_frame_with_two_names_is_one_object(tmp_path: Path) -> None:
    from tests.step.values.round_trip import trip_all

    frame = pd.DataFrame({"a": [1, 2]})
    saved, loaded = trip_all(tmp_path, one=frame, two=frame, holder={"frame": frame})
    assert saved.aliases == [["one", "two", "holder"]]
    assert loaded["one"] is loaded["two"] is loaded["holder"]["frame"]
