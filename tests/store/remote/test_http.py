"""A store that another process gives out: who may ask, and what happens when it ends."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kfnb.errors import InfrastructureError
from kfnb.store.remote.base import Refused
from kfnb.store.remote.http import HttpRemote, ServerAddress
from kfnb.store.remote.serve import DIGEST, Server, digest_of
from tests.waiting import PATIENCE


def put(way, key, *, token, body=b"x", length=None):
    connection = http.client.HTTPConnection(way.host, way.port, timeout=PATIENCE)
    headers = {"Authorization": f"Bearer {token}", "Content-Length": str(length or len(body))}
    connection.request("PUT", key, body=body, headers=headers)
    return connection


def test_without_a_token_nothing_can_be_read_or_written(served):
    remote = HttpRemote(served, "pvc:work")
    remote.put("runs/a", b"secret")
    way = served.find()
    for token in ("", "wrong", digest_of(way.token)):
        for method in ("GET", "HEAD", "DELETE", "PUT"):
            connection = http.client.HTTPConnection(way.host, way.port, timeout=PATIENCE)
            headers = {"Authorization": f"Bearer {token}"}
            connection.request(method, "/key/runs/a", headers=headers)
            response = connection.getresponse()
            assert (response.status, response.read()) == (401, b"")
    assert remote.get("runs/a") == b"secret"
    assert way.token not in repr(way)


def test_the_server_does_not_know_the_token(served):
    way = served.find()
    environment = Path(f"/proc/{served.processes[0].pid}/environ")
    if not environment.exists():
        pytest.skip("only Linux shows a process's environment")
    assert way.token.encode() not in environment.read_bytes()
    assert digest_of(way.token).encode() in environment.read_bytes()


@pytest.mark.parametrize(
    "key", ["/key/a/%2e%2e/b", "/key/%2Fetc", "/key/", "/elsewhere", "/key/a%00"]
)
def test_keys_that_leave_the_folder_are_refused_by_the_server_too(served, key):
    way = served.find()
    response = put(way, key, token=way.token).getresponse()
    assert response.status == 400
    assert not served.folder.exists() or list(served.folder.iterdir()) == []


def test_what_is_not_sent_to_the_end_is_not_kept(served):
    way = served.find()
    connection = put(way, "/key/blobs/x", token=way.token, body=b"some", length=100)
    connection.sock.shutdown(socket.SHUT_WR)
    assert connection.getresponse().status == 507
    remote = HttpRemote(served, "pvc:work")
    assert remote.list("") == []
    assert [p for p in served.folder.rglob("*") if p.is_file()] == []


def test_a_server_that_was_killed_is_replaced_by_another(served, tmp_path):
    remote = HttpRemote(served, "pvc:work", wait=lambda _: None)
    remote.put("runs/a", b"one")
    served.processes[0].kill()
    served.processes[0].wait()
    assert remote.get("runs/a") == b"one"
    served.processes[1].kill()
    served.processes[1].wait()
    source = tmp_path / "source"
    source.write_bytes(os.urandom(3_000_000))
    remote.upload("blobs/x", source)
    assert remote.size("blobs/x") == 3_000_000
    assert len(served.processes) == 3


def test_threads_that_lose_the_server_at_once_make_one_new_one(served):
    remote = HttpRemote(served, "pvc:work", wait=lambda _: None)
    remote.put("runs/a", b"one")
    ready, again = threading.Barrier(5), threading.Barrier(5)
    found = []

    def read():
        remote.get("runs/a")
        ready.wait()
        again.wait()
        found.append(remote.get("runs/a"))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    ready.wait()
    served.processes[0].kill()
    served.processes[0].wait()
    again.wait()
    for thread in threads:
        thread.join()
    assert found == [b"one"] * 4
    assert len(served.processes) == 2


class Cut:
    """Answers a request by half of what it announces, then as often as asked."""

    def __init__(self, port):
        self.port = port

    def find(self, *, instead_of=None):
        del instead_of
        return ServerAddress("127.0.0.1", self.port, "t")


def test_half_a_download_is_no_file(tmp_path):
    listening = socket.create_server(("127.0.0.1", 0))

    def answer():
        while True:
            try:
                one, _ = listening.accept()
            except OSError:
                return
            with one:
                one.recv(65536)
                one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    thread = threading.Thread(target=answer)
    thread.start()
    remote = HttpRemote(Cut(listening.getsockname()[1]), "pvc:work", wait=lambda _: None)
    with pytest.raises(InfrastructureError, match="pvc:work does not answer"):
        remote.download("blobs/x", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def test_a_volume_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with Server(tmp_path / "file", digest=digest_of("t")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        remote = HttpRemote(Cut(server.server_port), "pvc:work")
        with pytest.raises(Refused, match=r"pvc:work refused the request: Cannot write"):
            remote.put("runs/a", b"x")
        server.shutdown()
        thread.join()


def test_the_server_ends_when_there_are_no_more_requests(tmp_path):
    command = [sys.executable, "-m", "kfnb.store.remote.serve", str(tmp_path / "x")]
    environment = {**os.environ, DIGEST: digest_of("t")}
    done = subprocess.run(
        [*command, "--port", "0", "--idle", "0.05"], env=environment, timeout=60, check=False
    )
    assert done.returncode == 0


def test_without_a_digest_the_server_refuses_to_start(tmp_path):
    command = [sys.executable, "-m", "kfnb.store.remote.serve", str(tmp_path)]
    environment = {**os.environ, DIGEST: ""}
    done = subprocess.run(command, env=environment, timeout=60, check=False, capture_output=True)
    assert done.returncode == 2
    assert DIGEST.encode() in done.stderr
