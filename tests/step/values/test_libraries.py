"""Values of other libraries, and plain ones: type and content survive."""

from __future__ import annotations

import collections
import datetime
import decimal
import functools
import math
import operator
import pathlib
import re
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal, assert_series_equal
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from tests.step.values.round_trip import groups, save, trip, trip_all

X = np.random.default_rng(0).random((60, 4))
Y = (X[:, 0] > 0.5).astype(int)

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    | st.binary() | st.complex_numbers(allow_nan=False) | st.decimals(allow_nan=False)
    | st.datetimes() | st.timedeltas() | st.uuids() | st.fractions(),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4)
    | st.tuples(inner, inner)
    | st.builds(collections.deque, st.lists(inner, max_size=3))
    | st.builds(bytearray, st.binary()),
    max_leaves=15,
)  # fmt: skip


def same_types(one: Any, two: Any) -> bool:
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        return all(same_types(a, b) for a, b in zip(one.items(), two.items(), strict=True))
    if isinstance(one, (list, tuple, collections.deque)):
        return all(same_types(a, b) for a, b in zip(one, two, strict=True))
    return bool(one == two)


@settings(max_examples=100, deadline=None)
@given(PLAIN)
def test_anything_plain(value: Any) -> None:
    loaded = trip(value)
    assert loaded == value
    assert same_types(loaded, value)


@settings(max_examples=30, deadline=None)
@given(st.lists(PLAIN, min_size=1, max_size=3), st.data())
def test_identity_inside_a_value(parts: list[Any], data: st.DataObject) -> None:
    picks = data.draw(st.lists(st.integers(0, len(parts) - 1), max_size=6))
    loaded = trip([parts[n] for n in picks])
    for a, one in enumerate(picks):
        for b, two in enumerate(picks):
            if one == two:
                assert loaded[a] is loaded[b] or loaded[a] == loaded[b]
            if isinstance(parts[one], (list, dict)) and one == two:
                assert loaded[a] is loaded[b]


@pytest.mark.parametrize(
    "value",
    [
        math.inf, collections.Counter("aab"), collections.OrderedDict(b=1, a=2),
        collections.defaultdict(list, a=[1]), re.compile("a.*", re.IGNORECASE), pathlib.PurePosixPath("/x"),
        datetime.date(2020, 1, 1), datetime.time(1, 2), decimal.Decimal("1.10"), uuid.UUID(int=5),
        range(3), slice(1, None, 2), operator.itemgetter("a"), ..., NotImplemented, int, list[int],
        collections.ChainMap({"a": 1}, {"b": 2}), frozenset({1, (2,)}), {1, 2}, dict[str, int] | None,
    ],
    ids=repr,
)  # fmt: skip
def test_the_standard_library(value: Any) -> None:
    loaded = trip(value)
    assert type(loaded) is type(value)
    assert repr(loaded) == repr(value)


def test_modules_in_containers() -> None:
    assert trip({"m": [math, np.linalg]})["m"] == [math, np.linalg]
    assert trip(functools.partial(math.pow, 2))(3) == 8


FRAME = pl.DataFrame(
    {
        "i": [1, None, 3],
        "f": [1.5, math.nan, None],
        "s": ["a", None, "ü" * 50],
        "b": [True, False, None],
        "d": [datetime.date(2020, 1, 1)] * 3,
        "z": pl.Series([datetime.datetime(2020, 1, 1)] * 3, dtype=pl.Datetime("ms", "Europe/Berlin")),
        "l": [[1, 2], None, []],
        "st": [{"a": 1, "b": "x"}] * 3,
        "c": pl.Series(["p", "q", "p"], dtype=pl.Categorical),
        "e": pl.Series(["p", "q", None], dtype=pl.Enum(["q", "p"])),
        "by": [b"1", None, b"22"],
        "dec": pl.Series([decimal.Decimal("1.10")] * 3, dtype=pl.Decimal(10, 2)),
        "ar": pl.Series([[1, 2], [3, 4], [5, 6]], dtype=pl.Array(pl.Int8, 2)),
        "du": [datetime.timedelta(seconds=5)] * 3,
        "n": [None, None, None],
    }
)  # fmt: skip


@pytest.mark.parametrize("frame", [FRAME, FRAME.clear(), pl.DataFrame(), FRAME.slice(1)],
                         ids=["full", "empty", "nothing", "part"])  # fmt: skip
def test_polars_frames(frame: pl.DataFrame) -> None:
    loaded = trip({"in": [frame]})["in"][0]
    assert type(loaded) is pl.DataFrame
    assert_frame_equal(loaded, frame, check_exact=True)
    assert loaded.schema == frame.schema


def test_polars_others() -> None:
    for name in FRAME.columns:
        series = FRAME[name].alias("my " + name)
        assert_series_equal(trip(series), series, check_exact=True)
    assert trip(pl.Series(range(5))).name == ""
    objects = pl.DataFrame({"o": pl.Series([object, {1}], dtype=pl.Object)})
    assert trip(objects)["o"].to_list() == [object, {1}]
    assert_frame_equal(trip(FRAME.lazy().select("i")).collect(), FRAME.select("i"))
    assert trip(pl.Int8) == pl.Int8
    assert trip(pl.col("a") + 1).meta.eq(pl.col("a") + 1)


def test_polars_can_be_changed_and_is_no_alias(tmp_path: Path) -> None:
    large = pl.DataFrame({"a": np.arange(100_000)})
    loaded = trip(large)
    loaded[0, "a"] = 5
    loaded.insert_column(1, pl.Series("b", np.zeros(100_000)))
    assert loaded.shape == (100_000, 2)
    assert groups(tmp_path, a=large, b=large["a"], c=large.select("a")) == []


def test_polars_go_out_of_band(tmp_path: Path) -> None:
    saved = save(tmp_path, a=pl.DataFrame({"a": np.arange(100_000)}))
    with saved.bundles[0].files[0].open("rb") as file:
        assert int.from_bytes(file.read(16)[8:], "little") < 1_000


@pytest.mark.parametrize(
    "value",
    [
        pa.array([1, None, 3]), pa.array(["a", None]), pa.chunked_array([[1], [2, 3]]),
        pa.Table.from_pydict({"a": [1, 2], "b": ["x", None]}), pa.RecordBatch.from_pydict({"a": [1.5]}),
        pa.schema([("a", pa.int8())], metadata={"k": "v"}), pa.scalar(5), pa.int64(),
        pa.array([[1], None]), pa.array(["a", "b", "a"]).dictionary_encode(),
        pa.Table.from_pydict({"a": range(100_000)}), pa.Table.from_pydict({"a": range(100_000)}).slice(10, 5),
    ],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_pyarrow(value: Any, tmp_path: Path) -> None:
    loaded = trip([value])[0]
    assert type(loaded) is type(value)
    assert loaded.equals(value)
    assert groups(tmp_path, a=value, b=[value]) == []


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(), make_pipeline(StandardScaler(), SVC(probability=False)),
        RandomForestClassifier(5), GradientBoostingRegressor(n_estimators=3),
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=KFold(2)),
        ColumnTransformer([("s", StandardScaler(), [0, 1]), ("o", OneHotEncoder(), [2])]),
        xgboost.XGBClassifier(n_estimators=3), xgboost.XGBRegressor(n_estimators=2),
    ],
    ids=lambda m: type(m).__name__,
)  # fmt: skip
def test_fitted_models(model: Any) -> None:
    rows = np.round(X, 1)
    model.fit(rows, Y)
    loaded = trip(model)
    assert type(loaded) is type(model)
    assert repr(loaded) == repr(model)
    method = "predict" if hasattr(model, "predict") else "transform"
    one, two = getattr(loaded, method)(rows), getattr(model, method)(rows)
    one, two = (r.toarray() if hasattr(r, "toarray") else r for r in (one, two))
    np.testing.assert_array_equal(one, two)
    loaded.fit(rows, 1 - Y)


def test_models_that_use_the_global_generator_are_no_aliases(tmp_path: Path) -> None:
    from sklearn.neural_network import MLPClassifier
    from sklearn.utils import check_random_state

    one, two = (MLPClassifier((3,), max_iter=2).fit(X, Y) for _ in range(2))
    one.random_, two.random_ = check_random_state(None), check_random_state(None)
    assert groups(tmp_path, one=one, two=two) == []


def test_boosters() -> None:
    booster = xgboost.train({}, xgboost.DMatrix(X, label=Y), 3)
    matrix = xgboost.DMatrix(X)
    np.testing.assert_array_equal(trip(booster).predict(matrix), booster.predict(matrix))


def test_figures() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import figure

    made = figure.Figure()
    made.subplots().plot([1, 2])
    assert trip(made).axes[0].lines[0].get_ydata().tolist() == [1, 2]


def test_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    base = torch.arange(100_000.0)
    saved, loaded = trip_all(
        tmp_path, base=base, part=base[10:20], turned=base.view(100, 1000).T, array=base.numpy()
    )
    assert saved.aliases == [["base", "part", "turned", "array"]]
    assert saved.bundles[0].size < 500_000
    loaded["part"][0] = -1
    assert loaded["base"][10] == loaded["turned"][10, 0] == loaded["array"][10] == -1
    for dtype in (torch.float64, torch.bfloat16, torch.int8, torch.bool, torch.complex64):
        tensor = torch.ones(3, 4, dtype=dtype)
        assert torch.equal(trip(tensor), tensor)
        assert trip(tensor).dtype == dtype
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    optimiser = torch.optim.Adam(model.parameters())
    saved, loaded = trip_all(tmp_path / "m", model=model, optimiser=optimiser)
    assert saved.aliases == [["model", "optimiser"]]
    first = next(iter(loaded["model"].parameters()))
    assert type(first) is torch.nn.Parameter
    assert first.requires_grad
    assert loaded["optimiser"].param_groups[0]["params"][0] is first
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded["model"].state_dict()[name], tensor)
    assert trip(torch.empty(0)).shape == (0,)
    assert trip(torch.sparse_coo_tensor([[0], [1]], [2.0], (2, 2))).to_dense()[0, 1] == 2
    generator = torch.Generator().manual_seed(5)
    state = trip(generator.get_state())
    assert torch.equal(state, generator.get_state())


def test_watching_tensors(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from tests.step.values.changes.test_mutation_watch import watched

    model = torch.nn.Linear(300, 300)
    found, watch = watched(tmp_path, model=model, x=torch.zeros(50_000))
    found["model"](torch.ones(300))
    found["x"].sum()
    assert watch.changed() == set()
    found["x"][7] = 1
    assert watch.changed() == {"x"}
    with torch.no_grad():
        found["model"].bias += 1
    assert watch.changed() == {"x", "model"}


def test_keras() -> None:
    keras = pytest.importorskip("keras", reason="keras is not installed")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    loaded = trip(model)
    for one, two in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
