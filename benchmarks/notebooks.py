"""Writes the notebooks to be measured, anew for each run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def write(path: Path, cells: Sequence[tuple[Sequence[str], str]]) -> Path:
    """Write a notebook of code cells, each given as (tags, source)."""
    made: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"cell-{n}",
            "metadata": {"tags": list(tags)},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for n, (tags, source) in enumerate(cells)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    book = {"cells": made, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(book))
    return path


def chain(path: Path, length: int, *, kale: bool = False) -> Path:
    """Write ``length`` trivial steps, each of which needs the previous one."""
    step, after = ("step", "prev") if kale else ("step", "after")
    cells: list[tuple[list[str], str]] = [([f"{step}:s0"], "x0 = 0")]
    cells.extend(
        ([f"{step}:s{n}", f"{after}:s{n - 1}"], f"x{n} = x{n - 1} + 1") for n in range(1, length)
    )
    return write(path, cells)


def wide(path: Path, width: int, seconds: float) -> Path:
    """Write ``width`` independent steps that sleep."""
    cells = [
        ([f"step:s{n}"], f"import time\ntime.sleep({seconds})\ny{n} = {n}") for n in range(width)
    ]
    return write(path, cells)


def plain(folder: Path, count: int, *, seconds: float | None = None) -> list[Path]:
    """Write ``count`` notebooks of one trivial cell each, as for papermill and Ploomber."""
    source = "x = 0" if seconds is None else f"import time\ntime.sleep({seconds})"
    # Ploomber requires a cell tagged "parameters", and counts a notebook without it as changed.
    cells = [(("parameters",), "upstream = None\nproduct = None"), ((), source)]
    return [write(folder / f"n{n}.ipynb", cells) for n in range(count)]


def realistic(path: Path, *, kale: bool = False) -> Path:
    """Write ten steps of realistic code, which is only read."""
    step, after = ("step", "prev") if kale else ("step", "after")
    imports = "import numpy as np\nimport pandas as pd\nfrom sklearn.linear_model import Ridge"
    cells: list[tuple[list[str], str]] = [
        (["imports"], imports),
        (["pipeline-parameters"], "alpha = 1.0\nrows = 1000"),
        (
            [f"{step}:load"],
            (
                "frame = pd.DataFrame({'a': np.arange(rows), 'b': np.ones(rows)})\n"
                "frame['c'] = frame.a * 2 + frame.b"
            ),
        ),
        (
            [f"{step}:clean", f"{after}:load"],
            (
                "clean = frame.dropna().copy()\n"
                "for name in ('a', 'b'):\n    clean[name] = clean[name] / 2"
            ),
        ),
    ]
    cells.extend(([f"{step}:model{n}", f"{after}:clean"], _model(n)) for n in range(6))
    everyone = [f"{after}:model{n}" for n in range(6)]
    cells.append(
        (
            [f"{step}:compare", *everyone],
            "scores = {" + ", ".join(f"'m{n}': score{n}" for n in range(6)) + "}\n"
            "best = max(scores, key=scores.get)",
        )
    )
    cells.append(([f"{step}:report", f"{after}:compare"], "print(best, scores[best])"))
    return write(path, cells)


def _model(n: int) -> str:
    return (
        f"def fit{n}(data, alpha):\n    model = Ridge(alpha=alpha)\n"
        f"    return model.fit(data[['a', 'b']], data['c'])\n\n"
        f"model{n} = fit{n}(clean, alpha * {n + 1})\n"
        f"score{n} = model{n}.score(clean[['a', 'b']], clean['c'])"
    )
