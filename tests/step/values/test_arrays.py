"""numpy values survive: type, dtype, contents, layout, whether they may be written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.step.values.round_trip import trip

DTYPES = st.one_of(
    hnp.scalar_dtypes(),
    hnp.array_dtypes(max_size=3),
    hnp.nested_dtypes(max_leaves=4),
)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


def same_bytes(one: np.ndarray, two: np.ndarray) -> bool:
    return one.tobytes() == two.tobytes()


@settings(max_examples=150, deadline=None)
@given(
    data=hnp.arrays(dtype=DTYPES, shape=SHAPES),
    order=st.sampled_from(["C", "F", "swap", "reverse", "step"]),
    writeable=st.booleans(),
)
def test_any_array(data: np.ndarray, order: str, writeable: bool) -> None:
    if order == "F":
        data = np.asfortranarray(data)
    elif order == "swap" and data.ndim > 1:
        data = data.swapaxes(0, 1)
    elif order == "reverse" and data.ndim:
        data = data[::-1]
    elif order == "step" and data.ndim:
        data = data[::2]
    data = data.view()
    data.flags.writeable = writeable
    loaded = trip(data)
    assert type(loaded) is np.ndarray
    assert loaded.dtype == data.dtype
    assert loaded.dtype.byteorder == data.dtype.byteorder
    assert loaded.shape == data.shape
    assert same_bytes(loaded, data)
    if data.flags.c_contiguous or data.flags.f_contiguous:
        assert loaded.flags.f_contiguous == data.flags.f_contiguous or data.size < 2
    if data.size:
        assert loaded.flags.writeable == writeable


@pytest.mark.parametrize("size", [10, 100_000])
@pytest.mark.parametrize(
    "make",
    [
        lambda n: np.arange(n * 6).reshape(n, 6),
        lambda n: np.arange(n * 6).reshape(n, 6, order="F"),
        lambda n: np.arange(n * 6).reshape(n, 2, 3).transpose(1, 0, 2),
        lambda n: np.arange(n * 6).reshape(n, 6)[::-1, ::-2],
        lambda n: np.arange(n * 6)[::-1],
        lambda n: np.arange(n).astype(">i8"),
        lambda n: np.arange(n).astype("datetime64[s]"),
        lambda n: np.arange(n).astype("timedelta64[ns]"),
        lambda n: np.arange(n).astype(np.float16),
        lambda n: np.arange(n).astype(complex),
        lambda n: np.array([f"é{i}" for i in range(n)]),
        lambda n: np.array([f"{i}".encode() for i in range(n)]),
        lambda n: np.zeros(n, dtype=[("a", "i4"), ("b", "f8", (2,))]),
        lambda n: np.lib.stride_tricks.sliding_window_view(np.arange(n), 5),
        lambda n: np.broadcast_to(np.arange(3), (n, 3)),
    ],
)
def test_layout_and_contents_of_small_and_large(make, size: int) -> None:
    array = make(size)
    loaded = trip(array)
    assert loaded.dtype == array.dtype
    assert loaded.shape == array.shape
    np.testing.assert_array_equal(loaded, array)
    assert loaded.flags.writeable == array.flags.writeable
    order = [np.argsort(np.abs(a.strides), kind="stable").tolist() for a in (loaded, array)]
    assert order[0] == order[1]


def test_what_repeats_elements_is_not_blown_up(tmp_path: Path) -> None:
    from tests.step.values.round_trip import save

    saved = save(tmp_path, a=np.broadcast_to(np.float64(1), (10_000, 10_000)))
    assert saved.bundles[0].size < 10_000


def test_objects_in_arrays() -> None:
    array = np.array([1, "two", None, [3], {"four": 4}], dtype=object)
    loaded = trip(array)
    assert loaded.dtype == object
    assert loaded.tolist() == array.tolist()
    records = np.array([(1, [2])], dtype=[("a", "i4"), ("b", object)])
    assert trip(records).tolist() == [(1, [2])]


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="numpy 2 has them")
def test_variable_width_strings() -> None:
    array = np.array(["a", "longer " * 20, ""], dtype=np.dtypes.StringDType())
    loaded = trip(array)
    assert loaded.dtype == array.dtype
    assert loaded.tolist() == array.tolist()


@pytest.mark.parametrize("value", [np.float32(1.5), np.int8(-3), np.datetime64("2020-01-01", "D"),
                                   np.bool_(True), np.str_("x"), np.void(b"abc"), np.complex64(1j),
                                   np.longdouble("1.1")])  # fmt: skip
def test_scalars(value: np.generic) -> None:
    loaded = trip(value)
    assert type(loaded) is type(value)
    assert loaded == value
    assert loaded.dtype == value.dtype


@pytest.mark.parametrize("size", [5, 50_000])
def test_masked_arrays(size: int) -> None:
    array = np.ma.MaskedArray(np.arange(size), mask=np.arange(size) % 3 == 0, fill_value=-7)
    array.harden_mask()
    loaded = trip(array)
    assert type(loaded) is np.ma.MaskedArray
    assert loaded.fill_value == -7
    assert loaded.hardmask
    np.testing.assert_array_equal(loaded.mask, array.mask)
    np.testing.assert_array_equal(loaded.data, array.data)
    assert trip(np.ma.array([1, 2])).mask is np.ma.nomask
    assert trip(np.ma.masked) is np.ma.masked


def test_matrix_record_array_and_memory_map(tmp_path: Path) -> None:
    assert type(trip(np.matrix([[1, 2]]))) is np.matrix
    records = np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    loaded = trip(records)
    assert type(loaded) is np.recarray
    assert loaded.a.tolist() == [1]
    mapped = np.memmap(tmp_path / "m", dtype="f8", mode="w+", shape=(20_000,))
    mapped[:] = 3
    loaded = trip(mapped)
    assert type(loaded) is np.memmap
    assert loaded.sum() == 60_000
    loaded[0] = 9
    assert mapped[0] == 3


def test_random_generators_go_on_where_they_were() -> None:
    rng = np.random.default_rng(3)
    rng.random(7)
    assert trip(rng).random() == rng.random()
    state = np.random.RandomState(5)
    assert trip(state).rand() == state.rand()


def test_the_global_generator_stays_the_global_one() -> None:
    import random

    assert trip(np.random.mtrand._rand) is np.random.mtrand._rand
    assert trip([random.shuffle])[0].__self__ is random._inst


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_loaded_array_is_changed_in_place_and_the_file_stays(size: int, tmp_path: Path) -> None:
    from kfnb.step import values
    from tests.step.values.round_trip import save

    saved = save(tmp_path, a=np.zeros(size))
    (file,) = saved.bundles[0].files
    before = file.read_bytes()
    loaded = values.load([file]).values["a"]
    loaded += 1
    assert file.read_bytes() == before
    assert values.load([file]).values["a"].sum() == 0
