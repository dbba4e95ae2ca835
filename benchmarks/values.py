"""Measure saving and loading 1 GB, compared with writing the bytes once."""

from __future__ import annotations

import os
import pickle
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

GB = 1_000_000_000


def figures(folder: Path) -> Iterator[tuple[str, float, str]]:
    """Yield (who, figure, unit), medians of three, everything written to disk durably."""
    import numpy as np
    import pandas as pd

    from kfnb.step import values

    array = np.random.default_rng(0).random(GB // 8)
    frame = pd.DataFrame(array.reshape(-1, 25), columns=[f"c{n}" for n in range(25)])
    target = folder / "bytes"

    def durable(write: Callable[[Path], object]) -> float:
        def once() -> float:
            target.unlink(missing_ok=True)
            start = time.perf_counter()
            write(target)
            with target.open("rb+") as file:
                os.fdatasync(file.fileno())
            return time.perf_counter() - start

        return statistics.median(once() for _ in range(3))

    def plain(path: Path) -> None:
        with path.open("wb", buffering=0) as file:
            view = memoryview(array).cast("B")
            while view:
                view = view[file.write(view) :]

    base = durable(plain)
    yield "the bytes, written once", base, "s wall"
    for name, value in (("array", array), ("frame", frame)):

        def dump(path: Path, value: object = value) -> None:
            with path.open("wb") as file:
                pickle.dump(value, file, protocol=4)

        times = []
        loads = []
        for n in range(3):
            staging = folder / f"{name}-{n}"
            staging.mkdir()
            start = time.perf_counter()
            saved = values.save({name: value}, folder=staging, definitions=(), origin=name)
            for bundle in saved.bundles:
                for file in bundle.files:
                    with file.open("rb+") as handle:
                        os.fdatasync(handle.fileno())
            times.append(time.perf_counter() - start)
            start = time.perf_counter()
            loaded = values.load(saved.bundles[0].files)
            loads.append(time.perf_counter() - start)
            del loaded
            for bundle in saved.bundles:
                for file in bundle.files:
                    file.unlink()
        yield f"kfnb, {name}: save and load", statistics.median(times), "s wall"
        yield f"kfnb, {name}: load alone", statistics.median(loads), "s wall"
        yield f"pickle, {name}: dump alone", durable(dump), "s wall"
