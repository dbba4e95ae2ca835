"""A real S3 server on a free port of loopback, and stores in it and in folders."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfnb.store.remote import Remote, StoreAddress, open_remote
from tests.cluster import binaries

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testsecret"}


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server."""
    program = binaries.folders()["s3"] / "versitygw"
    if not program.exists():
        reason = "the S3 server of the test cluster is not built: python3 dev.py cluster up"
        if os.environ.get("KFNB_CLUSTER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
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
        server.wait(10)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
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


@pytest.fixture(params=["folder", "s3"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    """A store in a folder, and one in a bucket."""
    if request.param == "folder":
        return open_remote(StoreAddress((tmp_path / "remote").as_uri()))
    bucket = request.getfixturevalue("bucket")
    where = StoreAddress(f"s3://{bucket}/some/prefix", request.getfixturevalue("endpoint"))
    return open_remote(where)
