"""A process of this machine drives a run, or mirrors the driver that the run has elsewhere."""

from __future__ import annotations

import pytest

from kfnb.engine.driver_requests import Request, send_request
from kfnb.engine.journal.segment_journal import JournalLost
from kfnb.home import RunFolder
from kfnb.runners import is_driven
from kfnb.runners.kubernetes.driver import roles
from kfnb.runners.kubernetes.driver.remote_driver import DriverGone


@pytest.fixture
def run(tmp_path):
    (tmp_path / "r" / "control").mkdir(parents=True)
    return RunFolder(tmp_path / "r")


def gone(*_arguments, **_options):
    raise DriverGone("nothing drives the run")


def test_a_run_without_driver_is_stopped_from_here_and_seems_driven_all_the_time(run, monkeypatch):
    held = []
    monkeypatch.setattr(roles, "drives_in_cluster", lambda _: True)
    monkeypatch.setattr(roles, "follow", gone)
    monkeypatch.setattr(roles, "drive", lambda run, *_: held.append(is_driven(run)) or "cancelled")
    with pytest.raises(DriverGone):
        roles.drive_or_follow(run, None, {})
    send_request(run, Request("stop"))
    assert roles.drive_or_follow(run, None, {}) == "cancelled"
    assert held == [True]
    assert not is_driven(run)


def test_an_overtaken_driver_follows_the_one_that_overtook_it(run, monkeypatch):
    def lost(*_):
        raise JournalLost(run.journal)

    followed = []
    monkeypatch.setattr(roles, "drives_in_cluster", lambda _: False)
    monkeypatch.setattr(roles, "is_driven_by_another_machine", lambda *_: False)
    monkeypatch.setattr(roles, "drive", lost)
    monkeypatch.setattr(
        roles, "follow", lambda *_, in_cluster: followed.append(in_cluster) or "succeeded"
    )
    assert roles.drive_or_follow(run, None, {}) == "succeeded"
    assert followed == [False]
