"""The rows of the table: the costs of kfnb and of other tools, measured in the same run."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import hard_notebooks, notebooks, peers
from .measure import Cost, cost, end_lasting_processes, median

KFNB = [sys.executable, "-m", "kfnb.cli.main"]
CHAIN = 20
ROUNDS = 5
WIDE, SLEEP, PARALLEL = 40, 1.0, 8


@dataclass(frozen=True)
class Figure:
    """A figure: the tool, the amount and its unit."""

    who: str
    value: float
    unit: str
    note: str = ""


Row = Callable[[Path], Iterator[Figure]]


def _home(folder: Path) -> dict[str, str]:
    # The supervisor leaves with the run, so that its processor time and its templates' are counted.
    return {"KFNB_HOME": str(folder / "home"), "KFNB_SUPERVISOR_IDLE": "0"}


def _per_step(who: str, spent: Cost, steps: int, note: str = "") -> Iterator[Figure]:
    yield Figure(who, spent.wall / steps, "s wall a step", note)
    yield Figure(who, spent.cpu / steps, "CPU-s a step", note)


def chain(folder: Path) -> Iterator[Figure]:
    """Measure a chain of 20 trivial steps: wall time and CPU per step."""
    book = notebooks.chain(folder / "chain.ipynb", CHAIN)
    run = [*KFNB, "run", book, "--no-cache"]
    # The supervisor and its templates stay, as they do for somebody who works on a notebook.
    env = {"KFNB_HOME": str(folder / "home"), "KFNB_SUPERVISOR_IDLE": "600", "CI": ""}
    cost(run, cwd=folder, env=env, lasting=True)
    ours = [cost(run, cwd=folder, env=env, lasting=True) for _ in range(ROUNDS)]
    end_lasting_processes()
    yield from _per_step("kfnb", median(ours), CHAIN, "templates are there")
    first = [cost(run, cwd=folder, env=_home(folder)) for _ in range(ROUNDS)]
    yield from _per_step("kfnb", median(first), CHAIN, "templates are made and counted")
    books = notebooks.plain(folder / "plain", CHAIN)
    out = folder / "out"
    out.mkdir()
    papermill = [peers.python("papermill"), peers.program("run_papermill"), out, *books]
    yield from _per_step("papermill", cost(papermill, cwd=folder), CHAIN, "one process, sequential")
    kfp = [peers.python("kfp"), peers.program("run_kfp"), "chain", CHAIN, 0]
    yield from _per_step(
        "kfp.local", cost(_str(kfp), cwd=folder), CHAIN, "no kernel, plain functions"
    )
    ploomber = [peers.python("ploomber"), peers.program("run_ploomber"), "chain", out, 1, *books]
    yield from _per_step("Ploomber", cost(_str(ploomber), cwd=folder), CHAIN)


def wide(folder: Path) -> Iterator[Figure]:
    """Measure 40 steps that sleep one second, 8 at once: wall time compared with the ideal 5 s."""
    ideal = WIDE * SLEEP / PARALLEL
    book = notebooks.wide(folder / "wide.ipynb", WIDE, SLEEP)
    run = [*KFNB, "run", book, "--no-cache", "--parallel", str(PARALLEL)]
    ours = median([cost(run, cwd=folder, env=_home(folder)) for _ in range(ROUNDS)])
    yield Figure("kfnb", ours.wall / ideal, "× ideal", "templates are made and counted")
    kfp = [peers.python("kfp"), peers.program("run_kfp"), "wide", WIDE, SLEEP]
    yield Figure(
        "kfp.local", cost(_str(kfp), cwd=folder).wall / ideal, "× ideal", "siblings run serially"
    )
    books = notebooks.plain(folder / "plain", WIDE, seconds=SLEEP)
    out = folder / "out"
    out.mkdir()
    ploomber = [
        peers.python("ploomber"),
        peers.program("run_ploomber"),
        "wide",
        out,
        PARALLEL,
        *books,
    ]
    yield Figure("Ploomber", cost(_str(ploomber), cwd=folder).wall / ideal, "× ideal")
    papermill = [peers.python("papermill"), peers.program("run_papermill"), out, *books]
    yield Figure("papermill", cost(papermill, cwd=folder).wall / ideal, "× ideal", "sequential")


def check(folder: Path) -> Iterator[Figure]:
    """`kfnb check` of a ten-step notebook, the whole process, compared with Kale's compiler."""
    book = notebooks.realistic(folder / "ten.ipynb")
    kale_book = notebooks.realistic(folder / "kale.ipynb", kale=True)
    ours = [cost([*KFNB, "check", book], cwd=folder, env=_home(folder)) for _ in range(5)]
    yield Figure("kfnb check", median(ours).cpu, "CPU-s")
    kale = [peers.python("kale").with_name("kale"), "--nb", kale_book]
    yield Figure("Kale compile", median([cost(kale, cwd=folder) for _ in range(3)]).cpu, "CPU-s")


def cached(folder: Path) -> Iterator[Figure]:
    """Measure a run of 100 steps in which every result comes from the cache."""
    book = notebooks.chain(folder / "hundred.ipynb", 100)
    run = [*KFNB, "run", book]
    cost(run, cwd=folder, env=_home(folder))
    again = median([cost(run, cwd=folder, env=_home(folder)) for _ in range(3)])
    yield Figure("kfnb, 100 steps", again.wall, "s wall")
    yield Figure("kfnb, 100 steps", again.cpu, "CPU-s")
    books = notebooks.plain(folder / "plain", 3)
    out = folder / "out"
    out.mkdir()
    ploomber = [peers.python("ploomber"), peers.program("run_ploomber"), "chain", out, 1, *books]
    cost(_str(ploomber), cwd=folder)
    up_to_date = median([cost(_str(ploomber), cwd=folder) for _ in range(3)])
    yield Figure("Ploomber, 3 notebooks", up_to_date.wall, "s wall")


def overhead(folder: Path) -> Iterator[Figure]:
    """Measure the examples: wall time, and the critical path of user code."""
    examples = Path(__file__).resolve().parent.parent / "examples"
    for name in ("digits", "timeseries"):
        book = examples / name / f"{name}.ipynb"
        env = _home(folder / name)
        whole = cost([*KFNB, "run", book, "--no-cache"], cwd=folder, env=env)
        yield Figure(f"kfnb, {name}", whole.wall, "s wall")
        yield Figure(f"kfnb, {name}", _critical_path(env), "s critical path")
        out = folder / f"{name}-out.ipynb"
        linear = [sys.executable, "-m", "papermill", "--no-progress-bar", book, out]
        yield Figure(f"papermill, {name}", cost(linear, cwd=book.parent).wall, "s wall", "linear")


def first(folder: Path) -> Iterator[Figure]:
    """Measure the examples' first run, without any template yet, beside papermill's linear run."""
    examples = Path(__file__).resolve().parent.parent / "examples"
    for name in ("digits", "timeseries"):
        book = examples / name / f"{name}.ipynb"
        out = folder / f"{name}-out.ipynb"
        linear = _str([sys.executable, "-m", "papermill", "--no-progress-bar", book, out])
        ours, theirs = [], []
        for number in range(ROUNDS):
            env = _home(folder / f"{name}-{number}")
            ours.append(cost([*KFNB, "run", book], cwd=folder, env=env))
            theirs.append(cost(linear, cwd=book.parent))
        ratio = median(ours).wall / median(theirs).wall
        yield Figure(f"{name}, kfnb beside papermill", ratio, "× linear, wall")
        ratio = median(ours).cpu / median(theirs).cpu
        yield Figure(f"{name}, kfnb beside papermill", ratio, "× linear, CPU")


def _critical_path(env: dict[str, str]) -> float:
    """Return the longest chain of cell times in the newest run, in seconds."""
    journal = max((Path(env["KFNB_HOME"]) / "runs").glob("*/journal.jsonl"))
    pipeline = json.loads((journal.parent / "pipeline.json").read_text())
    spent: dict[str, float] = {}
    for line in journal.read_text().splitlines():
        event = json.loads(line)
        if event["type"] == "CellFinished":
            spent[event["step"]] = spent.get(event["step"], 0.0) + event["data"]["duration"]
    longest: dict[str, float] = {}
    for step in sorted(pipeline["steps"].values(), key=lambda s: s["order"]):
        before = [longest[e["source"]] for e in pipeline["edges"] if e["target"] == step["name"]]
        longest[step["name"]] = spent.get(step["name"], 0.0) + max(before, default=0.0)
    return max(longest.values())


def values(folder: Path) -> Iterator[Figure]:
    """Measure passing an array and a frame of 1 GB, compared with writing the bytes once."""
    from .values import figures

    yield from (Figure(*figure) for figure in figures(folder))


def engine(_folder: Path) -> Iterator[Figure]:
    """Measure the engine with 10,000 steps: time per decision, and memory."""
    from .engine import figures

    yield from (Figure(*figure) for figure in figures())


def imports(folder: Path) -> Iterator[Figure]:
    """Measure `import kfnb` and `import kale`, without Python's own start."""

    def importing(python: str | Path, module: str) -> float:
        code = (
            f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
        )
        base = [cost([python, "-c", "pass"], cwd=folder) for _ in range(5)]
        full = [cost([python, "-c", code], cwd=folder) for _ in range(5)]
        return median(full).cpu - median(base).cpu

    yield Figure("import kfnb", importing(sys.executable, "kfnb"), "CPU-s")
    yield Figure("import kale", importing(peers.python("kale"), "kale"), "CPU-s")


def extension(folder: Path) -> Iterator[Figure]:
    """Measure `%load_ext kfnb` in IPython."""
    code = (
        "import ipykernel.zmqshell, time\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "start = time.process_time()\n"
        "shell.run_line_magic('load_ext', 'kfnb')\n"
        "print(time.process_time() - start)"
    )
    spent = []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, text=True
        )
        spent.append(float(done.stdout.split()[-1]))
    yield Figure("%load_ext kfnb", statistics.median(spent), "CPU-s")


def paint(_folder: Path) -> Iterator[Figure]:
    """Measure the graph in Chromium: first picture, layout, and an update."""
    from .page import paint

    yield from (Figure(*row) for row in paint())


def watching(folder: Path) -> Iterator[Figure]:
    """Watch a run of 200 steps in JupyterLab: the kernel's CPU, and delay to the pixel."""
    from .page import watching

    yield from (Figure(*row) for row in watching(folder))


def kubernetes(folder: Path) -> Iterator[Figure]:
    """Measure on the tests' cluster: a chain, many steps at once, and a driver of 500 steps."""
    from .cluster import figures

    yield from (Figure(*row) for row in figures(folder))


def _str(command: list[object]) -> list[str]:
    return [os.fspath(part) if isinstance(part, Path) else str(part) for part in command]


def read(folder: Path) -> Iterator[Figure]:
    """Measure reading notebooks of 200 cells of 30 lines, each hard in one way."""
    worst: dict[str, tuple[float, str]] = {}
    for name in hard_notebooks.HARD:
        book = hard_notebooks.hard(folder, name)
        command = [sys.executable, "-m", "benchmarks.reading", str(book)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        for when, seconds in json.loads(done.stdout).items():
            worst[when] = max(worst.get(when, (0.0, "")), (seconds, name))
            yield Figure(f"kfnb.read, {name}, {when}", seconds, "CPU-s")
    for when, (seconds, name) in worst.items():
        yield Figure(f"kfnb.read, worst, {when}", seconds, "CPU-s", name)


def opens(_folder: Path) -> Iterator[Figure]:
    """Measure what it costs that files are watched (Linux): an open, a stat, and a step's work."""
    from .opened_files import figures

    command = [sys.executable, "-m", "benchmarks.opened_files"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    yield from (Figure(*figure) for figure in figures(json.loads(done.stdout)))


def page(_folder: Path) -> Iterator[Figure]:
    """Measure panning 1,000 steps, a minute of 1,000 events a second, and the scripts' sizes."""
    from .page_limits import limits

    yield from (Figure(*row) for row in limits())


def server(_folder: Path) -> Iterator[Figure]:
    """Measure the extension of the Jupyter server: its start, and pauses of the event loop."""
    command = [sys.executable, "-m", "benchmarks.server_load"]
    started: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(5):
        for which, times in started.items():
            done = subprocess.run(
                [*command, "start", which], capture_output=True, text=True, check=True, timeout=300
            )
            times.append(float(done.stdout.split()[-1]))
    added = min(started["with"]) - min(started["without"])
    yield Figure("the server's start, added", added, "ms CPU")
    done = subprocess.run(
        [*command, "pause"], capture_output=True, text=True, check=True, timeout=300
    )
    (line,) = [one for one in done.stdout.splitlines() if one.startswith("FIGURES ")]
    for when, (wall, own, cpu) in json.loads(line.removeprefix("FIGURES ")).items():
        yield Figure("the event loop, longest pause", wall, "ms", when)
        yield Figure("the event loop, longest pause with a free core", own, "ms", when)
        yield Figure("the event loop, longest callback", cpu, "ms CPU", when)


def panel(folder: Path) -> Iterator[Figure]:
    """Measure JupyterLab's side panel: from an edit to its rows and its graph, and scrolling."""
    from .side_panel import side_panel

    for who, value, unit, note in side_panel(folder):
        yield Figure(who, value, unit, note)


ROWS: dict[str, Row] = {
    "chain": chain,
    "wide": wide,
    "first": first,
    "overhead": overhead,
    "check": check,
    "read": read,
    "cached": cached,
    "values": values,
    "engine": engine,
    "imports": imports,
    "extension": extension,
    "opens": opens,
    "paint": paint,
    "watching": watching,
    "page": page,
    "server": server,
    "panel": panel,
    "kubernetes": kubernetes,
}
IN_A_BROWSER = ("paint", "watching", "page", "server", "panel")
"""Rows that need Chromium or a Jupyter server, and the extra ``browser``."""
ON_A_CLUSTER = ("kubernetes",)
"""Rows that need root on Linux and Go, for the tests' Kubernetes."""
