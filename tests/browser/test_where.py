"""The magics find the notebook: by a Jupyter server's sessions, and when nbconvert executes it."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from tests.magics.kernel import Kernel

CELLS = (("step:found here", "x = 1"), ("skip", "%load_ext kfnb"), ("skip", "%pipeline show"))


class Client(Kernel):
    """A kernel that a server started."""

    def __init__(self, jupyter, kernel_id: str) -> None:
        from jupyter_client.blocking import BlockingKernelClient

        client = BlockingKernelClient()
        client.load_connection_file(
            str(jupyter.root.parent / "runtime" / f"kernel-{kernel_id}.json")
        )
        client.start_channels()
        deadline = time.monotonic() + 60
        while True:
            try:
                client.wait_for_ready(timeout=60)
                break
            except RuntimeError:
                # On a busy machine a kernel that starts misses a heartbeat, and is taken for dead.
                if time.monotonic() > deadline:
                    raise
        super().__init__(None, client)


def shown(answer) -> str:
    assert answer.status == "ok", answer.error
    return answer.text + json.dumps(answer.shown)


@pytest.fixture
def session(jupyter, desk):
    """An open notebook: the session as the server knows it, and its kernel."""
    path = desk.notebook(*CELLS, name="open.ipynb")
    model = {
        "path": str(path.relative_to(jupyter.root)),
        "name": path.name,
        "type": "notebook",
        "kernel": {"name": "python3"},
    }
    found = jupyter.ask("POST", "api/sessions", model)
    client = Client(jupyter, found["kernel"]["id"])
    client.ok("%load_ext kfnb")
    yield path, found, client
    client.client.stop_channels()


def test_an_open_notebook_is_found_wherever_it_goes(jupyter, session):
    path, found, kernel = session
    assert "found here" in shown(kernel("%pipeline show"))

    # "Save As": the file that the kernel was started with stays, and is another notebook now.
    copy = path.with_name("a copy, öffentlich.ipynb")
    copy.write_text(path.read_text().replace("found here", "found there"))
    model = {"path": str(copy.relative_to(jupyter.root)), "name": copy.name, "type": "notebook"}
    jupyter.ask("PATCH", f"api/sessions/{found['id']}", model)
    assert "found there" in shown(kernel("%pipeline show"))

    kernel.ok("import os; os.chdir('/')")
    assert "found there" in shown(kernel("%pipeline show"))
    assert "found here" in shown(kernel(f"%pipeline show --notebook '{path}'"))


def test_a_server_that_does_not_answer_is_not_waited_for(jupyter, session):
    _, _, kernel = session
    kernel.ok("from kfnb.magics import notebook_path; notebook_path.PATIENCE = 0.0001")
    # Then what the kernel was told when it began counts.
    assert "found here" in shown(kernel("%pipeline show"))


def test_executed_by_nbconvert(jupyter, desk):
    path = desk.notebook(*CELLS, name="executed.ipynb")
    desk.notebook(*CELLS, name="a copy of it.ipynb")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "nbconvert",
            "--to",
            "notebook",
            "--execute",
            path,
            "--output",
            "out",
        ],
        check=True,
        cwd=desk.folder,
        env=desk.environment(),
        timeout=120,
    )
    cells = json.loads((desk.folder / "out.ipynb").read_text())["cells"]
    said = json.dumps([cell["outputs"] for cell in cells])
    assert "found here" in said
    assert "saved" not in said
