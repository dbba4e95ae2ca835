"""A watch tells what a step changed in place, and is not misled by what reading leaves behind."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import xgboost
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from kfnb.step import values
from tests.step.values.round_trip import save

BIG = 60_000


def watched(folder: Path, **named: Any) -> tuple[dict[str, Any], values.Watch]:
    saved = save(folder, **named)
    assert not saved.failed
    loaded = [values.load(bundle.files) for bundle in saved.bundles]
    found: dict[str, Any] = {}
    for one in loaded:
        found |= one.values
    return found, values.Watch(loaded)


class Plain:
    def __init__(self) -> None:
        self.a = [1]
        self.big = np.zeros(BIG)

    @functools.cached_property
    def slow(self) -> int:
        return 5


def frame(rows: int) -> pd.DataFrame:
    made = pd.DataFrame({"a": np.arange(rows), "b": np.linspace(0, 1, rows)})
    made["late"] = np.ones(rows)
    made["c"] = pd.Series(["x", "y"] * (rows // 2))
    made["k"] = pd.Categorical(["p", "q"] * (rows // 2))
    made["d"] = pd.date_range("2020", periods=rows, freq="s")
    return made


def sparse() -> Any:
    return scipy.sparse.random(500, 400, density=0.2, format="csr", random_state=1)


X = np.random.default_rng(0).random((300, 40))
Y = (X[:, 0] > 0.5).astype(int)

READS: list[tuple[str, Callable[[], Any], Callable[[Any], object]]] = [
    ("array", lambda: np.arange(BIG), lambda v: (v.sum(), v[::2], v.copy(), np.sort(v))),
    ("list", lambda: [1, [2], "x"], lambda v: (v[1], sorted(map(str, v)))),
    ("dict", lambda: {"a": {1, 2}}, lambda v: (v.get("b"), list(v))),
    ("object", Plain, lambda v: (v.slow, v.a, v.big.sum())),
    ("frame", lambda: frame(10), lambda v: (v.describe(), v.groupby("c").sum(numeric_only=True))),
    ("big frame", lambda: frame(BIG), lambda v: (v.describe(), v.values, v.sum(numeric_only=True),
                                                 v["late"].sum(), v.sort_values("b"), v.iloc[3])),
    ("index", lambda: frame(BIG).set_index("d"),
     lambda v: (v.loc["2020-01-01 00:00:05"], v.index.is_unique, v.index.year, v.index[3] in v.index)),
    ("str index", lambda: frame(100).set_index("c"), lambda v: (v.loc["x"], v.index.get_indexer(["x"])
                                                                 if v.index.is_unique else 0)),
    ("multi index", lambda: frame(100).set_index(["a", "c"]), lambda v: (v.loc[3], v.loc[(3, "y")], v.index.codes)),
    ("categories", lambda: frame(BIG)["k"], lambda v: (v.value_counts(), v.cat.codes, v == "p")),
    ("sparse", sparse, lambda v: (v.sum(axis=0), v @ v.T, v[3], v.tocsc(), v.has_canonical_format)),
    ("sparse fit", sparse, lambda v: LogisticRegression(max_iter=5).fit(v, np.arange(500) % 2)),
    ("classifier", lambda: LogisticRegression().fit(X, Y), lambda v: (v.predict(X), repr(v), v._repr_html_())),
    ("forest", lambda: RandomForestClassifier(10, n_jobs=2).fit(X, Y), lambda v: (v.predict_proba(X), v.feature_importances_)),
    ("kmeans", lambda: KMeans(3, n_init=1).fit(X), lambda v: v.predict(X)),
    ("neighbours", lambda: KNeighborsClassifier().fit(X, Y), lambda v: v.predict(X)),
    ("tfidf", lambda: TfidfVectorizer(stop_words=["a"]).fit(["aa bb", "cc dd bb"]), lambda v: v.transform(["bb cc"])),
    ("xgboost", lambda: xgboost.XGBClassifier(n_estimators=5).fit(X, Y), lambda v: (v.predict(X), v.feature_importances_)),
    ("polars", lambda: pl.DataFrame({"a": range(BIG)}), lambda v: (v.sum(), v.filter(pl.col("a") > 3))),
    ("generator", lambda: np.random.default_rng(1), lambda v: v.bit_generator.state),
]  # fmt: skip


@pytest.mark.parametrize(("make", "read"), [r[1:] for r in READS], ids=[r[0] for r in READS])
def test_reading_is_no_change(make: Any, read: Any, tmp_path: Path) -> None:
    found, watch = watched(tmp_path, v=make())
    assert watch.changed() == set()
    read(found["v"])
    assert watch.changed() == set()
    assert watch.unknown == set()


def setitem(v: Any, key: Any, value: Any) -> None:
    v[key] = value


CHANGES: list[tuple[str, Callable[[], Any], Callable[[Any], object]]] = [
    ("array", lambda: np.arange(5), lambda v: setitem(v, 0, 9)),
    ("big array", lambda: np.arange(BIG), lambda v: setitem(v, BIG // 2, 9)),
    ("sort", np.arange(BIG)[::-1].copy, lambda v: v.sort()),
    ("list", lambda: [1, [2]], lambda v: v[1].append(3)),
    ("dict", lambda: {"a": {1}}, lambda v: v["a"].add(5)),
    ("object", Plain, lambda v: setattr(v, "new", 1)),
    ("object's array", Plain, lambda v: setitem(v.big, 3, 1)),
    ("frame", lambda: frame(10), lambda v: setitem(v, "new", 1)),
    ("cell", lambda: frame(10), lambda v: setitem(v.loc, (3, "b"), 9.0)),
    ("big cell", lambda: frame(BIG), lambda v: setitem(v.loc, (3, "b"), 9.0)),
    ("text cell", lambda: frame(BIG), lambda v: setitem(v.loc, (3, "c"), "z")),
    ("category", lambda: frame(BIG), lambda v: setitem(v.loc, (3, "k"), "q" if v.loc[3, "k"] == "p" else "p")),
    ("column names", lambda: frame(10), lambda v: setattr(v, "columns", list("ABCDEF"))),
    ("attrs", lambda: frame(10), lambda v: v.attrs.update(x=1)),
    ("dtype", lambda: frame(10), lambda v: setitem(v, "a", v["a"].astype("float64"))),
    ("order of columns", lambda: frame(10), lambda v: v.insert(0, "late", v.pop("late"))),
    ("rows", lambda: frame(BIG), lambda v: v.sort_values("b", ascending=False, inplace=True)),
    ("index name", lambda: frame(10).set_index("d"), lambda v: v.index.set_names("x", inplace=True) if hasattr(v.index, "set_names") else None),
    ("sparse", sparse, lambda v: v.data.__setitem__(0, 7)),
    ("refit", lambda: LogisticRegression().fit(X, Y), lambda v: v.fit(X, 1 - Y)),
    ("parameters", LogisticRegression, lambda v: v.set_params(C=5)),
    ("generator", lambda: np.random.default_rng(1), lambda v: v.random()),
    ("polars", lambda: pl.DataFrame({"a": range(BIG)}), lambda v: v.insert_column(0, pl.Series("b", range(BIG)))),
]  # fmt: skip


@pytest.mark.parametrize(("make", "change"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_a_change_is_seen(make: Any, change: Any, tmp_path: Path) -> None:
    found, watch = watched(tmp_path, v=make(), other=np.arange(BIG))
    change(found["v"])
    assert watch.changed() == {"v"}


@pytest.mark.parametrize(("make", "change"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_a_change_of_what_was_not_loaded_is_seen(make: Any, change: Any) -> None:
    value = make()
    watch = values.Watch({"v": value, "other": 1})
    assert watch.changed() == set()
    change(value)
    assert watch.changed() == {"v"}


def test_in_a_bundle_only_changed_values_are_reported(tmp_path: Path) -> None:
    shared: list[int] = []
    big = np.zeros(BIG)
    found, watch = watched(
        tmp_path, a=[shared, big], b=[shared, np.zeros(BIG)], c=[shared, big[:20_000]]
    )
    found["a"][1][BIG - 1] = 1
    assert watch.changed() == {"a"}
    found["a"][1][5] = 1
    assert watch.changed() == {"a", "c"}
    found["b"][0].append(1)
    assert watch.changed() == {"a", "b", "c"}


def test_what_was_put_back_is_no_change(tmp_path: Path) -> None:
    found, watch = watched(tmp_path, v=np.zeros(BIG))
    found["v"] += 1
    found["v"] -= 1
    assert watch.changed() == set()


def test_only_the_names_that_are_asked_for(tmp_path: Path) -> None:
    saved = save(tmp_path, a=[1], b=[2])
    loaded = [values.load(b.files) for b in saved.bundles]
    watch = values.Watch(loaded, names=["b"])
    loaded[0].values["a"].append(1)
    loaded[1].values["b"].append(1)
    assert watch.changed() == {"b"}


class Random:
    def __getstate__(self) -> dict[str, object]:
        return {"x": object(), "t": np.random.default_rng().random()}


class Fragile:
    bad = False

    def __reduce__(self) -> Any:
        if self.bad:
            raise ValueError
        return (Fragile, ())


def test_what_pickles_differently_each_time_is_unknown(tmp_path: Path) -> None:
    _, watch = watched(tmp_path, v=Random(), w=[1])
    assert watch.changed() == set()
    assert watch.unknown == {"v"}
    watch = values.Watch({"f": io.StringIO, "lock": __import__("threading").Lock()})
    assert watch.changed() == set()
    assert watch.unknown == {"lock"}


def test_what_can_no_longer_be_pickled_was_changed(tmp_path: Path) -> None:
    found, watch = watched(tmp_path, v=Fragile())
    found["v"].bad = True
    assert watch.changed() == {"v"}


def test_without_the_count_of_pages_buffers_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kfnb.step.values.mapped_memory._SMAPS", tmp_path / "none")
    found, watch = watched(tmp_path / "s", a=np.zeros(BIG), b=np.zeros(BIG))
    found["b"][7] = 1
    assert watch.changed() == {"b"}


class Node:
    """Leads back to itself, and remembers."""

    def __init__(self) -> None:
        self.me = [self]

    @functools.cached_property
    def size(self) -> int:
        return len(self.me)


def test_what_leads_back_to_itself(tmp_path: Path) -> None:
    found, watch = watched(tmp_path, v=Node())
    assert found["v"].size == 1
    assert watch.changed() == set()
    assert watch.unknown == set()
    found["v"].me.append(5)
    assert watch.changed() == {"v"}


def test_of_figures_nobody_can_tell(tmp_path: Path) -> None:
    figure = pytest.importorskip("matplotlib.figure")
    made = figure.Figure()
    made.subplots().plot([1, 2])
    found, watch = watched(tmp_path, alone=made, beside={"figure": figure.Figure(), "n": [1]})
    found["alone"].savefig(io.BytesIO())
    found["beside"]["figure"].savefig(io.BytesIO())
    assert watch.changed() == set()
    assert watch.unknown == {"alone", "beside"}
    found["beside"]["n"].append(2)
    assert watch.changed() == {"beside"}
