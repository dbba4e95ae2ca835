"""What cannot be saved is named: the value, the part of it, why, and what to do; the rest is saved."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kfnb.step import values
from kfnb.step.values.bundles import container
from tests.step.values.round_trip import load, save


class Holder:
    def __init__(self, **parts: Any) -> None:
        self.__dict__.update(parts)


class Slotted:
    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held


class Fails:
    def __getstate__(self) -> Any:
        raise ValueError("not today")


async def coroutine() -> None: ...


async def agen() -> Any:
    yield 1


def refusal(folder: Path, value: Any) -> values.Unsaveable:
    saved = save(folder, bad=value, good=[1])
    assert [list(b.names) for b in saved.bundles] == [["good"]]
    assert load(saved) == {"good": [1]}
    problem = saved.failed["bad"]
    assert problem.name == "bad"
    assert str(problem).endswith(".")
    return problem


def closing(value: Any) -> Any:
    return value


# ruff: noqa: SIM115 (open files are what these are about)
LEAVES = [
    ("generator", lambda: (n for n in range(3)), "list(...)"),
    ("async_generator", agen, "list(...)"),
    ("_thread.lock", threading.Lock, "__getstate__"),
    ("_thread.RLock", threading.RLock, "__getstate__"),
    ("threading.Condition", threading.Condition, "__getstate__"),
    ("threading.Thread", lambda: threading.Thread(target=print), "end in the step"),
    ("concurrent.ThreadPoolExecutor", ThreadPoolExecutor, "end in the step"),
    ("sqlite3.Connection", lambda: sqlite3.connect(":memory:"), "connect in the step"),
    ("socket.socket", socket.socket, "connect in the step"),
    ("_io.BufferedReader", lambda: Path(sys.executable).open("rb"), "assign its path"),
    ("_io.TextIOWrapper", lambda: Path(os.devnull).open("a+"), "assign its path"),
    ("asyncio._UnixSelectorEventLoop", asyncio.new_event_loop, "end in the step"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "make", "remedy"), LEAVES, ids=[leaf[0] for leaf in LEAVES])
def test_kinds(kind: str, make: Any, remedy: str, tmp_path: Path) -> None:
    value = make()
    problem = refusal(tmp_path, {"a": [Holder(callback=value)]})
    assert problem.type == kind.replace("asyncio._UnixSelectorEventLoop", problem.type)
    assert problem.path_in_value == "bad['a'][0].callback"
    what = "an open file" if isinstance(value, io.IOBase) else f"a {problem.type}"
    assert problem.reason == f"{what} cannot be passed to another step"
    assert remedy in problem.remedy
    if hasattr(value, "close"):
        value.close()


def test_coroutines(tmp_path: Path) -> None:
    value = coroutine()
    problem = refusal(tmp_path, value)
    assert problem.type == "coroutine"
    assert "Await it" in problem.remedy
    value.close()


def test_processes(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        problem = refusal(tmp_path, [process])
    assert (problem.type, problem.path_in_value) == ("subprocess.Popen", "bad[0]")


def test_display_handles(tmp_path: Path) -> None:
    from IPython.display import DisplayHandle

    assert "display" in refusal(tmp_path, DisplayHandle()).remedy


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda x: x, "bad"),
        (lambda x: (1, [x]), "bad[1][0]"),
        (lambda x: {"k": {2: x}}, "bad['k'][2]"),
        (Slotted, "bad.held"),
        (lambda x: np.array([None, x], dtype=object), "bad[1]"),
        (lambda x: np.array([[0, x]], dtype=object), "bad[(0, 1)]"),
        (lambda x: pd.DataFrame({"a": [1, 2], "b": [None, x]}), "bad['b'][1]"),
        (lambda x: __import__("functools").partial(print, x), "bad.args[0]"),
        (lambda x: __import__("collections").deque([1, x]), "bad[1]"),
        (lambda x: types.SimpleNamespace(steps=[0, Holder(callback=x)]), "bad.steps[1].callback"),
    ],
)
def test_paths(make: Any, path: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, make(threading.Lock())).path_in_value == path


def test_paths_in_functions_and_pipelines(step: Any, tmp_path: Path) -> None:
    a = step(
        "import threading\nfrom sklearn.pipeline import Pipeline\n"
        "from sklearn.preprocessing import FunctionTransformer\n"
        "def make(lock):\n    return lambda x: lock\n"
        "f = make(threading.Lock())\n"
        "pipeline = Pipeline([('a', FunctionTransformer()), ('b', FunctionTransformer(f))])\n"
        "def g(x=(n for n in [])): pass",
        save="f pipeline g",
    )
    failed = a.result["failed"]
    assert failed["f"].startswith(
        "f.<closure>.lock cannot be saved: a _thread.lock cannot be passed"
    )
    assert failed["pipeline"].startswith("pipeline.steps[1][1].func.<closure>.lock cannot be saved")
    assert failed["g"].startswith("g.__defaults__[0] cannot be saved")


def test_an_error_raised_by_the_users_class_is_reported(tmp_path: Path) -> None:
    problem = refusal(tmp_path, [1, Fails()])
    assert problem.path_in_value == "bad[1]"
    assert problem.reason.endswith("raised ValueError: not today")


def test_deep_structures_are_saved_and_too_deep_ones_refused(tmp_path: Path) -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    saved = save(tmp_path / "1", deep=deep)
    assert not saved.failed
    for _ in range(500_000):
        deep = [deep]
    saved = save(tmp_path / "2", deep=deep, good=1)
    assert "nested too deeply" in saved.failed["deep"].reason
    assert len(saved.bundles) == 1


def test_two_names_that_share_what_cannot_be_saved(tmp_path: Path) -> None:
    part = [threading.Lock()]
    saved = save(tmp_path, a=part, b={"x": part})
    assert {n: p.path_in_value for n, p in saved.failed.items()} == {"a": "a[0]", "b": "b['x'][0]"}


def test_a_full_disk_is_an_error_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    written = 0

    def full(descriptor: int, data: Any) -> int:
        nonlocal written
        written += len(data)
        if written > 600_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(container.os, "write", full)
    with pytest.raises(values.NoSpaceError, match="no space is left for a value of"):
        save(tmp_path, small=[1], large=np.zeros(100_000))
    assert list(tmp_path.iterdir()) == []


def test_out_of_memory_is_reported(tmp_path: Path) -> None:
    class Greedy:
        def __reduce__(self) -> Any:
            raise MemoryError

    problem = refusal(tmp_path, Greedy())
    assert "not enough memory" in problem.reason


def test_a_value_that_can_be_saved_but_not_loaded_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Page:
        def __setstate__(self, state: object) -> None:
            raise RuntimeError("a page cannot be made without its environment")

    Page.__module__, Page.__qualname__ = "pages", "Page"
    module = types.ModuleType("pages")
    module.Page = Page  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pages", module)
    page = Page()
    page.text = "x"  # type: ignore[attr-defined]
    saved = values.save({"page": page, "n": 1}, folder=tmp_path, definitions=(), origin="test")
    assert "without its environment" in saved.failed["page"].reason
    assert [bundle.names for bundle in saved.bundles] == [("n",)]
