"""The file that values are in: whole or refused, page-aligned, private once mapped."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from kfnb.step import values
from kfnb.step.values.bundles import container
from tests.step.values.round_trip import save


def saved_file(folder: Path) -> Path:
    saved = save(folder, a=np.arange(100_000), b={"x": np.zeros(5)})
    return saved.bundles[0].files[0]


@pytest.mark.parametrize("keep", [0, 5, 31, 40, 200, 4096, 400_000, -1])
def test_a_cut_file_is_refused(keep: int, tmp_path: Path) -> None:
    file = saved_file(tmp_path)
    os.truncate(file, keep if keep >= 0 else file.stat().st_size - 1)
    with pytest.raises(values.DamagedError, match="cut"):
        values.load([file])


def test_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"PK\3\4" + bytes(100))
    with pytest.raises(values.DamagedError, match="not a saved value"):
        values.load([file])
    file.write_bytes(b"kfnbval9" + bytes(100))
    with pytest.raises(values.DamagedError, match="another version"):
        values.load([file])


def test_large_buffers_are_page_aligned_and_small_ones_inside(tmp_path: Path) -> None:
    big = np.arange(100_000)
    saved = save(tmp_path, v=[big, np.zeros(10), big * 2])
    with container.mapped(saved.bundles[0].files[0]) as view:
        data = bytes(view)
    assert data.index(big.tobytes()) % container.PAGE == 0
    assert data.index((big * 2).tobytes()) % container.PAGE == 0
    loaded = values.load(saved.bundles[0].files)
    address = loaded.values["v"][0].__array_interface__["data"][0]
    assert loaded.span is not None
    assert loaded.span[0] <= address < loaded.span[1]


def test_a_bundle_without_large_buffers_is_not_mapped(tmp_path: Path) -> None:
    saved = save(tmp_path, v=[1, 2])
    assert values.load(saved.bundles[0].files).mapping is None


def test_the_same_values_give_the_same_file(tmp_path: Path) -> None:
    one, two = saved_file(tmp_path / "1"), saved_file(tmp_path / "2")
    assert one.read_bytes() == two.read_bytes()


def test_only_some_names(tmp_path: Path) -> None:
    x: list[int] = []
    saved = save(tmp_path, a=x, b=[x])
    assert values.load(saved.bundles[0].files, names=["b"]).values == {"b": [[]]}


def test_importing_is_quick_and_brings_nothing(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; import kfnb.step.values; "
        "print([m for m in ('numpy','pandas','polars','torch','IPython','nbformat') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
