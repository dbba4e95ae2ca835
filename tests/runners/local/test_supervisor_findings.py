"""What ``kfnb doctor`` shows of the supervisor."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kfnb.runners.local.supervisor_findings import supervisor_findings
from kfnb.step.supervisor.client import Supervisor
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the supervisor needs Linux")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("KFNB_HOME", str(folder))
    monkeypatch.setenv("KFNB_TEMPLATES", "on")
    return folder


def sentences() -> list[tuple[str, str]]:
    return [(finding.check, finding.sentence) for finding in supervisor_findings()]


def test_there_is_none_yet() -> None:
    assert sentences() == [("supervisor", "No supervisor runs; the next run starts one.")]


def test_it_shows_the_supervisor_its_attempts_and_what_lives_below(home: Path) -> None:
    folder = home / "runs" / "20260101-000000-nb-0000" / "steps" / "train" / "2"
    folder.mkdir(parents=True)
    client = Supervisor.connect(start=True)
    assert client is not None
    source = "import subprocess\nsubprocess.run(['sleep', '600'])"
    with (folder / "log").open("wb") as log:
        client.start_attempt(
            str(folder),
            [sys.executable, "-c", source],
            cwd="/",
            environment={},
            descriptors=(log.fileno(), log.fileno()),
        )
    wait_until(lambda: "Below it: sleep 600" in sentences()[-1][1], "the sleep starts")
    shown = sentences()
    checks = [check for check, _ in shown]
    assert checks == ["supervisor", "attempt", "process"]
    assert "1 run, 1 executing step, 0 templates" in shown[0][1]
    (pid,) = client.processes().attempts.values()
    assert shown[1][1] == (f"Step train, attempt 2, of run 20260101-000000-nb-0000 (pid {pid}).")
    client.signal(str(folder), 9, group=True)
    wait_until(client.ended, "the attempt ends")
    client.close()
