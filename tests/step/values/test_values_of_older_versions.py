"""Values that an older kfnb saved still load: caches and old runs outlive an upgrade.

A pickle names the functions that rebuild its values by module path, so these must stay where they
are. The files in ``saved_by_0_1`` were written by the first version.
"""

from __future__ import annotations

import importlib
import json
import pickletools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from kfnb.step import values
from kfnb.step.values.bundles import container

SAVED = Path(__file__).with_name("saved_by_0_1")

REBUILDERS = [
    "kfnb.step.values.arrays.view",
    "kfnb.step.values.arrays.view_objects",
    "kfnb.step.values.classes.make_class",
    "kfnb.step.values.classes.set_state",
    "kfnb.step.values.functions.cached",
    "kfnb.step.values.functions.lookup",
    "kfnb.step.values.functions.make",
    "kfnb.step.values.functions.set_state",
    "kfnb.step.values.polars_codec.columns",
    "kfnb.step.values.polars_codec.frame",
    "kfnb.step.values.polars_codec.objects",
    "kfnb.step.values.polars_codec.series",
    "kfnb.step.values.subarrays.masked",
    "kfnb.step.values.subarrays.plain",
    "kfnb.step.values.tensors.make",
]


newer_numpy = pytest.mark.skipif(
    int(np.__version__.split(".")[0]) < 2, reason="the files were written with numpy 2"
)


def load(name: str) -> dict[str, Any]:
    return values.load([SAVED / name]).values


def names_in(file: Path) -> set[str]:
    """Return the functions of kfnb that a saved file refers to."""
    pickled, _, _ = container.read(file)
    texts: list[str] = []
    memo: dict[int, str] = {}
    found = set()
    for opcode, argument, _ in pickletools.genops(bytes(pickled)):
        if "UNICODE" in opcode.name:
            texts.append(str(argument))
        elif opcode.name == "MEMOIZE":
            memo[len(memo)] = texts[-1] if texts else ""
        elif "BINGET" in opcode.name:
            texts.append(memo[int(str(argument))])
        elif opcode.name == "STACK_GLOBAL":
            found.add(".".join(texts[-2:]))
    return {name for name in found if name.startswith("kfnb.")}


@pytest.mark.parametrize("name", REBUILDERS)
def test_a_function_that_saved_files_name_stays_where_it_is(name: str) -> None:
    module, _, function = name.rpartition(".")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("file", sorted(SAVED.iterdir()), ids=lambda file: file.stem)
def test_the_list_of_these_functions_is_complete(file: Path) -> None:
    assert names_in(file) <= set(REBUILDERS)


def test_new_files_name_no_other_functions(tmp_path: Path) -> None:
    base = np.arange(8_200.0)
    record = np.zeros(2, dtype=[("a", "i4")]).view(np.recarray)
    made = [base, base[-10:], np.matrix([[1]]), record, np.ma.MaskedArray([1], mask=[1])]
    frames = [pl.DataFrame({"a": [1]}), pl.Series("s", [1.5])]
    saved = values.save(
        {"made": made, "frames": frames}, folder=tmp_path, definitions=(), origin=""
    )
    assert {name for file in tmp_path.iterdir() for name in names_in(file)} <= set(REBUILDERS)
    assert len(saved.bundles) == 2


@newer_numpy
def test_arrays_keep_sharing_their_memory() -> None:
    found = load("arrays.kfnb")
    base, tail, column = found["base"], found["tail"], found["column"]
    assert base.tolist() == list(np.arange(8_200.0))
    base[-1] = -1
    base[0] = -2
    assert (tail[-1], column[0]) == (-1, -2)
    assert found["both"][0] is base
    assert found["dates"].tolist() == np.array(["2026-01-01", "2026-01-02"], "M8[D]").tolist()


@newer_numpy
def test_arrays_of_objects_keep_sharing_theirs() -> None:
    found = load("objects.kfnb")
    found["objects"][1] = "other"
    assert found["last"].tolist() == ["other", None]


@newer_numpy
def test_subclasses_of_arrays_keep_their_types() -> None:
    masked, matrix, record = load("subclasses.kfnb")["values"]
    assert masked.filled(0).tolist() == [1, 0, 3]
    assert type(matrix) is np.matrix
    assert record.a.tolist() == [0, 0]


def test_polars_frames_and_series_load() -> None:
    frame, series = load("polars.kfnb")["values"]
    assert frame.equals(pl.DataFrame({"a": [1, 2]}))
    assert series.to_list() == [1.5]


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the bytecode in it is Python 3.11's")
def test_functions_and_classes_of_a_notebook_work() -> None:
    code = f"""
import json
from pathlib import Path
from kfnb.step import values
def helper(x):
    return x + 10
add, model, square, call = values.load([Path({str(SAVED / "notebook-py311.kfnb")!r})]).values["values"]
first, also = values.load([Path({str(SAVED / "definitions.kfnb")!r})]).values["values"]
print(json.dumps([add(2), add(3), model.predict(2), square(4), call(1), first is helper, also]))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout) == [2, 5, 6, 16, 11, True, {"model": "by name"}]
