"""An argument travels through few files, and never up to a higher layer."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

import kfnb
from kfnb.cli.main import cli
from kfnb.home import RunFolder
from tests.cli import scripted
from tests.cli.scripted import log, made_run, write
from tests.desk import Desk
from tests.routes import Route, route_of


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KFNB_STEP", raising=False)
    run = made_run(tmp_path / "train.ipynb")
    write(run, *scripted.FAILED)
    log(run, "train", "some output\n")
    run.attempt("s1", 1).executed.write_text("{}")
    return run


def of_command(run: str, *words: str) -> Route:
    """The route of a run's name through a command, when its modules are imported already."""

    def call() -> None:
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
            cli.main(list(words), prog_name="kfnb")

    call()
    return route_of(call, run)


def test_the_name_of_a_run_in_status(finished: RunFolder) -> None:
    route = of_command(finished.id, "status", finished.id)
    assert route.files[0] == "cli/runs.py"
    assert len(route.files) <= 10, route
    assert not route.climbs


def test_the_name_of_a_run_in_notebook(finished: RunFolder) -> None:
    route = of_command(finished.id, "notebook", finished.id, "train")
    assert route.files[0] == "cli/runs.py"
    assert len(route.files) <= 8, route
    assert not route.climbs


def test_the_path_of_a_notebook_until_the_driver_starts(desk: Desk) -> None:
    path = desk.notebook(("step:load", "x = 1"), ("step:train", "print(x)"))
    route = route_of(lambda: kfnb.run(path), path.name, until="runners/launch.py:start_driver")
    assert "runners/launch.py" in route.files
    assert len(route.files) <= 12, route
    assert not route.climbs
