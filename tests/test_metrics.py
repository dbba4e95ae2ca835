from __future__ import annotations

import decimal
import json
import math
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from kfnb import metrics
from kfnb.metrics import log_metric
from kfnb.step.execution.reporter import MetricReader


@pytest.fixture
def channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "metrics.jsonl"
    monkeypatch.setenv(metrics.CHANNEL, str(path))
    return path


def logged(path: Path) -> list[tuple[str, float, int | None]]:
    return [(m.name, m.value, m.step) for m in MetricReader(str(path)).read()]


@pytest.mark.parametrize(
    "value",
    [
        2,
        2.0,
        np.float32(2),
        np.int8(2),
        np.array(2.0),
        np.array([[2]]),
        decimal.Decimal(2),
    ],
)
def test_numbers_of_every_kind_are_logged(channel: Path, value: object) -> None:
    log_metric("loss", value, step=3)  # type: ignore[arg-type]
    assert logged(channel) == [("loss", 2.0, 3)]


def test_nan_and_infinities_are_carried(channel: Path) -> None:
    for value in (math.nan, math.inf, -math.inf):
        log_metric("loss", value)
    for line in channel.read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)
    nan, inf, minus = (value for _, value, _ in logged(channel))
    assert math.isnan(nan)
    assert (inf, minus) == (math.inf, -math.inf)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((1, 1), TypeError, "name"),
        (("", 1), ValueError, "empty"),
        (("a", "1"), TypeError, "real number, not str"),
        (("a", None), TypeError, "NoneType"),
        (("a", 1j), TypeError, "complex"),
        (("a", np.complex64(1)), TypeError, "real number"),
        (("a", np.array([1, 2])), ValueError, "2 of them"),
        (("a", np.array(["x"])), TypeError, "real number"),
        (("a", [1]), TypeError, "list"),
        (("a", 1, "x"), TypeError, "step"),
        (("a", 1, 1.5), TypeError, "whole number"),
    ],
)
def test_what_is_no_metric_is_refused(
    arguments: tuple[object, ...], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        log_metric(*arguments)  # type: ignore[arg-type]


def test_outside_of_a_step_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(metrics.CHANNEL, raising=False)
    log_metric("loss", 1, step=np.int64(4))
    assert capsys.readouterr() == ("", "")


def test_threads_and_subprocesses_log_too(channel: Path) -> None:
    threads = [
        threading.Thread(target=lambda: [log_metric("t", n) for n in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    subprocess.run(
        [sys.executable, "-c", "import kfnb.metrics as m; m.log_metric('p', 1)"], check=True
    )
    for thread in threads:
        thread.join()
    names = [name for name, _, _ in logged(channel)]
    assert (names.count("t"), names.count("p")) == (200, 1)


def test_the_tail_waits_for_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "m"
    tail = MetricReader(str(path))
    assert tail.read() == []
    path.write_text('[1.0, "a", 2, null]\n[1.0, "b"')
    assert [m.name for m in tail.read()] == ["a"]
    with path.open("a") as stream:
        stream.write(', 3, 7]\nnonsense\n{"x": 1}\n')
    assert [(m.name, m.step) for m in tail.read()] == [("b", 7)]
