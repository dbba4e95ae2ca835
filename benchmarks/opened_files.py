"""Measure what it costs that the files of a step are watched: one call, and the work of a step."""

from __future__ import annotations

import json
import os
import select
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kfnb.step.opened_files.listener import Listener
from kfnb.step.opened_files.seccomp_filter import watch_this_process

CALLS = 5_000
ROUNDS = 9

Measured = dict[str, float]


def one_call(folder: Path) -> Measured:
    """Measure an open (with its close) and a stat; microseconds each."""
    path = str(folder / "file")
    Path(path).touch()
    figures = {}
    for name, call in (
        ("an open", lambda: os.close(os.open(path, os.O_RDONLY))),
        ("a stat", lambda: os.stat(path)),
    ):
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        figures[name] = (time.perf_counter() - start) / CALLS * 1e6
    return figures


def work_of_a_step(folder: Path) -> Measured:
    """Measure a cell that reads, fits, writes and calls a shell; milliseconds."""
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    os.chdir(folder)
    start = time.perf_counter()
    frame = pd.DataFrame(np.random.default_rng(0).random((2_000, 8))).add_prefix("c")
    frame.to_csv("data.csv")
    frame.to_parquet("data.parquet")
    again = pd.read_parquet("data.parquet")
    LogisticRegression().fit(again, again["c0"] > 0.5)
    os.system("sort data.csv > sorted.csv")
    return {"the work of a step": (time.perf_counter() - start) * 1e3}


def in_a_child(measure: Callable[[Path], Measured], folder: Path, *, watched: bool) -> Measured:
    """Fork a child that measures, and answer its calls; CPU of that as ``listener``, in ms."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        descriptor = watch_this_process() if watched else os.open(os.devnull, os.O_RDONLY)
        socket.send_fds(theirs, [b"listener"], [descriptor])
        os.close(descriptor)
        theirs.send(json.dumps(measure(folder)).encode())
        os._exit(0)
    theirs.close()
    _, (descriptor,), *_ = socket.recv_fds(ours, 16, 1)
    start = time.process_time()
    if watched:
        listener = Listener(descriptor, folder / "report.txt")
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while not listener.finished:
            poll.poll()
            listener.answer()
        listener.close()
    else:
        os.close(descriptor)
    spent = (time.process_time() - start) * 1e3
    figures: Measured = json.loads(ours.recv(4096))
    ours.close()
    os.waitpid(child, 0)
    return {**figures, **({"listener": spent} if watched else {})}


def main() -> None:
    """Print medians of interleaved rounds as JSON: bare and watched."""
    # Loaded before the children are forked, as in a template.
    import pandas
    import pyarrow.parquet  # noqa: F401
    import sklearn.linear_model  # noqa: F401

    pandas.DataFrame({"a": [1]}).to_parquet(os.devnull)
    rounds: dict[str, dict[str, list[float]]] = {"bare": {}, "watched": {}}
    for measure in (one_call, work_of_a_step):
        for number in range(ROUNDS + 1):
            for who, seen in rounds.items():
                with tempfile.TemporaryDirectory() as folder:
                    figures = in_a_child(measure, Path(folder), watched=who == "watched")
                if not number:  # The first round fills the caches.
                    continue
                for name, value in figures.items():
                    key = f"listener, {measure.__name__}" if name == "listener" else name
                    seen.setdefault(key, []).append(value)
    json.dump(
        {who: {n: statistics.median(v) for n, v in seen.items()} for who, seen in rounds.items()},
        sys.stdout,
    )


def figures(measured: dict[str, Measured]) -> Iterator[tuple[str, float, str, str]]:
    """Yield (who, figure, unit, note) of what :func:`main` has printed."""
    bare, watched = measured["bare"], measured["watched"]
    for name in ("an open", "a stat"):
        yield f"{name}, bare", bare[name], "µs", ""
        yield f"{name}, watched", watched[name], "µs", f"{watched[name] - bare[name]:.1f} µs more"
    name = "the work of a step"
    more = f"{watched[name] - bare[name]:.1f} ms more"
    yield f"{name}, bare", bare[name], "ms", "pandas and scikit-learn loaded"
    yield f"{name}, watched", watched[name], "ms", more
    cpu = watched["listener, work_of_a_step"]
    yield "the listener, for the work of a step", cpu, "CPU-ms", ""


if __name__ == "__main__":
    main()
