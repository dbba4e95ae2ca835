"""The demo: what a person meets who follows the link to Binder."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.browser.book import Book
from tests.browser.conftest import Shoot
from tests.browser.demo_image import NOBODY, Image, built
from tests.browser.demo_usage import Usage
from tests.browser.server import Server
from tests.browser.view import View, expect
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Building the demo downloads JupyterLab and what builds the views.
pytestmark = pytest.mark.timeout(2400)

PREFIX = "/user/kfnb-kfnb-x1y2z3/"
"""Binder serves each demo below a path of its own."""
MEMORY = 2 << 30
"""Bytes that Binder gives a demo at most."""
ONE_CORE = (
    "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
"""Starts a command that has one core, with all that it starts, as on Binder."""


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with built() as made:
        yield made


@contextmanager
def started(image: Image) -> Iterator[Server]:
    """Start the demo with the flags that Binder gives."""
    # Each person gets a new container, so no earlier notebook is open in it.
    shutil.rmtree(image.user / ".jupyter" / "lab" / "workspaces", ignore_errors=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    flags = {
        "ip": "127.0.0.1",
        "port": port,
        "ServerApp.base_url": PREFIX,
        "ServerApp.token": token,
        "ServerApp.trust_xheaders": "True",
        "ServerApp.allow_origin": "https://hub.example.org",
        "ServerApp.port_retries": 0,
    }
    log = image.base / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["python", "-c", ONE_CORE, "binder/start", "jupyter-notebook", "--no-browser"]
            + [f"--{name}={value}" for name, value in flags.items()],
            **image.options(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(
        url=f"http://127.0.0.1:{port}{PREFIX}",
        token=token,
        root=image.checkout,
        home=image.user,
        settings=image.user,
        log=log,
    )
    try:
        wait_until(lambda: process.poll() is not None or _answers(server), "the server answers")
        assert process.poll() is None, log.read_text()[-3000:]
        yield server
        server.close_kernels()
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _answers(server: Server) -> bool:
    try:
        server.ask("GET", "api/status")
    except OSError:
        return False
    return True


@pytest.fixture
def server(image: Image) -> Iterator[Server]:
    with started(image) as running:
        yield running


def opened(page: Page, server: Server, link: str, path: Path) -> Book:
    """Follow a link of the demo, and wait for the notebook that it opens."""
    page.goto(f"{server.url}{link}")
    book = Book(page, server, "lab", path)
    book.cell(0).wait_for(timeout=1000 * PATIENCE)
    page.locator(".jp-Toolbar-kernelName", has_text="Python 3").first.wait_for()
    book.wait_idle()
    return book


def test_the_link_opens_the_guided_example_and_a_pipeline_runs_with_one_core_and_2_gb(
    image: Image, server: Server, page: Page, shoot: Shoot, artifacts: Path
) -> None:
    usage = Usage(image)
    with usage.watched():
        seconds = play_the_guide(image, server, page, shoot)
    assert usage.cores == {1}
    assert 0 < usage.peak < MEMORY
    # Not asserted, because it is the machine's: docs/binder.md has figures of an idle one.
    figures = {"seconds_until_a_pipeline_is_seen_running": seconds, "peak_bytes": usage.peak}
    (artifacts / "binder.json").write_text(json.dumps(figures))


def play_the_guide(image: Image, server: Server, page: Page, shoot: Shoot) -> float:
    """Return the seconds from the link to the picture of a running pipeline."""
    guide = image.checkout / "examples" / "guide" / "guide.ipynb"
    begun = time.monotonic()
    book = opened(page, server, f"?token={server.token}", guide)
    expect(book.cell(0)).to_contain_text("A pipeline from your notebook")
    assert page.get_by_text("official Jupyter news").count() == 0
    expect(page.get_by_role("region", name="Pipeline", exact=True)).to_be_visible()
    shoot("1-opened")
    graph = View(book.run(position(guide, "show"))).drawn()
    assert graph.nodes.count() == 3
    shoot("2-graph")
    start = position(guide, "start")
    book.start(start)
    view = View(book.output(start)).drawn()
    seconds = time.monotonic() - begun
    view.wait_for("make data", "succeeded")
    shoot("3-running")
    view.wait_for_run("succeeded")
    assert view.statuses() == ["succeeded"] * 3
    shoot("4-succeeded")
    return seconds


def test_a_link_opens_a_notebook_of_ones_own(
    image: Image, server: Server, page: Page, shoot: Shoot
) -> None:
    theirs = Path(tempfile.mkdtemp(prefix="kfnb-theirs-")) / "forecasts"
    try:
        notebook = new_notebook(cells=[new_code_cell("rain = 3", metadata={"tags": ["step:rain"]})])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        theirs.mkdir()
        nbformat.write(notebook, theirs / "train.ipynb")
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(theirs)]
        for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"]):
            subprocess.run([*git, *words], check=True)
        if image.as_root:
            for path in (theirs.parent, theirs, *theirs.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        path = quote("lab/tree/forecasts/train.ipynb", safe="")
        link = f"git-pull?repo={quote(theirs.as_uri(), safe='')}&branch=main&urlpath={path}"
        copy = image.checkout / "forecasts" / "train.ipynb"
        book = opened(page, server, f"{link}&token={server.token}", copy)
        expect(book.cell(0)).to_contain_text("rain = 3")
        view = View(book.do("%load_ext kfnb\n%pipeline show")).drawn()
        assert view.nodes.count() == 1
        shoot("shown")
    finally:
        shutil.rmtree(theirs.parent)


def position(path: Path, cell: str) -> int:
    """Return where the cell with this id stands."""
    cells = json.loads(path.read_text())["cells"]
    return [one["id"] for one in cells].index(cell)
