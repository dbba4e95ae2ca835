"""The notebooks that the browser tests open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.desk import Desk

STEPS = ("load", "train", "check")


@dataclass(frozen=True)
class Gates:
    """Files for which the steps of a notebook wait, so that a test sees each state."""

    folder: Path

    def open(self, *steps: str) -> None:
        self.folder.mkdir(exist_ok=True)
        for step in steps:
            (self.folder / step).touch()


def training(desk: Desk, *, epochs: int = 40) -> tuple[Path, Gates]:
    """Three steps in a row, each behind its gate; cell 0 loads the extension."""
    gates = Gates(desk.folder.parent / f"{desk.folder.name}-gates")
    gates.folder.mkdir(exist_ok=True)
    wait = (
        "import math, pathlib, time\nimport kfnb\n\n"
        f"def gate(name, folder={str(gates.folder)!r}):\n"
        "    while not (pathlib.Path(folder) / name).exists():\n"
        "        time.sleep(0.02)"
    )
    train = (
        "gate('train')\n"
        "for epoch in range(epochs):\n"
        "    kfnb.log_metric('loss', math.exp(-rate * epoch), step=epoch)\n"
        "    kfnb.log_metric('accuracy', 1 - math.exp(-rate * epoch) / 2, step=epoch)\n"
        "    print(f'\\x1b[32mepoch {epoch}\\x1b[0m of {epochs}')\n"
        "model = {'rate': rate, 'rows': len(rows)}"
    )
    path = desk.notebook(
        ("skip", "%load_ext kfnb"),
        ("setup", wait),
        ("parameters", f"rate = 0.1\nepochs = {epochs}"),
        ("step:load", "gate('load')\nrows = list(range(1000))\nprint('loaded', len(rows), 'rows')"),
        ("step:train", train),
        ("step:check", "gate('check')\nprint('checked', model)"),
        name="training.ipynb",
    )
    return path, gates


def failing(desk: Desk) -> Path:
    """The second step fails in the third line of its cell; the last depends on it."""
    return desk.notebook(
        ("skip", "%load_ext kfnb"),
        ("parameters", "divisor = 0"),
        ("step:prepare", "numbers = [3, 1, 2]"),
        ("step:divide", "print('dividing')\n\nshares = [n / divisor for n in numbers]"),
        ("step:tell", "print(shares)"),
        name="failing.ipynb",
    )


def chain(desk: Desk, count: int, *, name: str = "chain.ipynb") -> Path:
    """``count`` steps in layers of 25; each reads two values of the layer before."""
    width = 25
    cells = []
    for n in range(count):
        above = [m for m in (n - width, n - width - 1) if m >= 0]
        cells.append((f"step:step {n}", f"v{n} = " + " + ".join(["1", *(f"v{m}" for m in above)])))
    return desk.notebook(("skip", "%load_ext kfnb"), *cells, name=name)
