"""The server as a program of its own: what goes on when it ends."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import kfnb
from tests.server.client import ended
from tests.server.program import started
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

WAITING = """import pathlib, time
while not pathlib.Path('go').exists():
    time.sleep(.05)
"""

LIMITS = """import resource
print(*(resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU)))
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_goes_on_when_the_server_ends(
    tmp_path: Path, jp_root_dir: Path, book: Callable[..., Path], end: signal.Signals
) -> None:
    path = book(("step:wait", WAITING), ("step:after", LIMITS))
    with started(jp_root_dir, tmp_path / "server") as server:
        status, plain = server.ask("POST", "runs", {"path": "nb.ipynb"})
        assert status == 201, plain
        run = kfnb.open_run(plain["id"])
        wait_until(lambda: run.steps["wait"].status == "running")
        server.ask("POST", "check", {"path": "nb.ipynb"})
        workers = server.children()
        assert len(workers) == 2
        server.process.send_signal(end)
        server.process.wait(60)
        # What only works for the server ends with it.
        wait_until(lambda: not any(worker.is_running() for worker in workers))
        (path.parent / "go").touch()
        assert ended(run) == "succeeded"
        # The limits of the process that read the notebook are not those of its run.
        assert run.logs("after").split() == ["-1", "-1"]
    with started(jp_root_dir, tmp_path / "server") as server:
        assert server.ask("GET", f"runs/{run.id}")[1]["status"] == "succeeded"


def test_files_of_the_servers_folder_do_not_take_the_place_of_modules(
    tmp_path: Path, jp_root_dir: Path, book: Callable[..., Path]
) -> None:
    book(("step:load", "rows = [1]"))
    for name in ("msgspec", "json", "kfnb"):
        (jp_root_dir / f"{name}.py").write_text("raise SystemExit('executed')\n")
    with started(jp_root_dir, tmp_path / "server") as server:
        assert server.ask("POST", "check", {"path": "nb.ipynb"})[0] == 200


def test_the_configuration_that_is_installed_enables_the_extension() -> None:
    path = Path(__file__).parents[2] / "jupyter-config" / "server-config" / "kfnb.json"
    plain = json.loads(path.read_text())
    assert plain == {"ServerApp": {"jpserver_extensions": {"kfnb.server": True}}}
