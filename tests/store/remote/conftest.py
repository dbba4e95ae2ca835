"""A real S3 server on a free port of loopback, and stores in it and in folders."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfnb.store.remote import Remote, StoreAddress, open_remote
from kfnb.store.remote.http import HttpRemote, ServerAddress
from kfnb.store.remote.serve import DIGEST, digest_of
from tests.cluster import binaries
from tests.cluster.machine import Unable
from tests.waiting import PATIENCE

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testsecret"}


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server."""
    try:
        binaries.ensure(print, "s3")  # a minute or two, the first time
    except Unable as error:
        if os.environ.get("KFNB_CLUSTER") == "required":
            pytest.fail(f"KFNB_CLUSTER=required, but {error}")
        pytest.skip(str(error))
    program = binaries.folders()["s3"] / "versitygw"
    folder = tmp_path_factory.mktemp("s3")
    for name in ("objects", "metadata"):
        (folder / name).mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        str(program), "--port", f"127.0.0.1:{port}", "--access", "test", "--secret", "testsecret",
        "posix", "--sidecar", str(folder / "metadata"), str(folder / "objects"),
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(port, server, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(PATIENCE)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the S3 server did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A bucket of this test's own, and the environment with its keys."""
    import s3fs

    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    name = f"t{abs(hash(request.node.nodeid)):x}"[:40]
    files = s3fs.S3FileSystem(endpoint_url=endpoint, skip_instance_cache=True)
    if not files.exists(name):
        files.mkdir(name)
    return name


class Served:
    """A folder that processes give out, a new one each time the last is found to be gone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.way: ServerAddress | None = None
        self._lock = threading.Lock()

    def find(self, *, instead_of: ServerAddress | None = None) -> ServerAddress:
        with self._lock:
            if self.way is None or self.way == instead_of:
                self.way = self._start()
            return self.way

    def _start(self) -> ServerAddress:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        token = os.urandom(16).hex()
        command = [sys.executable, "-m", "kfnb.store.remote.serve", str(self.folder)]
        environment = {**os.environ, DIGEST: digest_of(token)}
        server = subprocess.Popen([*command, "--port", str(port)], env=environment)
        self.processes.append(server)
        deadline = time.monotonic() + PATIENCE
        while server.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return ServerAddress("127.0.0.1", port, token)
            time.sleep(0.02)
        pytest.fail("the server did not start")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A folder that is given out by real processes."""
    made = Served(tmp_path / "served")
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


@pytest.fixture(params=["folder", "http", "s3"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    """A store in a folder, one in a folder that another process gives out, one in a bucket."""
    if request.param == "folder":
        return open_remote(StoreAddress((tmp_path / "remote").as_uri()))
    if request.param == "http":
        return HttpRemote(request.getfixturevalue("served"), "pvc:work")
    bucket = request.getfixturevalue("bucket")
    where = StoreAddress(f"s3://{bucket}/some/prefix", request.getfixturevalue("endpoint"))
    return open_remote(where)
