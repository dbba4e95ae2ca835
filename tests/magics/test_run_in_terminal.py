"""A run that is followed in a terminal's IPython, and left."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kfnb.api.run_view import RunView
from kfnb.magics.run_commands import _print_events
from tests.cli import scripted
from tests.cli.scripted import drive, made_run


@pytest.mark.parametrize("going", [True, False])
def test_a_run_that_was_left_has_not_ended(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, going: bool
) -> None:
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "home"))
    # Detaching is no failure: the code alone does not say whether the run has ended.
    monkeypatch.setattr("kfnb.commands.following.follow", lambda *_, **__: 0)
    run = made_run()
    script = [*scripted.LOADED, "go"] if going else scripted.SUCCEEDED
    driver = drive(run, *script)
    if not going:
        driver.wait()
    session: Any = SimpleNamespace(in_notebook=False)
    assert _print_events(session, RunView(run)) is not going
    driver.kill()
    driver.wait()
