"""The demo: what a person meets who follows the link to Binder."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.browser.book import Book
from tests.browser.demo_image import Image, built
from tests.browser.server import Server
from tests.browser.view import View, expect
from tests.waiting import PATIENCE, wait_until

PREFIX = "/user/kfnb-kfnb-x1y2z3/"
"""Binder serves each demo below a path of its own."""


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with built() as made:
        yield made


@contextmanager
def started(image: Image) -> Iterator[Server]:
    """Start the demo with the flags that Binder gives; what it cannot write is read only."""
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
            ["binder/start", "jupyter-notebook", "--no-browser"]
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
def demo(image: Image, page, guard) -> Iterator[Book]:
    """The page behind the link, as it is when the guided example stands in it."""
    with started(image) as server:
        page.goto(f"{server.url}?token={server.token}")
        page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
        yield Book(page, server, "lab", image.checkout / "examples" / "guide" / "guide.ipynb")


def test_the_link_opens_the_guided_example_and_a_pipeline_runs(
    demo: Book, shoot, image: Image
) -> None:
    source = demo.path.read_bytes()
    demo.wait_idle()
    expect(demo.cell(0)).to_contain_text("A pipeline from your notebook")
    shoot("opened")
    show = position(demo.path, "show")
    demo.run(show)
    graph = View(demo.output(show)).drawn()
    assert sorted(graph.names()) == ["compare", "fit average", "make data"]
    start = position(demo.path, "start")
    demo.start(start)
    view = View(demo.output(start)).drawn()
    shoot("running")
    view.wait_for_run("succeeded")
    assert view.statuses() == ["succeeded"] * 3
    shoot("succeeded")
    assert demo.path.read_bytes() == source or demo.unsaved() is False


def position(path: Path, cell: str) -> int:
    """Return where the cell with this id stands."""
    cells = json.loads(path.read_text())["cells"]
    return [one["id"] for one in cells].index(cell)
