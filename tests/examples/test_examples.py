"""Each example is the pipeline that its golden file says, and runs to its end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(p.stem for p in EXAMPLES.glob("*/*.ipynb") if p.stem == p.parent.name)


def kfnb(*words: str, cwd: Path, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kfnb.cli.main", *words],
        check=False,
        cwd=cwd,
        env={**os.environ, "KFNB_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )


def shown(name: str, home: Path) -> dict[str, Any]:
    result = kfnb("show", f"{name}.ipynb", "--json", cwd=EXAMPLES / name, home=home)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_the_pipeline_of_its_golden_file(name: str, tmp_path: Path) -> None:
    golden = EXAMPLES / name / "pipeline.json"
    pipeline = shown(name, tmp_path)
    if os.environ.get("KFNB_UPDATE_GOLDEN"):
        golden.write_text(json.dumps(pipeline, indent=2, ensure_ascii=False) + "\n")
    assert pipeline == json.loads(golden.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs_and_then_is_cached(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("*.csv"))
    source = (folder / f"{name}.ipynb").read_bytes()
    home = tmp_path / "home"

    first = kfnb("run", f"{name}.ipynb", cwd=folder, home=home)
    assert first.returncode == 0, first.stdout + first.stderr
    if int(version("pandas").partition(".")[0]) < 3:
        # There series share an index with what they were made from, which only a run shows:
        # the next one binds readers to the latest of those that share.
        assert kfnb("run", f"{name}.ipynb", cwd=folder, home=home).returncode == 0
    second = kfnb("run", f"{name}.ipynb", "--json", cwd=folder, home=home)
    assert second.returncode == 0, second.stdout + second.stderr

    events = [json.loads(line) for line in second.stdout.splitlines()]
    cached = {e["step"] for e in events if e["type"] == "StepCached"}
    assert cached == {step["name"] for step in shown(name, home)["steps"]}
    assert not any(e["type"] == "AttemptStarted" for e in events)
    assert (folder / f"{name}.ipynb").read_bytes() == source


@pytest.mark.slow
def test_the_feed_of_the_time_series_is_asked_twice(tmp_path: Path) -> None:
    folder = tmp_path / "timeseries"
    shutil.copytree(EXAMPLES / "timeseries", folder)
    result = kfnb("run", "timeseries.ipynb", "--json", cwd=folder, home=tmp_path / "home")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    attempts = [
        e["attempt"] for e in events if e["type"] == "AttemptStarted" and e["step"] == "holidays"
    ]
    assert attempts == [1, 2]
    assert (folder / "forecast.csv").exists()


def test_the_examples_ship_without_outputs() -> None:
    for path in EXAMPLES.glob("*/*.ipynb"):
        book = json.loads(path.read_text())
        assert all(not cell.get("outputs") for cell in book["cells"]), "ship no outputs"
        assert book["nbformat"] == 4
