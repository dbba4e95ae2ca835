"""Start a Jupyter server in this process and measure it: figures as JSON.

With ``start`` as its argument, how long the server takes until its event loop would run, with and
without the extension. With ``pause``, the longest pauses of its event loop while notebooks that are
hard to read are checked, and while the process that asks clusters stands still.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

TICK = 0.001
SECONDS = 8.0
TOKEN = "measured"
HARD = "".join(f"x{n} = {n}\n" for n in range(400_000))


def _app(folder: Path, extension: bool) -> Any:
    from jupyter_server.serverapp import ServerApp

    app = ServerApp.instance()
    words = [
        "--allow-root",
        "--no-browser",
        "--ServerApp.port=0",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={folder}",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.jpserver_extensions={{'kfnb.server': {extension}}}",
    ]
    app.initialize(words, find_extensions=False)
    return app


def start(folder: Path, extension: bool) -> float:
    """Return the milliseconds of CPU time until the server is ready to start its loop."""
    # A server has these anyway.
    import jupyter_server.serverapp  # noqa: F401

    begun = time.process_time()
    _app(folder, extension)
    return (time.process_time() - begun) * 1000


class _Ticker:
    """The pauses between ticks, and the CPU time of the longest callback.

    ``own`` is the longest pause without the time in which the loop's thread was ready but other
    programs had the cores, which says more about the server where the machine is busy.
    """

    def __init__(self) -> None:
        self.wall = self.own = self.cpu = 0.0

    def reset(self) -> tuple[float, float, float]:
        result = self.wall * 1000, self.own * 1000, self.cpu * 1000
        self.wall = self.own = self.cpu = 0.0
        return result

    async def tick(self) -> None:
        with _waited_file() as waited:
            while True:
                begun, before = time.perf_counter(), _waited(waited)
                await asyncio.sleep(TICK)
                pause = time.perf_counter() - begun - TICK
                self.wall = max(self.wall, pause)
                self.own = max(self.own, pause - (_waited(waited) - before))

    def watch_callbacks(self) -> None:
        original = asyncio.events.Handle._run
        ticker = self

        def run(handle: asyncio.events.Handle) -> None:
            begun = time.thread_time()
            original(handle)
            ticker.cpu = max(ticker.cpu, time.thread_time() - begun)

        asyncio.events.Handle._run = run  # type: ignore[method-assign]


def _waited_file() -> Any:
    """Open Linux's figures about the scheduling of this thread; an empty file elsewhere."""
    path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
    return Path(path if Path(path).exists() else os.devnull).open("rb", buffering=0)


def _waited(file: Any) -> float:
    """Return the seconds in which this thread was ready to run, but did not."""
    file.seek(0)
    fields = file.read(100).split()
    return int(fields[1]) / 1e9 if len(fields) == 3 else 0.0


def pause(folder: Path) -> dict[str, list[float]]:
    """Return the longest pause and the longest callback, in milliseconds, of each situation."""
    cell = {"cell_type": "code", "metadata": {"tags": ["step:a"]}, "outputs": [], "id": "a"}
    for name, source in (("hard", HARD), ("fair", "x = 1")):
        cells = [{**cell, "source": source, "execution_count": None}]
        book = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (folder / f"{name}.ipynb").write_text(json.dumps(book))
    app = _app(folder, True)
    ticker = _Ticker()
    ticker.watch_callbacks()
    figures: dict[str, list[float]] = {}

    def port() -> int:
        (listening,) = app.http_server._sockets.values()
        return int(listening.getsockname()[1])

    def ask(method: str, path: str, body: Any = None) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port()}/kfnb/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
        )
        with contextlib.suppress(urllib.error.URLError, TimeoutError):
            urllib.request.urlopen(request, timeout=60).read()

    def many(*requests: tuple[Any, ...]) -> None:
        threads = [threading.Thread(target=ask, args=one, daemon=True) for one in requests]
        for thread in threads:
            thread.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and any(one.is_alive() for one in threads):
            ask("GET", "status")
            time.sleep(0.05)

    def drive() -> None:
        time.sleep(1)
        many(("GET", "runs"), ("POST", "check", {"path": "fair.ipynb"}))
        ticker.reset()
        many(("GET", "runs"), ("POST", "check", {"path": "fair.ipynb"}))
        figures["usual requests"] = [*ticker.reset()]
        many(*[("POST", "check", {"path": "hard.ipynb"})] * 3)
        figures["notebooks that are hard to read"] = [*ticker.reset()]
        (one,) = app.extension_manager.extension_apps["kfnb.server"]
        os.kill(one.state.follow._process._process.pid, signal.SIGSTOP)
        many(*[("GET", "runs")] * 3, ("POST", "check", {"path": "fair.ipynb"}))
        figures["what asks clusters stands still"] = [*ticker.reset()]
        app.io_loop.add_callback(app.stop)

    async def ticking() -> None:
        task = asyncio.create_task(ticker.tick())
        threading.Thread(target=drive, daemon=True).start()
        await asyncio.shield(task)

    app.io_loop.add_callback(ticking)
    app.start()
    return figures


def main() -> None:
    """Print the figures that the command line names."""
    folder = Path(tempfile.mkdtemp())
    os.environ["KFNB_HOME"] = str(folder / "home")
    os.environ["JUPYTER_CONFIG_DIR"] = str(folder / "config")
    os.environ["JUPYTER_RUNTIME_DIR"] = str(folder / "runtime")
    root = folder / "root"
    root.mkdir()
    if sys.argv[1] == "start":
        print(json.dumps(start(root, sys.argv[2] == "with")))
    else:
        print("FIGURES", json.dumps(pause(root)))


if __name__ == "__main__":
    main()
